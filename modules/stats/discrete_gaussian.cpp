#include "modules/stats/discrete_gaussian.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <boost/math/special_functions/erf.hpp>
#include <boost/multiprecision/cpp_bin_float.hpp>
#include <cmath>

#include "modules/core/error.hpp"
#include "modules/core/parallel.hpp"

namespace reseda::stats {
namespace {

using Real = boost::multiprecision::cpp_bin_float_quad;
constexpr int kGuideBits = 12;

/// floor(2^64 P[N(0, 1) < -z]), z > 0: 0 far out.
std::uint64_t scaled_tail(const Real& z) {
  const Real tail = boost::math::erfc(Real(z / sqrt(Real(2)))) / 2;
  return static_cast<std::uint64_t>(floor(ldexp(tail, 64)));
}

}  // namespace

DiscreteGaussian::DiscreteGaussian(double sigma) : sigma_(sigma) {
  RESEDA_REQUIRE(sigma >= 0.001 && sigma <= 16, Errc::kUsage, "smoothing.sigma must be 0.001 to 16, got ", sigma);
  // P[J <= -i] = P[N < -(i - 1/2) / s], and P[J <= i - 1] is what is missing from it to 1.
  for (int i = 1;; ++i) {
    const std::uint64_t tail = scaled_tail((Real(i) - Real(0.5)) / (Real(255) * Real(sigma)));
    if (tail == 0) break;
    thresholds_.push_back(tail);
  }
  const std::vector<std::uint64_t> tails = thresholds_;
  std::reverse(thresholds_.begin(), thresholds_.end());
  for (const std::uint64_t tail : tails) thresholds_.push_back(0 - tail);
  lowest_ = -static_cast<std::int32_t>(tails.size());
  for (std::uint64_t i = 0; i < (1U << kGuideBits); ++i) {
    const auto at = std::upper_bound(thresholds_.begin(), thresholds_.end(), i << (64 - kGuideBits));
    guide_.push_back(static_cast<std::int32_t>(at - thresholds_.begin()));
  }
}

std::int32_t DiscreteGaussian::level(std::uint64_t word) const {
  auto below = static_cast<std::size_t>(guide_[word >> (64 - kGuideBits)]);
  while (below < thresholds_.size() && thresholds_[below] <= word) ++below;
  return lowest_ + static_cast<std::int32_t>(below);
}

at::Tensor DiscreteGaussian::levels(const at::Tensor& words) const {
  RESEDA_REQUIRE(words.scalar_type() == at::kLong, Errc::kInternal, "discrete Gaussian: words must be int64");
  const at::Tensor source = words.contiguous();
  at::Tensor out = at::empty(words.sizes(), at::kInt);
  const auto* from = source.data_ptr<std::int64_t>();
  auto* to = out.data_ptr<std::int32_t>();
  parallel_for(0, out.numel(), 1 << 14, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] = level(static_cast<std::uint64_t>(from[i]));
  });
  return out;
}

at::Tensor DiscreteGaussian::smoothed(const at::Tensor& image, const at::Tensor& words) const {
  RESEDA_REQUIRE(!image.is_floating_point(), Errc::kInternal, "discrete Gaussian: the image must have integer levels");
  const auto margin = static_cast<std::int64_t>(std::max(1.0, std::floor(6 * sigma_)));
  return (image.to(at::kInt) + levels(words)).clamp(-255 * margin, 255 * (margin + 1)).to(at::kFloat) / 255;
}

double DiscreteGaussian::probability(std::int64_t j) const {
  const std::int64_t at = j - lowest_, count = static_cast<std::int64_t>(thresholds_.size());
  if (at < 0 || at > count) return 0;
  const std::uint64_t below = at == 0 ? 0 : thresholds_[static_cast<std::size_t>(at - 1)];
  const std::uint64_t upto = at == count ? 0 : thresholds_[static_cast<std::size_t>(at)];  // 2^64 wraps to 0
  return std::ldexp(static_cast<double>(upto - below), -64);
}

double DiscreteGaussian::truncation_loss(std::int64_t coordinates) const {
  return std::ldexp(static_cast<double>(coordinates) * static_cast<double>(thresholds_.size() + 2), -64);
}

}  // namespace reseda::stats
