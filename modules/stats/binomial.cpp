#include "modules/stats/binomial.hpp"

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::stats {
namespace {

constexpr long double kSlack = 1e-14L;

using Tail = long double (*)(long double a, long double b, long double x);

/// I_x(a, b), rising in x.
long double tail_of_hits(long double a, long double b, long double x) { return boost::math::ibeta(a, b, x); }
/// 1 - I_x(a, b), falling in x.
long double tail_of_misses(long double a, long double b, long double x) { return boost::math::ibetac(a, b, x); }

/// Moves x away from the quantile until the tail there is alpha at most, whatever the quantile routine said.
long double verified(Tail tail, long double a, long double b, long double x, double alpha, int direction) {
  for (long double slack = kSlack; slack < 1; slack *= 2) {
    const long double moved = x * (1 + static_cast<long double>(direction) * slack);
    if (moved >= 1) break;
    if (tail(a, b, moved) <= alpha) return moved;
  }
  return direction > 0 ? 1 : 0;
}

}  // namespace

ProbabilityBound lower_bound(std::int64_t successes, std::int64_t trials, double alpha) {
  RESEDA_REQUIRE(trials >= 1 && successes >= 0 && successes <= trials, Errc::kUsage,
                 "binomial bound: there must be 1 trial or more and 0 to as many successes, got ", successes, " of ",
                 trials);
  RESEDA_REQUIRE(alpha > 0 && alpha < 1, Errc::kUsage, "binomial bound: alpha must be in (0, 1), got ", alpha);
  if (successes == 0) return {0, 1};
  const auto hits = static_cast<long double>(successes), misses = static_cast<long double>(trials - successes);
  long double q = 0;
  const long double p = boost::math::ibeta_inv(hits, misses + 1, static_cast<long double>(alpha), &q);
  // The smaller of p and q is what is moved, so that both stay accurate.
  if (q < p) {
    q = verified(tail_of_misses, misses + 1, hits, q, alpha, +1);
    return {std::nextafter(static_cast<double>(1 - q), 0.0), std::nextafter(static_cast<double>(q), 2.0)};
  }
  const long double below = verified(tail_of_hits, hits, misses + 1, p, alpha, -1);
  return {std::nextafter(static_cast<double>(below), 0.0), std::nextafter(static_cast<double>(1 - below), 2.0)};
}

ProbabilityBound upper_bound(std::int64_t successes, std::int64_t trials, double alpha) {
  const ProbabilityBound misses = lower_bound(trials - successes, trials, alpha);
  return {std::min(misses.q, 1.0), misses.p};
}

double binomial_upper_tail(std::int64_t k, std::int64_t n, double p) {
  RESEDA_REQUIRE(n >= 0 && k >= 0 && k <= n + 1 && p >= 0 && p <= 1, Errc::kInternal, "binomial tail of ", k, " of ", n,
                 " at ", p);
  if (k == 0) return 1;
  if (k > n) return 0;
  return static_cast<double>(boost::math::ibeta(static_cast<long double>(k), static_cast<long double>(n - k + 1),
                                                static_cast<long double>(p)));
}

double even_split_p_value(std::int64_t a, std::int64_t b) {
  return a + b == 0 ? 1.0 : std::min(1.0, 2 * binomial_upper_tail(std::max(a, b), a + b, 0.5));
}

}  // namespace reseda::stats
