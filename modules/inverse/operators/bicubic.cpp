#include "modules/inverse/operators/bicubic.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"
#include "modules/inverse/operators/boundary.hpp"

namespace reseda::inverse {
namespace {

double sinc(double x) { return x == 0 ? 1.0 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x); }

double support_of(const std::string& kernel) { return kernel == "linear" ? 1.0 : kernel == "cubic" ? 2.0 : 3.0; }

double kernel_at(const std::string& kernel, double x) {
  x = std::abs(x);
  if (x >= support_of(kernel)) return 0.0;
  if (kernel == "linear") return 1.0 - x;
  if (kernel == "lanczos3") return sinc(x) * sinc(x / 3.0);
  constexpr double a = -0.5;
  return x <= 1.0 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

MatrixSvd axis(std::int64_t count, const BicubicConfig& config) {
  RESEDA_REQUIRE(config.factor >= 1 && count % config.factor == 0, Errc::kUsage,
                 "operator.factor must divide the image's height and width; ", count, " / ", config.factor,
                 " is no whole number");
  return matrix_svd(downscaling_matrix(count, config.factor, config.kernel), config.singular_cut);
}

}  // namespace

void BicubicConfig::validate() const {
  diffusion::require_choice("operator.kernel", kernel, {"cubic", "linear", "lanczos3"});
  RESEDA_REQUIRE(singular_cut >= 0 && singular_cut < 1, Errc::kUsage, "operator.singular_cut must be in [0, 1), got ",
                 singular_cut);
}

at::Tensor downscaling_matrix(std::int64_t count, std::int64_t factor, const std::string& kernel) {
  const std::int64_t rows = count / factor;
  const at::Tensor matrix = at::zeros({rows, count}, at::kDouble);
  auto* entries = matrix.data_ptr<double>();
  const auto scale = static_cast<double>(factor);
  for (std::int64_t k = 0; k < rows; ++k) {
    const double centre = scale * static_cast<double>(k) + (scale - 1) / 2, reach = support_of(kernel) * scale;
    const auto first = static_cast<std::int64_t>(std::ceil(centre - reach)),
               last = static_cast<std::int64_t>(std::floor(centre + reach));
    for (std::int64_t j = first; j <= last; ++j)
      entries[k * count + inside_index(j, count, Boundary::kReflect)] +=
          kernel_at(kernel, (static_cast<double>(j) - centre) / scale);
  }
  return matrix / matrix.sum(1, true);
}

Bicubic::Bicubic(const BicubicConfig& config)
    : Separable("bicubic", ImageShape(config.image), axis(ImageShape(config.image).height, config),
                axis(ImageShape(config.image).width, config), {}) {}

const OperatorEntry& operator_entry_bicubic() {
  static const auto entry = make_component<ForwardOperator, Bicubic, BicubicConfig>(
      "bicubic", "reduction with an antialiasing cubic, linear or Lanczos kernel");
  return entry;
}

}  // namespace reseda::inverse
