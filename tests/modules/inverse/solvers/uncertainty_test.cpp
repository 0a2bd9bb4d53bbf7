#include "modules/inverse/uncertainty.hpp"

#include <cmath>

#include "tests/modules/inverse/solvers/small_problem.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

using tests::expect_error;

class Posterior : public testing::Test {
 protected:
  at::Tensor samples(std::int64_t count, std::int64_t batch) {
    diffusion::SampleContext sample{.noise = noise_, .item = "scan", .on_step = {}, .trace = {}};
    SolveContext context{.sample = sample, .sigma_y = 0.1, .on_step = {}};
    const auto solver = make_solver(component("ddrm", {{"steps", "5"}}));
    return posterior_samples(*solver, count, batch, y_, {}, *op_, *process_, oracle_, context);
  }
  CounterNoise noise_{4};
  std::unique_ptr<diffusion::Process> process_ = table_process();
  std::unique_ptr<ForwardOperator> op_ = make_operator(component("identity"), {1, 2, 2});
  at::Tensor y_ = at::full({1, 1, 2, 2}, 0.5, at::kDouble);
  diffusion::GaussianOracle oracle_{at::zeros({1}, at::kDouble), 0.5, *process_};
};

TEST_F(Posterior, SamplesDoNotDependOnTheirBatches) {
  const at::Tensor all = samples(5, 5);
  EXPECT_EQ(all.sizes(), (at::IntArrayRef{5, 1, 2, 2}));
  EXPECT_TRUE(at::equal(samples(5, 2), all));
  EXPECT_TRUE(at::equal(samples(3, 1), all.narrow(0, 0, 3)));
  EXPECT_GT(largest(all[0] - all[1]), 1e-3);
}

TEST_F(Posterior, MomentsAreThoseOfTheSamples) {
  const at::Tensor x = at::tensor({1.0, 2.0, 6.0, 0.0, 0.0, 3.0}, at::kDouble).reshape({3, 2});
  const PosteriorMoments found = posterior_moments(x);
  EXPECT_TRUE(at::allclose(found.mean, at::tensor({7.0 / 3, 5.0 / 3}, at::kDouble)));
  EXPECT_TRUE(at::allclose(found.deviation, at::tensor({std::sqrt(31.0 / 3), std::sqrt(7.0 / 3)}, at::kDouble)));
}

TEST_F(Posterior, RefusesWhatSaysNothing) {
  expect_error(Errc::kUsage, "count and batch must be >= 1, got 0", [&] { samples(0, 1); });
  expect_error(Errc::kUsage, "at least 2 samples, got 1", [] { posterior_moments(at::ones({1, 2})); });
  expect_error(Errc::kUsage, "not of the truth's shape", [] { calibration(at::ones({3, 2}), at::ones({3})); });
  y_ = at::ones({2, 1, 2, 2}, at::kDouble);
  expect_error(Errc::kUsage, "one measurement, got a batch of 2", [&] { samples(2, 1); });
}

TEST(Calibration, CountsTheTruthWithinEachInterval) {
  // Samples 1 .. 4: the intervals [1, 4] and [2, 3] should hold 3/5 and 1/5.
  const at::Tensor samples = at::tensor({3.0, 1.0, 4.0, 2.0}, at::kDouble).reshape({4, 1}).expand({4, 4});
  const Calibration found = calibration(samples, at::tensor({0.0, 1.5, 2.5, 3.5}, at::kDouble));
  EXPECT_EQ(found.nominal, (std::vector<double>{0.6, 0.19999999999999996}));
  EXPECT_EQ(found.observed, (std::vector<double>{0.75, 0.25}));
  EXPECT_NEAR(found.error(), 0.1, 1e-12);
}

TEST(Calibration, IsRightForSamplesOfTheTruthsLawAndSeesOverconfidence) {
  CounterNoise noise(6);
  const auto draw = [&](const char* name, at::IntArrayRef shape) { return noise.normal({"data", name}, shape); };
  // Skewed: squares of normal values.
  const at::Tensor samples = draw("samples", {19, 20000}).square(), truth = draw("truth", {20000}).square();
  EXPECT_LT(calibration(samples, truth).error(), 0.01);
  const at::Tensor mean = samples.mean(0);
  const Calibration narrow = calibration(mean + 0.5 * (samples - mean), truth);
  for (std::size_t i = 0; i < narrow.nominal.size(); ++i) EXPECT_LT(narrow.observed[i], narrow.nominal[i] + 0.02);
  EXPECT_GT(narrow.error(), 0.1);
}

}  // namespace
}  // namespace reseda::inverse
