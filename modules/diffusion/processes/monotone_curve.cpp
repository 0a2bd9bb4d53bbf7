#include "modules/diffusion/processes/monotone_curve.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "modules/core/error.hpp"

namespace reseda::diffusion {
namespace {

constexpr double kWhole = 1e-9;

/// The slope of the parabola at an inner value, limited so that the cubics on both sides stay monotone.
double inner_slope(double before, double after) {
  if (before * after <= 0) return 0;
  const double limit = std::min({std::abs(before), std::abs(after), 0.25 * std::abs(before + after)});
  return std::copysign(2 * limit, before);
}

/// The slope of the parabola at an end, limited likewise.
double end_slope(double nearest, double next) {
  const double slope = 1.5 * nearest - 0.5 * next;
  if (slope * nearest <= 0) return 0;
  return std::abs(slope) > 2 * std::abs(nearest) ? 2 * nearest : slope;
}

struct Place {
  std::size_t left;
  double share;
};

Place place(double position, std::size_t size) {
  const double last = static_cast<double>(size - 1);
  RESEDA_REQUIRE(position >= -kWhole && position <= last + kWhole, Errc::kInternal,
                 "position must be within the curve's 0 to ", last, ", got ", position);
  const double inside = std::clamp(position, 0.0, last);
  const auto left = std::min(static_cast<std::size_t>(inside), size - 2);
  return {left, inside - static_cast<double>(left)};
}

}  // namespace

MonotoneCurve::MonotoneCurve(std::vector<double> values) : values_(std::move(values)) {
  RESEDA_INVARIANT(values_.size() >= 2);
  std::vector<double> rises;
  for (std::size_t i = 1; i < values_.size(); ++i) rises.push_back(values_[i] - values_[i - 1]);
  const std::size_t last = rises.size() - 1;
  slopes_.push_back(last == 0 ? rises[0] : end_slope(rises[0], rises[1]));
  for (std::size_t i = 0; i < last; ++i) slopes_.push_back(inner_slope(rises[i], rises[i + 1]));
  slopes_.push_back(last == 0 ? rises[0] : end_slope(rises[last], rises[last - 1]));
}

double MonotoneCurve::at(double position) const {
  const auto [left, s] = place(position, values_.size());
  if (s < kWhole) return values_[left];
  if (s > 1 - kWhole) return values_[left + 1];
  const double rise = values_[left + 1] - values_[left], p = slopes_[left], q = slopes_[left + 1];
  return values_[left] + s * (p + s * (3 * rise - 2 * p - q + s * (p + q - 2 * rise)));
}

double MonotoneCurve::slope(double position) const {
  const auto [left, s] = place(position, values_.size());
  const double rise = values_[left + 1] - values_[left], p = slopes_[left], q = slopes_[left + 1];
  return p + s * (2 * (3 * rise - 2 * p - q) + s * 3 * (p + q - 2 * rise));
}

}  // namespace reseda::diffusion
