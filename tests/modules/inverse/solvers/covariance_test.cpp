// DDRM and DPS on a linear-Gaussian problem: all they do is affine there, so that the law of their samples is known.
#include <cmath>

#include "modules/inverse/solvers/solver_times.hpp"
#include "tests/modules/inverse/solvers/small_problem.hpp"

namespace reseda::inverse {
namespace {

using diffusion::GaussianOracle;

constexpr std::int64_t kSamples = 20000;
constexpr double kD = 0.6;
/// Of the Monte-Carlo error that is allowed, in standard deviations.
constexpr double kSigmas = 4.5;

/// Mean and variance of one coefficient of x, moved by x <- p x + q + s z.
struct Law {
  double mean, variance;
  void move(double p, double q, double s) {
    mean = p * mean + q;
    variance = p * p * variance + s * s;
  }
};

class SampleLaw : public testing::Test {
 protected:
  /// x [N,n] of independent samples: mean and covariance as the laws of the coefficients say, uncorrelated.
  static void expect_laws(const at::Tensor& x, const std::vector<Law>& laws) {
    const at::Tensor mean = x.mean(0), covariance = at::cov(x.t());
    const double n = static_cast<double>(x.size(0));
    for (std::size_t i = 0; i < laws.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      EXPECT_NEAR(mean[row].item<double>(), laws[i].mean, kSigmas * std::sqrt(laws[i].variance / n) + 1e-9) << i;
      for (std::size_t j = 0; j < laws.size(); ++j) {
        const double expected = i == j ? laws[i].variance : 0.0;
        const double error = std::sqrt(laws[i].variance * laws[j].variance * (i == j ? 2.0 : 1.0) / n);
        EXPECT_NEAR(covariance[row][static_cast<std::int64_t>(j)].item<double>(), expected, kSigmas * error + 1e-12)
            << i << ", " << j;
      }
    }
  }

  /// Coefficients [N,4] of samples for one measurement.
  at::Tensor samples(const ConfigNode& config, double sigma_y) {
    CounterNoise noise(3);
    return form().vt(
        solve(config, y_.expand({kSamples, -1, -1, -1}), *op_, *process_, oracle_, noise, {.sigma_y = sigma_y}));
  }
  const SpectralForm& form() const { return *op_->spectral(); }
  double measured() const { return form().ut(y_)[0][0].item<double>(); }
  double mean_of(std::int64_t i) const { return form().vt(mu_)[0][i].item<double>(); }

  std::unique_ptr<diffusion::Process> process_ = table_process();
  std::unique_ptr<ForwardOperator> op_ = make_operator(component("super_resolution", {{"factor", "2"}}), {1, 2, 2});
  at::Tensor mu_ = at::tensor({0.3, -0.2, 0.5, 0.1}, at::kDouble).reshape({1, 1, 2, 2});
  at::Tensor y_ = at::full({1, 1, 1, 1}, 0.8, at::kDouble);
  GaussianOracle oracle_{mu_, kD, *process_};
};

/// The estimate of x0 of one coefficient from x / a at ratio r: mu + k (x / a - mu).
double keep(double r) { return kD * kD / (kD * kD + r * r); }

Law ddrm_law(const std::vector<SolverTime>& times, double s, double y, double mu, double sigma_y, double eta,
             double eta_b) {
  const double r0 = times.front().ratio();
  Law law = s * r0 > sigma_y ? Law{y / s, r0 * r0 - std::pow(sigma_y / s, 2.0)} : Law{0.0, r0 * r0};
  for (std::size_t i = 0; i < times.size(); ++i) {
    const double r = times[i].ratio(), k = keep(r), to = i + 1 < times.size() ? times[i + 1].ratio() : 0.0;
    const double kept = std::sqrt(1 - eta * eta) * to;
    // x0 = k x + (1 - k) mu, eps = (x - x0) / r.
    if (s > 0 && s * to < sigma_y) {
      const double share = 1 - kept * s / sigma_y;
      law.move(share * k, share * (1 - k) * mu + kept * y / sigma_y, eta * to);
    } else if (s * to > sigma_y) {
      law.move((1 - eta_b) * k, (1 - eta_b) * (1 - k) * mu + eta_b * y / s,
               std::sqrt(to * to - std::pow(eta_b * sigma_y / s, 2.0)));
    } else {
      law.move(k + kept * (1 - k) / r, (1 - k) * mu - kept * (1 - k) * mu / r, eta * to);
    }
  }
  return law;
}

TEST_F(SampleLaw, OfDdrmIsThatOfItsEquations) {
  for (const double sigma_y : {0.0, 0.1, 0.8})
    for (const double eta_b : {1.0, 0.6}) {
      const ConfigNode config = component("ddrm", {{"steps", "10"}, {"eta", "0.85"}, {"eta_b", number_text(eta_b)}});
      const std::vector<SolverTime> times = solver_times({.steps = 10}, *process_);
      std::vector<Law> laws;
      for (std::int64_t i = 0; i < 4; ++i)
        laws.push_back(ddrm_law(times, i == 0 ? 0.5 : 0.0, measured(), mean_of(i), sigma_y, 0.85, eta_b));
      SCOPED_TRACE(testing::Message() << "sigma_y " << sigma_y << ", eta_b " << eta_b);
      expect_laws(samples(config, sigma_y), laws);
    }
}

/// Without noise the measured coefficient is y / s, and with eta = 0 the others follow the prior: the exact posterior,
/// but for the steps, which many make small. eta is a share of all the noise, not of a step's: with many steps the
/// prior's part of the samples is then too narrow.
TEST_F(SampleLaw, OfDdrmIsThePosteriorWithoutNoiseInYAndInTheSteps) {
  process_ = table_process(1000);
  const std::vector<SolverTime> times = solver_times({.steps = 500}, *process_);
  const Law known = ddrm_law(times, 0.5, measured(), mean_of(0), 0.0, 0.0, 1.0);
  EXPECT_NEAR(known.mean, measured() / 0.5, 1e-3);
  EXPECT_LT(known.variance, 2e-4);
  const Law unknown = ddrm_law(times, 0.0, 0.0, mean_of(1), 0.0, 0.0, 1.0);
  EXPECT_NEAR(unknown.mean, mean_of(1), 1e-2);
  EXPECT_NEAR(unknown.variance, kD * kD, 0.02 * kD * kD);
  EXPECT_LT(ddrm_law(times, 0.0, 0.0, mean_of(1), 0.0, 0.85, 1.0).variance, 0.8 * kD * kD);
}

TEST_F(SampleLaw, OfDpsIsThatOfItsEquations) {
  const ConfigNode config = component("dps", {{"steps", "10"}, {"eta", "0.7"}, {"step", "weighted"}, {"clip", "0"}});
  const std::vector<SolverTime> times = solver_times({.steps = 10}, *process_);
  std::vector<Law> laws;
  for (std::int64_t i = 0; i < 4; ++i) {
    const double s = i == 0 ? 0.5 : 0.0, mu = mean_of(i);
    Law law{0.0, 1.0};
    for (std::size_t j = 0; j < times.size(); ++j) {
      const SolverTime from = times[j], to = j + 1 < times.size() ? times[j + 1] : kClean;
      const double v = from.a * from.a * kD * kD + from.c * from.c, k = from.a * kD * kD / v;
      const JumpWeights w = jump_weights(from, to, 0.7);
      // x0 = mu + k (x - a mu), eps = c / v (x - a mu); the step 2 a a' k s (y - s x0).
      const double pull = 2 * from.a * to.a * k * s, share = to.a - pull * s, slope = share * k + w.eps * from.c / v;
      law.move(slope, share * mu + pull * measured() - slope * from.a * mu, w.noise);
    }
    laws.push_back(law);
  }
  expect_laws(samples(config, 0.0), laws);
}

TEST_F(SampleLaw, OfDdrmWithoutNoiseOnTheIdentityIsTheMeasurement) {
  process_ = table_process(1000);
  op_ = make_operator(component("identity"), {1, 2, 2});
  y_ = at::tensor({0.9, -0.4, 0.2, 0.0}, at::kDouble).reshape({1, 1, 2, 2});
  const GaussianOracle oracle(mu_, kD, *process_);
  CounterNoise noise(3);
  const at::Tensor found = solve(component("ddrm", {{"steps", "100"}}), y_, *op_, *process_, oracle, noise);
  // The last state has noise of c = 0.01, most of which the last estimate takes away.
  EXPECT_LT(largest(found - y_), 0.04);
}

}  // namespace
}  // namespace reseda::inverse
