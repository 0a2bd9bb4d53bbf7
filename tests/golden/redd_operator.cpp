#include "tests/golden/redd_operator.hpp"

#include <ATen/ATen.h>

#include <string_view>
#include <utility>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/inverse/operators/bicubic.hpp"
#include "modules/inverse/operators/blur.hpp"
#include "modules/inverse/operators/colourise.hpp"
#include "modules/inverse/operators/composition.hpp"
#include "modules/inverse/operators/hdr.hpp"
#include "modules/inverse/operators/identity.hpp"
#include "modules/inverse/operators/inpaint.hpp"
#include "modules/inverse/operators/jpeg.hpp"
#include "modules/inverse/operators/phase_retrieval.hpp"
#include "modules/inverse/operators/quantise.hpp"
#include "modules/inverse/operators/separable.hpp"
#include "modules/inverse/operators/super_resolution.hpp"

namespace reseda::golden {
namespace {

using inverse::ForwardOperator;
using Shape = std::vector<std::int64_t>;

constexpr double kSingularCut = 0.03;

bool starts_with(const std::string& text, std::string_view prefix) { return text.rfind(prefix, 0) == 0; }
std::int64_t number_after(const std::string& text, std::string_view prefix) {
  return std::stoll(text.substr(prefix.size()));
}

/// The recorded factor, or undefined.
at::Tensor factor(GoldenCase& golden, const ReddOperatorInput& input, const std::string& name) {
  const std::string full = input.basis + name;
  return !input.basis.empty() && golden.has(full) ? golden.tensor(full) : at::Tensor();
}

/// The recorded decomposition of one axis with its order, completed by the entries that keep their place.
std::unique_ptr<ForwardOperator> recorded_separable(GoldenCase& golden, const Shape& image,
                                                    const ReddOperatorInput& input, bool reddiff_blur) {
  const at::Tensor v = factor(golden, input, "V_small").to(at::kDouble);
  const inverse::MatrixSvd axis = {factor(golden, input, "U_small").to(at::kDouble),
                                   factor(golden, input, "singulars_small").to(at::kDouble), v};
  const at::Tensor given = factor(golden, input, "perm");
  const at::Tensor order = at::cat({given, at::arange(given.size(0), image[1] * image[2], at::kLong)});
  return std::make_unique<inverse::Separable>(
      "recorded", inverse::ImageShape(image), axis, axis,
      inverse::Separable::Form{.order = order, .shifted_values = reddiff_blur, .keeps_null = true});
}

std::unique_ptr<ForwardOperator> deblur(GoldenCase& golden, const std::string& name, const Shape& image,
                                        const ReddOperatorInput& input) {
  if (factor(golden, input, "V_small").defined()) return recorded_separable(golden, image, input, true);
  const bool uniform = name.find("uni") != std::string::npos;
  const inverse::ImageShape shape(image);
  const at::Tensor taps =
      inverse::point_spread({.kernel = uniform ? "uniform" : "gaussian", .size = uniform ? 9 : 5, .sigma = 25.0})
          .sum(0);
  const inverse::MatrixSvd axis = inverse::matrix_svd(inverse::reddiff_blur_matrix(taps, image[1]), kSingularCut);
  return std::make_unique<inverse::Separable>(
      "deblur", shape, axis, axis,
      inverse::Separable::Form{.order = at::argsort(at::outer(axis.s, axis.s).flatten(), true, 0, true),
                               .shifted_values = true,
                               .keeps_null = true});
}

std::unique_ptr<ForwardOperator> inpaint(const Shape& image, const ReddOperatorInput& input, bool packed) {
  const at::Tensor rows = input.masks.index_select(0, at::remainder(input.index, input.masks.size(0)));
  // Equal masks are one mask, which has a spectral form.
  const at::Tensor masks = rows.eq(rows[0]).all().item<bool>() ? rows.slice(0, 0, 1) : rows;
  return std::make_unique<inverse::Inpaint>(image, masks.reshape({-1, image[0], image[1], image[2]}), packed);
}

std::unique_ptr<ForwardOperator> make_part(GoldenCase& golden, const std::string& name, const Shape& image,
                                           const ReddOperatorInput& input) {
  const at::Tensor basis = factor(golden, input, "V_small");
  if (name == "deno") return std::make_unique<inverse::Identity>(inverse::IdentityConfig{image});
  if (name == "color") return std::make_unique<inverse::Colourise>(inverse::ColouriseConfig{.image = image}, basis);
  if (name == "hdr") return std::make_unique<inverse::Hdr>(inverse::HdrConfig{.image = image});
  if (name == "phase_retrieval")
    return std::make_unique<inverse::PhaseRetrieval>(
        inverse::PhaseRetrievalConfig{.image = image, .pad = input.phase_pad});
  if (starts_with(name, "in2_")) return inpaint(image, input, false);
  if (starts_with(name, "inp_")) return inpaint(image, input, true);
  if (starts_with(name, "deblur_") || starts_with(name, "bdeblur_")) return deblur(golden, name, image, input);
  if (starts_with(name, "bicubic")) {
    if (basis.defined()) return recorded_separable(golden, image, input, false);
    return std::make_unique<inverse::Bicubic>(
        inverse::BicubicConfig{.image = image, .factor = number_after(name, "bicubic")});
  }
  if (starts_with(name, "sr"))
    return std::make_unique<inverse::SuperResolution>(
        inverse::SuperResolutionConfig{.image = image, .factor = number_after(name, "sr")}, basis);
  if (starts_with(name, "jpeg"))
    return std::make_unique<inverse::Jpeg>(inverse::JpegConfig{
        .image = image, .quality = number_after(name, "jpeg"), .straight_through = input.straight_through});
  if (starts_with(name, "quant"))
    return std::make_unique<inverse::Quantise>(inverse::QuantiseConfig{
        .image = image, .bits = number_after(name, "quant"), .straight_through = input.straight_through});
  detail::raise(Errc::kInput, "deg '", name, "' is not known");
}

}  // namespace

ReddOperator make_redd_operator(GoldenCase& golden, const std::string& deg, at::IntArrayRef image,
                                const ReddOperatorInput& input) {
  const bool returns_argument = starts_with(deg, "jpeg") || starts_with(deg, "quant") || starts_with(deg, "bdeblur");
  if (deg.find('-') == std::string::npos) return {make_part(golden, deg, image.vec(), input), returns_argument};
  std::vector<std::unique_ptr<ForwardOperator>> parts;
  Shape shape = image.vec();
  for (std::size_t first = 0; first <= deg.size();) {
    const std::size_t last = std::min(deg.find('-', first), deg.size());
    parts.push_back(make_part(golden, deg.substr(first, last - first), shape, input));
    Shape batch = {input.index.defined() ? input.index.size(0) : 1};
    batch.insert(batch.end(), shape.begin(), shape.end());
    shape = parts.back()->apply(at::zeros(batch)).sizes().slice(1).vec();
    first = last + 1;
  }
  return {std::make_unique<inverse::Composition>(std::move(parts)), false};
}

}  // namespace reseda::golden
