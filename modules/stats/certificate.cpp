#include "modules/stats/certificate.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "modules/core/error.hpp"
#include "modules/stats/normal.hpp"

namespace reseda::stats {
namespace {

/// Below by more than erfc_inv and the product can err.
double rounded_down(double radius) { return radius - 8 * 0x1.0p-53 * std::abs(radius); }

void require_levels(double sigma, double alpha) {
  RESEDA_REQUIRE(std::isfinite(sigma) && sigma > 0, Errc::kUsage, "smoothing.sigma must be > 0, got ", sigma);
  RESEDA_REQUIRE(alpha > 0 && alpha < 1, Errc::kUsage, "smoothing.alpha must be in (0, 1), got ", alpha);
}

/// The selected class with its votes of the estimation, not yet certified.
Certificate counted(Votes selection, Votes estimation, double alpha) {
  RESEDA_REQUIRE(selection.size() == estimation.size(), Errc::kInternal, "votes of ", selection.size(), " and of ",
                 estimation.size(), " classes");
  Certificate out;
  out.label = top_class(selection);
  out.hits = estimation[static_cast<std::size_t>(out.label)];
  out.trials = std::accumulate(estimation.begin(), estimation.end(), std::int64_t{0});
  out.probability = lower_bound(out.hits, out.trials, alpha);
  return out;
}

}  // namespace

std::int64_t top_class(Votes votes) {
  RESEDA_REQUIRE(!votes.empty(), Errc::kInternal, "votes of no class");
  return std::max_element(votes.begin(), votes.end()) - votes.begin();
}

double certified_radius(double sigma, const ProbabilityBound& probability) {
  return rounded_down(sigma * normal_quantile(probability));
}

double certified_radius(double sigma, const ProbabilityBound& lower_of_a, const ProbabilityBound& upper_of_others) {
  return rounded_down(0.5 * sigma * (normal_quantile(lower_of_a) - normal_quantile(upper_of_others)));
}

Certificate certify(Votes selection, Votes estimation, double sigma, double alpha) {
  require_levels(sigma, alpha);
  Certificate out = counted(selection, estimation, alpha);
  if (out.probability.p < 0.5)
    out.label = kAbstain;
  else
    out.radius = std::max(0.0, certified_radius(sigma, out.probability));
  return out;
}

Certificate certify_both_sides(Votes selection, Votes estimation, double sigma, double alpha) {
  require_levels(sigma, alpha);
  Certificate out = counted(selection, estimation, alpha / 2);
  std::int64_t runner_up = 0;
  for (std::size_t i = 0; i < estimation.size(); ++i)
    if (static_cast<std::int64_t>(i) != out.label) runner_up = std::max(runner_up, estimation[i]);
  double radius = out.hits > 0 ? certified_radius(sigma, out.probability) : -1;
  if (estimation.size() > 1 && out.hits > 0 && runner_up < out.trials) {
    // The bound grows with the count, so that of the runner-up is above those of all others.
    const double level = alpha / 2 / static_cast<double>(estimation.size() - 1);
    radius = std::max(radius, certified_radius(sigma, out.probability, upper_bound(runner_up, out.trials, level)));
  }
  if (radius <= 0)
    out.label = kAbstain;
  else
    out.radius = radius;
  return out;
}

std::int64_t predict(Votes votes, double alpha) {
  RESEDA_REQUIRE(alpha > 0 && alpha < 1, Errc::kUsage, "smoothing.alpha must be in (0, 1), got ", alpha);
  const std::int64_t best = top_class(votes);
  std::int64_t second = 0;
  for (std::size_t i = 0; i < votes.size(); ++i)
    if (static_cast<std::int64_t>(i) != best) second = std::max(second, votes[i]);
  return even_split_p_value(votes[static_cast<std::size_t>(best)], second) > alpha ? kAbstain : best;
}

double largest_radius(double sigma, std::int64_t trials, double alpha) {
  require_levels(sigma, alpha);
  return std::max(0.0, certified_radius(sigma, lower_bound(trials, trials, alpha)));
}

std::int64_t smallest_certified_count(std::int64_t trials, double alpha) {
  std::int64_t low = 0, high = trials + 1;  // low abstains, high does not
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (lower_bound(middle, trials, alpha).p < 0.5 ? low : high) = middle;
  }
  return high;
}

void require_reachable(double radius, double sigma, std::int64_t trials, double alpha) {
  const double reach = largest_radius(sigma, trials, alpha);
  RESEDA_REQUIRE(radius < reach || radius == 0, Errc::kUsage, "radius ", radius, " cannot be certified: ", trials,
                 " votes at sigma ", sigma, " and alpha ", alpha, " reach ", reach);
}

}  // namespace reseda::stats
