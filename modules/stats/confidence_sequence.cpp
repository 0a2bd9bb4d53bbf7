#include "modules/stats/confidence_sequence.hpp"

#include <algorithm>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <numbers>

#include "modules/core/error.hpp"
#include "modules/stats/normal.hpp"

namespace reseda::stats {
namespace {

/// Above what ln M can err, so that rounding never certifies.
constexpr double kLogSlack = 1e-9;

/// ln M without the part that depends on p.
double log_mixture(std::int64_t successes, std::int64_t failures) {
  const auto s = static_cast<long double>(successes), f = static_cast<long double>(failures);
  using boost::math::lgamma;
  return static_cast<double>(lgamma(s + 0.5L) + lgamma(f + 0.5L) - lgamma(s + f + 1) -
                             std::log(std::numbers::pi_v<long double>));
}

double times_log(std::int64_t count, double log_value) {
  return count == 0 ? 0.0 : static_cast<double>(count) * log_value;
}

double log_wealth_at(double q, std::int64_t successes, std::int64_t failures, double mixture) {
  return mixture - times_log(successes, std::log1p(-q)) - times_log(failures, std::log(q));
}

/// The lower bound of p after these votes: the smallest q > failures / t with M(1 - q) >= 1 / alpha, from above.
ProbabilityBound lower_limit(std::int64_t successes, std::int64_t failures, double alpha) {
  if (successes == 0) return {0, 1};
  const double mixture = log_mixture(successes, failures), threshold = -std::log(alpha) + kLogSlack;
  double inside = static_cast<double>(failures) / static_cast<double>(successes + failures), outside = 1;
  while (true) {
    const double q = inside + (outside - inside) / 2;
    if (q <= inside || q >= outside) return {1 - outside, outside};
    (log_wealth_at(q, successes, failures, mixture) >= threshold ? outside : inside) = q;
  }
}

}  // namespace

ConfidenceSequence::ConfidenceSequence(double alpha) : alpha_(alpha) {
  RESEDA_REQUIRE(alpha > 0 && alpha < 1, Errc::kUsage, "smoothing.alpha must be in (0, 1), got ", alpha);
}

void ConfidenceSequence::observe(std::int64_t successes, std::int64_t trials) {
  RESEDA_REQUIRE(successes >= 0 && successes <= trials, Errc::kInternal, successes, " successes in ", trials, " votes");
  successes_ += successes;
  trials_ += trials;
  if (trials_ == 0) return;
  const ProbabilityBound low = lower_limit(successes_, trials_ - successes_, alpha_);
  const ProbabilityBound misses = lower_limit(trials_ - successes_, successes_, alpha_);
  if (low.q < lower_.q) lower_ = low;
  if (misses.q < upper_.p) upper_ = {misses.q, misses.p};
}

double ConfidenceSequence::log_wealth(double p) const {
  return log_wealth_at(1 - p, successes_, trials_ - successes_, log_mixture(successes_, trials_ - successes_));
}

RadiusRace::RadiusRace(std::vector<double> radii, double sigma, double alpha, std::int64_t budget)
    : verdicts_(radii.size(), Verdict::kOpen), sequence_(alpha), budget_(budget) {
  RESEDA_REQUIRE(std::isfinite(sigma) && sigma > 0, Errc::kUsage, "smoothing.sigma must be > 0, got ", sigma);
  RESEDA_REQUIRE(budget >= 1, Errc::kUsage, "smoothing.n must be >= 1, got ", budget);
  for (const double radius : radii) {
    RESEDA_REQUIRE(std::isfinite(radius) && radius >= 0, Errc::kUsage, "a radius must be >= 0, got ", radius);
    // The probability that is not reached, rounded down.
    targets_.push_back(normal_cdf(-radius / sigma) * (1 - 0x1.0p-50));
  }
}

bool RadiusRace::hopeless(double target) const {
  const std::int64_t failures = sequence_.trials() - sequence_.successes();
  const std::int64_t most = std::max(budget_, sequence_.trials()) - failures;
  return lower_limit(most, failures, sequence_.alpha()).q > target;
}

bool RadiusRace::observe(std::int64_t successes, std::int64_t trials) {
  sequence_.observe(successes, trials);
  bool open = false;
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    if (verdicts_[i] != Verdict::kOpen) continue;
    if (sequence_.lower().q <= targets_[i])
      verdicts_[i] = Verdict::kCertified;
    else if (sequence_.upper().q > targets_[i] || hopeless(targets_[i]))
      verdicts_[i] = Verdict::kOutOfReach;
    else
      open = true;
  }
  return open;
}

}  // namespace reseda::stats
