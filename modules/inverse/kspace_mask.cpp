#include "modules/inverse/kspace_mask.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

using Lines = std::vector<float>;

std::int64_t whole(double value) { return static_cast<std::int64_t>(value); }
/// Python's round(): halves to the even neighbour.
std::int64_t rounded(double value) { return static_cast<std::int64_t>(std::nearbyint(value)); }

/// What every mask is made from.
struct Plan {
  const KspaceMaskConfig& config;
  std::int64_t height, width;
  NumpyRandom& random;
  double lines() const { return static_cast<double>(width); }
  std::int64_t middle_rounded() const { return rounded(lines() * config.center_fraction); }
  std::int64_t middle_truncated() const { return whole(lines() * config.center_fraction); }
};

void take(Lines& mask, std::int64_t first, std::int64_t count) {
  const std::int64_t size = static_cast<std::int64_t>(mask.size());
  for (std::int64_t i = std::max<std::int64_t>(first, 0); i < std::min(first + count, size); ++i) mask[i] = 1;
}

void take_fastmri_middle(Lines& mask, const Plan& plan) {
  const std::int64_t count = plan.middle_rounded();
  take(mask, (plan.width - count + 1) / 2, count);
}

void take_score_middle(Lines& mask, const Plan& plan) {
  const std::int64_t count = plan.middle_truncated();
  take(mask, plan.width / 2 - count / 2, count);
}

/// Lines left to the random part. @throws Error{kUsage} if there are none
double lines_left(const Plan& plan) {
  const double left = plan.lines() / plan.config.acceleration - static_cast<double>(plan.middle_rounded());
  RESEDA_REQUIRE(left > 0, Errc::kUsage, "mask: the middle, center_fraction = ", plan.config.center_fraction, " of ",
                 plan.width, " lines, leaves nothing to sample at acceleration ", plan.config.acceleration);
  return left;
}

Lines random_lines(const Plan& plan) {
  Lines mask(plan.width, 0);
  const double share = lines_left(plan) / (plan.lines() - static_cast<double>(plan.middle_rounded()));
  for (float& line : mask) line = plan.random.uniform() < share ? 1.0F : 0.0F;
  take_fastmri_middle(mask, plan);
  return mask;
}

Lines equispaced(const Plan& plan) {
  Lines mask(plan.width, 0);
  const std::int64_t step = rounded(plan.config.acceleration);
  for (std::int64_t i = plan.random.below(step); i < plan.width; i += step) mask[i] = 1;
  take_fastmri_middle(mask, plan);
  return mask;
}

Lines equispaced_fraction(const Plan& plan) {
  Lines mask(plan.width, 0);
  lines_left(plan);
  const double middle = static_cast<double>(plan.middle_rounded()), factor = plan.config.acceleration;
  const double step = factor * (middle - plan.lines()) / (middle * factor - plan.lines());
  const double offset = static_cast<double>(plan.random.below(std::max<std::int64_t>(rounded(step), 1)));
  const std::int64_t count = whole(std::ceil((plan.lines() - 1 - offset) / step));
  for (std::int64_t i = 0; i < count; ++i)
    mask[std::min(rounded(offset + static_cast<double>(i) * step), plan.width - 1)] = 1;
  take_fastmri_middle(mask, plan);
  return mask;
}

Lines magic(const Plan& plan) {
  const std::int64_t step = rounded(plan.config.acceleration), offset = plan.random.below(step);
  const bool even = offset % 2 == 0;
  const std::int64_t positive = even ? offset + 1 : offset + 2, negative = even ? offset + 2 : offset - 1;
  const std::int64_t half = (plan.width + 1) / 2, rest = plan.width - half;
  Lines corner(plan.width, 0), mask(plan.width, 0);
  for (std::int64_t i = positive; i < half; i += step) corner[i] = 1;
  for (std::int64_t i = negative; i < rest; i += step) corner[plan.width - 1 - i] = 1;
  for (std::int64_t i = 0; i < plan.width; ++i) mask[(i + plan.width / 2) % plan.width] = corner[i];
  take_fastmri_middle(mask, plan);
  return mask;
}

std::int64_t normal_index(NumpyRandom& random, double deviation, std::int64_t size) {
  const std::int64_t drawn = whole(static_cast<double>(size / 2) + deviation * random.normal());
  return std::clamp<std::int64_t>(drawn, 0, size - 1);
}

Lines gaussian_lines(const Plan& plan) {
  Lines mask(plan.width, 0);
  const double wanted = std::floor(plan.lines() / plan.config.acceleration);
  const double deviation = plan.lines() * (15.0 / 128);
  for (std::int64_t i = whole(wanted * 1.2); i > 0; --i) mask[normal_index(plan.random, deviation, plan.width)] = 1;
  take_score_middle(mask, plan);
  return mask;
}

Lines uniform_lines(const Plan& plan) {
  Lines mask(plan.width, 0);
  const std::int64_t wanted = whole(std::floor(plan.lines() / plan.config.acceleration)) - plan.middle_truncated();
  for (std::int64_t i = 0; i < wanted; ++i) mask[plan.random.below(plan.width)] = 1;
  take_score_middle(mask, plan);
  return mask;
}

Lines full_lines(const Plan& plan) { return Lines(plan.width, 1); }

at::Tensor points(const Plan& plan, bool gaussian) {
  at::Tensor mask = at::zeros({plan.height, plan.width}, at::kFloat);
  float* values = mask.mutable_data_ptr<float>();
  const double height = static_cast<double>(plan.height), width = static_cast<double>(plan.width);
  const std::int64_t wanted = whole(std::floor(height * width / plan.config.acceleration));
  const double down = std::sqrt(height * (height * (1.5 / 128))), across = std::sqrt(width * (width * (1.5 / 128)));
  for (std::int64_t i = 0; i < wanted; ++i) {
    if (gaussian) {
      const std::int64_t row = normal_index(plan.random, down, plan.height);
      values[row * plan.width + normal_index(plan.random, across, plan.width)] = 1;
    } else {
      values[plan.random.below(plan.height * plan.width)] = 1;
    }
  }
  return mask;
}

struct LineType {
  std::string_view name;
  Lines (*make)(const Plan&);
};
constexpr std::array kLineTypes = {LineType{"random", random_lines},
                                   LineType{"equispaced", equispaced},
                                   LineType{"equispaced_fraction", equispaced_fraction},
                                   LineType{"magic", magic},
                                   LineType{"gaussian1d", gaussian_lines},
                                   LineType{"uniform1d", uniform_lines},
                                   LineType{"full", full_lines}};
constexpr std::string_view kGaussianPoints = "gaussian2d", kUniformPoints = "uniformrandom2d";

}  // namespace

void KspaceMaskConfig::validate() const {
  bool known = type == kGaussianPoints || type == kUniformPoints;
  std::string all;
  for (const LineType& each : kLineTypes) {
    known = known || type == each.name;
    all += std::string(each.name) + ", ";
  }
  RESEDA_REQUIRE(known, Errc::kUsage, "mask.type must be one of ", all, kGaussianPoints, ", ", kUniformPoints,
                 ", got '", type, "'");
  RESEDA_REQUIRE(std::isfinite(acceleration) && acceleration >= 1, Errc::kUsage, "mask.acceleration must be >= 1, got ",
                 acceleration);
  RESEDA_REQUIRE(center_fraction >= 0 && center_fraction <= 1, Errc::kUsage,
                 "mask.center_fraction must be in [0, 1], got ", center_fraction);
  RESEDA_REQUIRE(seed >= 0 && seed <= 0xFFFFFFFFLL, Errc::kUsage, "mask.seed must be in 0 .. 4294967295, got ", seed);
}

at::Tensor kspace_mask(const KspaceMaskConfig& config, std::int64_t height, std::int64_t width, NumpyRandom& random) {
  config.validate();
  RESEDA_REQUIRE(height >= 1 && width >= 1, Errc::kUsage, "a mask needs height and width >= 1, got ", height, " x ",
                 width);
  const Plan plan{config, height, width, random};
  if (config.type == kGaussianPoints || config.type == kUniformPoints)
    return points(plan, config.type == kGaussianPoints);
  const auto* chosen = std::find_if(kLineTypes.begin(), kLineTypes.end(),
                                    [&](const LineType& each) { return each.name == config.type; });
  return at::tensor(chosen->make(plan), at::kFloat).unsqueeze(0).repeat({height, 1});
}

at::Tensor kspace_mask(const KspaceMaskConfig& config, std::int64_t height, std::int64_t width) {
  config.validate();
  NumpyRandom random(static_cast<std::uint32_t>(config.seed));
  return kspace_mask(config, height, width, random);
}

}  // namespace reseda::inverse
