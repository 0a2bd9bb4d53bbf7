#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "modules/stats/binomial.hpp"

namespace reseda::stats {

/// Bounds of a probability that hold at every time at once, so that one may look after each vote, stop when one likes
/// and ask about any number of radii, all for one alpha. It bets on the votes with the mixture of Krichevsky and
/// Trofimov: after S successes among t votes a gambler who was told p would own
///   M_t(p) = B(S + 1/2, t - S + 1/2) / (pi p^S (1 - p)^(t - S)),   B(a, b) the beta function.
/// At the true p, M is a non-negative martingale from 1, so P[exists t: M_t(p) >= 1 / alpha] <= alpha (Ville), and
/// {p : M_t(p) < 1 / alpha} holds the true p at all times with probability 1 - alpha.
/// Source: Krichevsky & Trofimov 1981, "The performance of universal encoding"; Voracek 2024, "Treatment of Statistical
/// Estimation Problems in Randomized Smoothing for Adversarial Robustness", whose code compares with 1 / (2 alpha).
class ConfidenceSequence {
 public:
  /// @throws Error{kUsage} unless alpha is in (0, 1)
  explicit ConfidenceSequence(double alpha);

  /// Takes further votes. @throws Error{kInternal} unless 0 <= successes <= trials
  void observe(std::int64_t successes, std::int64_t trials);

  /// ln M_t(p), p in (0, 1).
  double log_wealth(double p) const;
  /// The largest lower and the smallest upper bound of all looks so far; (0, 1) before any vote.
  ProbabilityBound lower() const { return lower_; }
  ProbabilityBound upper() const { return upper_; }

  double alpha() const { return alpha_; }
  std::int64_t successes() const { return successes_; }
  std::int64_t trials() const { return trials_; }

 private:
  double alpha_;
  std::int64_t successes_ = 0, trials_ = 0;
  ProbabilityBound lower_ = {0, 1}, upper_ = {1, 0};
};

enum class Verdict { kOpen, kCertified, kOutOfReach };

/// Whether a class keeps a probability above p0 = Phi(radius / sigma), for several radii over the same votes: certified
/// once the confidence sequence says so; given up where it says the contrary, or where not even successes alone for the
/// rest of the budget could reach it. To give up spends no alpha: less is claimed.
class RadiusRace {
 public:
  /// @param budget  votes at most   @throws Error{kUsage} on a radius below 0 or a budget below 1
  RadiusRace(std::vector<double> radii, double sigma, double alpha, std::int64_t budget);

  /// @return whether a radius is still open, so that more votes may help
  bool observe(std::int64_t successes, std::int64_t trials);
  std::span<const Verdict> verdicts() const { return verdicts_; }
  const ConfidenceSequence& sequence() const { return sequence_; }

 private:
  bool hopeless(double target) const;

  std::vector<double> targets_;
  std::vector<Verdict> verdicts_;
  ConfidenceSequence sequence_;
  std::int64_t budget_;
};

}  // namespace reseda::stats
