#pragma once

#include <cstdint>
#include <span>

#include "modules/stats/binomial.hpp"

/// Randomised smoothing. g(x) is the class that a classifier f gives most often under noise, argmax_c P[f(x + eps) =
/// c], eps ~ N(0, sigma^2 I); every statement here is about g and none about f.
namespace reseda::stats {

inline constexpr std::int64_t kAbstain = -1;

/// Votes per class.
using Votes = std::span<const std::int64_t>;

/// The class with most votes, the lowest on a tie. @throws Error{kInternal} without classes
std::int64_t top_class(Votes votes);

/// What is known of g at one input: with probability 1 - alpha, g is `label` on the open L2 ball of this radius.
struct Certificate {
  std::int64_t label = kAbstain;
  double radius = 0;                      ///< in the coordinates in which the noise was added
  std::int64_t hits = 0, trials = 0;      ///< estimation votes of the selected class, and all
  ProbabilityBound probability = {0, 1};  ///< lower bound of P[f(x + eps) = selected class]
};

/// r = sigma Phi^-1(p), rounded down; below 0 where p < 1/2.
/// Source: Cohen, Rosenfeld & Kolter 2019, "Certified Adversarial Robustness via Randomized Smoothing", theorem 1.
double certified_radius(double sigma, const ProbabilityBound& probability);
/// r = sigma / 2 (Phi^-1(p_A) - Phi^-1(p_B)), rounded down, with p_B an upper bound of every other class.
double certified_radius(double sigma, const ProbabilityBound& lower_of_a, const ProbabilityBound& upper_of_others);

/// CERTIFY: the class is selected from some votes, its probability bounded from others at level alpha (Clopper and
/// Pearson); where the bound is below 1/2 it abstains. With probability 1 - alpha or more the answer is right, for
/// every input and every classifier. The two sets of votes must come from independent draws.
/// @throws Error{kUsage} unless sigma > 0 and alpha is in (0, 1), Error{kInternal} unless both have the same classes
/// Source: Cohen, Rosenfeld & Kolter 2019, Sec. 3.2.2. Official: locuslab/smoothing, code/core.py, Smooth.certify.
Certificate certify(Votes selection, Votes estimation, double sigma, double alpha);

/// CERTIFY with bounds of both sides that hold at once: p_A at alpha / 2, and each of the K - 1 other classes at
/// alpha / (2 (K - 1)) (Bonferroni). The better of this radius and sigma Phi^-1(p_A) at the same alpha / 2. More than
/// certify() gives only where the winner is near 1/2 and the rest is spread.
Certificate certify_both_sides(Votes selection, Votes estimation, double sigma, double alpha);

/// PREDICT: g(x), or kAbstain where the two largest counts may well come from an even split: the exact two-sided test
/// has a p-value above alpha. Another answer than g(x) comes with probability alpha at most.
/// Source: Cohen, Rosenfeld & Kolter 2019, Sec. 3.2.1; Hung & Fithian 2019. Official: as above, Smooth.predict.
std::int64_t predict(Votes votes, double alpha);

/// The radius when all of `trials` votes agree: no certificate from so many votes is larger.
double largest_radius(double sigma, std::int64_t trials, double alpha);
/// The smallest number of hits with which certify() does not abstain; trials + 1 where none suffices.
std::int64_t smallest_certified_count(std::int64_t trials, double alpha);
/// @throws Error{kUsage} where no vote could certify the radius, naming how far so many trials reach
void require_reachable(double radius, double sigma, std::int64_t trials, double alpha);

}  // namespace reseda::stats
