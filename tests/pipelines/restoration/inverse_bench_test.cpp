#include "pipelines/restoration/inverse_bench.hpp"

#include <algorithm>

#include "tests/pipelines/restoration/restoration_fixture.hpp"

namespace reseda::restoration {
namespace {

/// A prior with random weights: enough to see that every row is made, and what each says of the measurement.
RestorationModel made_prior() {
  at::manual_seed(4);
  RestorationModelConfig config = tiny_config();
  config.conditional = false;
  config.network["condition_channels"] = ConfigNode("0");
  config.process = node_of({{"name", "ddpm"}, {"steps", "100"}});
  config.target = "eps";
  return RestorationModel(config);
}

at::Tensor made_image() {
  const std::vector<std::uint8_t> bytes = made_frame(16, 16, 1);
  const std::vector<std::int64_t> values(bytes.begin(), bytes.end());
  return at::tensor(values).reshape({1, 16, 16}).to(at::kFloat) / 127.5 - 1.0;
}

TEST(InverseBenchTest, EveryLinearOperatorHasAFirstGuessThatFitsItsMeasurement) {
  InverseBenchConfig config;
  config.steps = 2;
  config.solvers = {"ddnm"};
  const auto scores = bench_inverse(made_prior(), made_image(), config, {});
  const auto has = [&](const char* op) {
    return std::any_of(scores.begin(), scores.end(), [&](const InverseScore& s) { return s.operation == op; });
  };
  for (const char* linear : {"identity", "inpaint", "super_resolution", "blur", "composition", "compressed_sensing"})
    EXPECT_TRUE(has(linear)) << linear;
  EXPECT_FALSE(has("hdr"));
  for (const InverseScore& score : scores) {
    if (score.operation == "identity" && score.solver == "first guess") {
      EXPECT_NEAR(score.residual, 0.0, 1e-5);  // H^+ y is y
      EXPECT_NEAR(score.psnr, 32.0, 1.5);      // noise of a fortieth of the range
      EXPECT_EQ(score.estimate.sizes(), at::IntArrayRef({1, 16, 16}));
    }
    if (score.operation == "colourise") {
      EXPECT_NE(score.problem, "");  // one channel
    }
  }
}

TEST(InverseBenchTest, RefusesUnknownNamesAndStops) {
  const RestorationModel prior = made_prior();
  expect_error(Errc::kUsage, "unknown solver 'ddn'",
               [&] { bench_inverse(prior, made_image(), {.solvers = {"ddn"}}, {}); });
  expect_error(Errc::kUsage, "unknown operator 'x'",
               [&] { bench_inverse(prior, made_image(), {.operators = {"x"}}, {}); });
  expect_error(Errc::kInterrupted, "stopped", [&] {
    bench_inverse(prior, made_image(), {.steps = 1, .operators = {"identity"}, .solvers = {"ddnm"}},
                  [](const Progress&) { return false; });
  });
}

TEST(InverseBenchTest, SamplesOfThePosteriorHaveMeanDeviationAndCoverage) {
  InverseBenchConfig config{.steps = 3, .operators = {"inpaint"}, .solvers = {"ddrm"}};
  const RestorationModel prior = made_prior();
  const PosteriorReport report = bench_posterior(prior, made_image(), config, 4);
  EXPECT_EQ(report.mean.sizes(), at::IntArrayRef({1, 16, 16}));
  EXPECT_GT(report.deviation.max().item<float>(), 0.0F);
  EXPECT_EQ(report.calibration.nominal.size(), 2U);
  EXPECT_EQ(calibration_csv(report.calibration).substr(0, 17), "nominal,observed\n");
  EXPECT_NE(calibration_plot(report.calibration, "t").find("<svg"), std::string::npos);
  expect_error(Errc::kUsage, "at least 2", [&] { bench_posterior(prior, made_image(), config, 1); });
  config.solvers = {"ddrm", "ddnm"};
  expect_error(Errc::kUsage, "need one solver", [&] { bench_posterior(prior, made_image(), config, 4); });
}

TEST(InverseBenchTest, WritesProblemsInsteadOfNumbers) {
  EXPECT_EQ(
      inverse_csv({{"blur", "ddnm", 30, 0.5, 1, 0.25}, {.operation = "mri", .solver = "ddrm", .problem = "no, not"}}),
      "operator,solver,psnr_db,ssim,residual_in_sigma,seconds,problem\n"
      "blur,ddnm,30.000,0.5000,1.000,0.25,\n"
      "mri,ddrm,,,,,\"no, not\"\n");
}

}  // namespace
}  // namespace reseda::restoration
