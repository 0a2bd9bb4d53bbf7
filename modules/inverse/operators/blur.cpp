#include "modules/inverse/operators/blur.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"
#include "modules/inverse/operators/circular_blur.hpp"
#include "modules/inverse/operators/padded_blur.hpp"
#include "modules/inverse/operators/separable.hpp"

namespace reseda::inverse {
namespace {

constexpr double kProductTolerance = 1e-12;

at::Tensor checked_kernel(const at::Tensor& given) {
  const at::Tensor kernel = given.to(at::kCPU, at::kDouble);
  RESEDA_REQUIRE(kernel.dim() == 2 && kernel.size(0) % 2 == 1 && kernel.size(1) % 2 == 1, Errc::kUsage,
                 "operator blur: the kernel must be [K,L] with odd sides, got ", given.sizes());
  RESEDA_REQUIRE(at::isfinite(kernel).all().item<bool>() && kernel.abs().max().item<double>() > 0, Errc::kUsage,
                 "operator blur: the kernel must be finite and not all 0");
  return kernel.contiguous();
}

/// The two vectors whose product the kernel is, their absolute sums equal; nothing where it is none.
std::vector<at::Tensor> product_of(const at::Tensor& kernel) {
  const auto [u, s, vh] = at::linalg_svd(kernel, false);
  const bool product = s.size(0) == 1 || (s[1] < kProductTolerance * s[0]).item<bool>();
  if (!product) return {};
  const at::Tensor column = u.select(1, 0) * s[0], row = vh[0], share = (column.abs().sum() / row.abs().sum()).sqrt();
  return {column / share, row * share};
}

MatrixSvd axis_svd(const at::Tensor& taps, std::int64_t count, Boundary boundary, double cut) {
  return matrix_svd(convolution_matrix(taps, count, boundary), cut);
}

/// Quirk: singular values meet the coefficients in another order than they were sorted in, and H^+ keeps what H
/// drops. Ties of the sort keep their order here; the official sort may swap them.
std::unique_ptr<ForwardOperator> make_reddiff_blur(const ImageShape& shape, const at::Tensor& kernel, double cut) {
  RESEDA_REQUIRE(shape.height == shape.width, Errc::kUsage, "operator.compat reddiff needs square images, got ",
                 shape.height, " x ", shape.width);
  const MatrixSvd factors = matrix_svd(reddiff_blur_matrix(kernel.sum(0), shape.height), cut);
  const at::Tensor values = at::outer(factors.s, factors.s).flatten();
  const Separable::Form form = {.order = at::argsort(values, /*stable=*/true, /*dim=*/0, /*descending=*/true),
                                .shifted_values = true,
                                .keeps_null = true};
  return std::make_unique<Separable>("blur", shape, factors, factors, form);
}

std::unique_ptr<ForwardOperator> make_configured(const BlurConfig& config) {
  const ImageShape shape(config.image);
  const at::Tensor kernel = point_spread(config.point_spread);
  if (config.compat == "reddiff") return make_reddiff_blur(shape, kernel, config.singular_cut);
  return make_blur(shape, kernel, parse_boundary(config.boundary), config.singular_cut);
}

}  // namespace

void BlurConfig::validate() const {
  parse_boundary(boundary);
  diffusion::require_choice("operator.compat", compat, {"none", "reddiff"});
  RESEDA_REQUIRE(singular_cut >= 0 && singular_cut < 1, Errc::kUsage, "operator.singular_cut must be in [0, 1), got ",
                 singular_cut);
  RESEDA_REQUIRE(compat == "none" || point_spread.kernel == "uniform" || point_spread.kernel == "gaussian",
                 Errc::kUsage, "operator.compat reddiff has the kernels uniform and gaussian, got '",
                 point_spread.kernel, "'");
}

std::unique_ptr<ForwardOperator> make_blur(const ImageShape& shape, const at::Tensor& given, Boundary boundary,
                                           double singular_cut) {
  const at::Tensor kernel = checked_kernel(given);
  if (boundary == Boundary::kPeriodic) return std::make_unique<CircularBlur>(shape, kernel, singular_cut);
  const std::vector<at::Tensor> vectors = product_of(kernel);
  if (vectors.empty()) return std::make_unique<PaddedBlur>(shape, kernel, boundary);
  const MatrixSvd rows = axis_svd(vectors[0], shape.height, boundary, singular_cut);
  const bool symmetric = shape.height == shape.width && vectors[0].sizes() == vectors[1].sizes() &&
                         at::allclose(vectors[0], vectors[1], 0.0, kProductTolerance);
  return std::make_unique<Separable>("blur", shape, rows,
                                     symmetric ? rows : axis_svd(vectors[1], shape.width, boundary, singular_cut),
                                     Separable::Form{});
}

at::Tensor reddiff_blur_matrix(const at::Tensor& taps, std::int64_t count) {
  const at::Tensor matrix = at::zeros({count, count}, at::kDouble);
  const std::int64_t size = taps.size(0);
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t t = 0; t + 1 < size; ++t) {
      const std::int64_t j = i - size / 2 + t;
      if (j >= 0 && j < count) matrix[i][j] = taps[t];
    }
  }
  return matrix;
}

const OperatorEntry& operator_entry_blur() {
  const auto read = [](const ConfigNode& node, const std::string& path) {
    BlurConfig config;
    read_config(node, config, path);
    return config;
  };
  static const OperatorEntry entry = {
      "blur", "convolution with a uniform, Gaussian, anisotropic or motion kernel",
      [read](const ConfigNode& node, const std::string& path) { return make_configured(read(node, path)); },
      [read](const ConfigNode& node, const std::string& path) { return write_config(read(node, path)); },
      [] { return list_config(BlurConfig{}); }};
  return entry;
}

}  // namespace reseda::inverse
