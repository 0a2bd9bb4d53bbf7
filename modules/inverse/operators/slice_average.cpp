#include "modules/inverse/operators/slice_average.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::inverse {
namespace {

constexpr const char* kName = "slice_average";
/// Singular values below this share of the largest count as 0.
constexpr double kRankShare = 1e-12;

at::Tensor profile(const SliceAverageConfig& config, std::int64_t thin) {
  const std::int64_t thick = (thin + config.factor - 1) / config.factor;
  const double width = config.thickness * static_cast<double>(config.factor);
  at::Tensor weights = at::zeros({thick, thin}, at::kDouble);
  double* w = weights.mutable_data_ptr<double>();
  for (std::int64_t k = 0; k < thick; ++k) {
    const double centre = static_cast<double>(config.factor * k) + static_cast<double>(config.factor - 1) / 2;
    for (std::int64_t j = 0; j < thin; ++j) {
      const double z = static_cast<double>(j) - centre;
      const double inside = std::min(z + 0.5, width / 2) - std::max(z - 0.5, -width / 2);
      w[k * thin + j] = config.profile == "box" ? std::max(inside, 0.0) : std::exp2(-std::pow(2 * z / width, 2));
    }
  }
  const at::Tensor sums = weights.sum(1, /*keepdim=*/true);
  RESEDA_REQUIRE(sums.gt(0).all().item<bool>(), Errc::kUsage, "operator.thickness = ", config.thickness,
                 " leaves a thick slice without a thin one");
  return weights / sums;
}

/// matrix x along axis 1.
at::Tensor along_slices(const at::Tensor& matrix, const at::Tensor& x) {
  return at::matmul(constant_like(matrix, x), x.flatten(2)).reshape({x.size(0), -1, x.size(2), x.size(3)});
}

}  // namespace

void SliceAverageConfig::validate() const {
  RESEDA_REQUIRE(factor >= 1, Errc::kUsage, "operator.factor must be >= 1, got ", factor);
  diffusion::require_choice("operator.profile", profile, {"box", "gaussian"});
  RESEDA_REQUIRE(std::isfinite(thickness) && thickness > 0, Errc::kUsage, "operator.thickness must be > 0, got ",
                 thickness);
}

SliceAverage::SliceAverage(const SliceAverageConfig& config) : shape_(config.image) {
  config.validate();
  weights_ = profile(config, shape_.channels);
  at::Tensor rows;
  std::tie(left_, singular_, rows) = at::linalg_svd(weights_, /*full_matrices=*/true);
  right_ = rows.t().contiguous();
  inverse_ = at::linalg_pinv(weights_, std::optional<double>{}, kRankShare);
}

void SliceAverage::require(const at::Tensor& y) const {
  require_measurement(y, {weights_.size(0), shape_.height, shape_.width}, kName);
}

at::Tensor SliceAverage::apply(const at::Tensor& x) const {
  shape_.require(x, kName);
  return along_slices(weights_, x);
}

at::Tensor SliceAverage::adjoint(const at::Tensor& y) const {
  require(y);
  return along_slices(weights_.t(), y);
}

at::Tensor SliceAverage::pseudo_inverse(const at::Tensor& y) const {
  require(y);
  return along_slices(inverse_, y);
}

at::Tensor SliceAverage::v(const at::Tensor& coefficients) const {
  return along_slices(right_, coefficients.reshape(shape_.batch(coefficients.size(0))));
}
at::Tensor SliceAverage::vt(const at::Tensor& x) const {
  shape_.require(x, kName);
  return along_slices(right_.t(), x).flatten(1);
}
at::Tensor SliceAverage::u(const at::Tensor& coefficients) const {
  return along_slices(left_, coefficients.reshape({coefficients.size(0), -1, shape_.height, shape_.width}));
}
at::Tensor SliceAverage::ut(const at::Tensor& y) const {
  require(y);
  return along_slices(left_.t(), y).flatten(1);
}
at::Tensor SliceAverage::singulars() const {
  const at::Tensor kept = at::where(singular_ > kRankShare * singular_[0], singular_, at::zeros_like(singular_));
  return kept.repeat_interleave(shape_.pixels());
}

const OperatorEntry& operator_entry_slice_average() {
  static const auto entry = make_component<ForwardOperator, SliceAverage, SliceAverageConfig>(
      "slice_average", "thick slices of a volume of thin ones, with a slice profile");
  return entry;
}

}  // namespace reseda::inverse
