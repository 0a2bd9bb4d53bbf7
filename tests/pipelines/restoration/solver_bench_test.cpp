#include "pipelines/restoration/solver_bench.hpp"

#include "modules/diffusion/sampler.hpp"

#include "tests/pipelines/restoration/restoration_fixture.hpp"

namespace reseda::restoration {
namespace {

ImageSet two_frames() {
  ImageSet set;
  for (std::uint64_t i = 0; i < 2; ++i) {
    set.names.push_back("frame " + std::to_string(i));
    const std::vector<std::uint8_t> bytes = made_frame(16, 16, i);
    set.images.push_back(
        at::tensor(std::vector<std::int64_t>(bytes.begin(), bytes.end())).reshape({1, 16, 16}).to(at::kFloat));
  }
  return set;
}

TEST(SolverBenchTest, MakesExactlyTheCallsThatARowNames) {
  const RestorationModel model(tiny_config());
  for (const std::int64_t calls : {1, 2, 3, 5, 10})
    for (const NamedSampler& named : samplers_for(model, calls)) {
      const auto sampler = diffusion::make_sampler(named.config);
      EXPECT_EQ(sampler->network_calls(), calls) << named.name;
    }
}

TEST(SolverBenchTest, ScoresTheInputAndEverySampler) {
  at::manual_seed(3);
  const RestorationModel model(tiny_config());
  const ImageSet images = two_frames();
  std::int64_t last = 0, total = 0;
  const auto scores = bench_solvers(model, images, {1, 2}, 7, [&](const Progress& progress) {
    last = progress.done;
    total = progress.total;
    return true;
  });
  EXPECT_EQ(scores.size(), 1 + samplers_for(model, 1).size() + samplers_for(model, 2).size());
  EXPECT_EQ(last, total);
  EXPECT_EQ(scores.front().solver, "input");
  EXPECT_GT(scores.front().psnr, 15.0);  // noise of 0.1 of the range: 20 dB, and the blur
  EXPECT_LT(scores.front().psnr, 21.5);
  // One call is one call: all samplers that return its estimate agree.
  for (const SolverScore& score : scores)
    if (score.calls == 1) {
      EXPECT_NEAR(score.psnr, scores[1].psnr, 1e-2) << score.solver;
    }
  const auto again = bench_solvers(model, images, {1, 2}, 7, {});
  for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_EQ(scores[i].psnr, again[i].psnr);
  EXPECT_NE(bench_solvers(model, images, {1}, 8, {}).front().psnr, scores.front().psnr);
}

TEST(SolverBenchTest, WritesTableAndPlot) {
  const std::vector<SolverScore> scores{{"m", "input", 0, 20.5, 0.25, 0.5, 0},
                                        {"m", "DDIM", 1, 30, 0.125, 0.75, 0.0625},
                                        {"m", "DDIM", 2, 31, 0.125, 0.75, 0.0625},
                                        {"n", "DDIM", 2, 31, 0.125, 0.75, 0.0625}};
  EXPECT_EQ(solver_csv(scores),
            "model,solver,calls,psnr_db,psnr_half_width_db,ssim,seconds_per_image\n"
            "m,input,0,20.500,0.250,0.5000,0.000\n"
            "m,DDIM,1,30.000,0.125,0.7500,0.062\n"
            "m,DDIM,2,31.000,0.125,0.7500,0.062\n"
            "n,DDIM,2,31.000,0.125,0.7500,0.062\n");
  const std::string plot = solver_plot(scores, "m");
  EXPECT_NE(plot.find("<svg"), std::string::npos);
  EXPECT_EQ(plot.find("input"), std::string::npos);
}

TEST(SolverBenchTest, StopsWhenAsked) {
  const RestorationModel model(tiny_config());
  expect_error(Errc::kInterrupted, "stopped",
               [&] { bench_solvers(model, two_frames(), {1}, 7, [](const Progress&) { return false; }); });
}

}  // namespace
}  // namespace reseda::restoration
