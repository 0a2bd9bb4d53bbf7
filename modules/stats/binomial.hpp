#pragma once

#include <cstdint>

namespace reseda::stats {

/// A bound on a probability with its complement q = 1 - p. Both have full relative accuracy: near p = 1, where
/// certificates live, 1 - p would lose all its digits.
struct ProbabilityBound {
  double p, q;
};

/// The one-sided lower bound of Clopper and Pearson, the p that solves P[Bin(n, p) >= k] = alpha; 0 for k = 0. Whatever
/// the true probability is, the bound exceeds it with probability alpha at most.
/// It is rounded towards 0 (q: upwards), by 1e-14 of the smaller of the two, and the tail is evaluated there once more:
/// the quantile is never trusted.
/// @param successes  k, 0 .. n   @param trials  n >= 1   @param alpha  in (0, 1)
/// @throws Error{kUsage} outside these ranges
/// Source: Clopper & Pearson 1934, "The use of confidence or fiducial limits illustrated in the case of the binomial".
ProbabilityBound lower_bound(std::int64_t successes, std::int64_t trials, double alpha);
/// The one-sided upper bound, P[Bin(n, p) <= k] = alpha, rounded away from 0; 1 for k = n.
ProbabilityBound upper_bound(std::int64_t successes, std::int64_t trials, double alpha);

/// P[Bin(n, p) >= k], k = 0 .. n + 1.
double binomial_upper_tail(std::int64_t k, std::int64_t n, double p);

/// Two-sided exact test of an even split: min(1, 2 P[Bin(a + b, 1/2) >= max(a, b)]); 1 where nothing was counted.
double even_split_p_value(std::int64_t a, std::int64_t b);

}  // namespace reseda::stats
