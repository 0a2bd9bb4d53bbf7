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

at::Tensor made_image(std::uint64_t kind = 1) {
  const std::vector<std::uint8_t> bytes = made_frame(16, 16, kind);
  const std::vector<std::int64_t> values(bytes.begin(), bytes.end());
  return at::tensor(values).reshape({1, 16, 16}).to(at::kFloat) / 127.5 - 1.0;
}

TEST(InverseBenchTest, EveryLinearOperatorHasAFirstGuessThatFitsItsMeasurement) {
  InverseBenchConfig config;
  config.steps = 2;
  config.solvers = {"ddnm"};
  const auto scores = bench_inverse(made_prior(), {made_image()}, config, {});
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
               [&] { bench_inverse(prior, {made_image()}, {.solvers = {"ddn"}}, {}); });
  expect_error(Errc::kUsage, "unknown operator 'x'",
               [&] { bench_inverse(prior, {made_image()}, {.operators = {"x"}}, {}); });
  expect_error(Errc::kInterrupted, "stopped", [&] {
    bench_inverse(prior, {made_image()}, {.steps = 1, .operators = {"identity"}, .solvers = {"ddnm"}},
                  [](const Progress&) { return false; });
  });
}

TEST(InverseBenchTest, AveragesOverImages) {
  const RestorationModel prior = made_prior();
  const InverseBenchConfig config{.steps = 2, .operators = {"inpaint"}, .solvers = {"ddnm"}, .seed = 5};
  const auto both = bench_inverse(prior, {made_image(1), made_image(2)}, config, {});
  InverseBenchConfig later = config;
  later.seed = 6;  // the draws of the second image
  const auto first = bench_inverse(prior, {made_image(1)}, config, {});
  const auto second = bench_inverse(prior, {made_image(2)}, later, {});
  ASSERT_EQ(both.size(), 2U);
  for (std::size_t i = 0; i < both.size(); ++i) {
    EXPECT_NE(first[i].psnr, second[i].psnr);
    EXPECT_NEAR(both[i].psnr, 0.5 * (first[i].psnr + second[i].psnr), 1e-9);
    EXPECT_NEAR(both[i].psnr_half_width, 0.98 * std::abs(first[i].psnr - second[i].psnr), 1e-9);
    EXPECT_NEAR(both[i].ssim, 0.5 * (first[i].ssim + second[i].ssim), 1e-9);
    EXPECT_NEAR(both[i].residual, 0.5 * (first[i].residual + second[i].residual), 1e-9);
    EXPECT_TRUE(both[i].estimate.equal(first[i].estimate));
  }
}

TEST(InverseBenchTest, TakesOptionsOfASolver) {
  const RestorationModel prior = made_prior();
  const auto rows = bench_inverse(
      prior, {made_image()},
      {.steps = 2, .operators = {"inpaint"}, .solvers = {"ddnm", "ddnm:steps=2", "ddnm:steps=3,eta=0.5"}}, {});
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[3].solver, "ddnm:steps=3,eta=0.5");
  EXPECT_EQ(rows[1].psnr, rows[2].psnr);
  EXPECT_NE(rows[1].psnr, rows[3].psnr);
  const auto refused = [&](const char* solver, const std::string& why) {
    expect_error(Errc::kUsage, why, [&] { bench_inverse(prior, {made_image()}, {.solvers = {solver}}, {}); });
  };
  refused("ddnm:step=3", "steps");
  refused("ddnm:", "like dps:scale=1,clip=0, got 'ddnm:'");
  refused("ddnm:steps=3,", "got 'ddnm:steps=3,'");
  refused("ddn:steps=3", "unknown solver 'ddn'");
}

TEST(InverseBenchTest, TellsDivergenceFromWhatDoesNotFit) {
  const auto rows = bench_inverse(
      made_prior(), {made_image(), made_image(2)},
      {.steps = 20, .operators = {"composition"}, .solvers = {"red_diff:lr=1e30", "ddrm", "red_diff"}}, {});
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_TRUE(rows[1].diverged);
  EXPECT_NE(rows[1].problem.find("image 1: composition: red_diff diverged by step"), std::string::npos)
      << rows[1].problem;
  EXPECT_FALSE(rows[1].estimate.defined());
  EXPECT_FALSE(rows[2].diverged);
  EXPECT_NE(rows[2].problem, "");
  EXPECT_EQ(rows[3].problem, "");
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
  EXPECT_EQ(inverse_csv({{"blur", "ddnm", 30, 0.75, 0.5, 1, 0.25},
                         {.operation = "mri", .solver = "ddrm", .problem = "no, not"}}),
            "operator,solver,psnr_db,psnr_half_width_db,ssim,residual_in_sigma,seconds,problem\n"
            "blur,ddnm,30.000,0.750,0.5000,1.000,0.25,\n"
            "mri,ddrm,,,,,,\"no, not\"\n");
}

}  // namespace
}  // namespace reseda::restoration
