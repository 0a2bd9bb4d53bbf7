#include "pipelines/medical/volume_restorer.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "tests/pipelines/medical/small_model.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::medical {
namespace {

using tests::expect_error;
using tests::small_model;

at::Tensor volume(std::int64_t depth, std::int64_t height, std::int64_t width) {
  at::manual_seed(5);
  return 0.5 + 0.1 * at::randn({depth, height, width});
}

TEST(VolumeRestorerTest, WithoutNoiseNothingChanges) {
  const MedicalModel model = small_model("denoise", 1);
  const VolumeRestorer restorer(model, {});
  CounterNoise noise(1);
  const at::Tensor x = volume(3, 20, 24);
  // The residual counts in standard deviations of the noise: 0 of it is the input.
  EXPECT_LT((restorer.denoise(x, 0.0, noise, "v", {}) - x).abs().max().item<double>(), 1e-6);
  const at::Tensor changed = restorer.denoise(x, 0.05, noise, "v", {});
  EXPECT_GT((changed - x).abs().max().item<double>(), 1e-3);
  EXPECT_TRUE(restorer.denoise(x, 0.05, noise, "v", {}).equal(changed));
}

TEST(VolumeRestorerTest, ASliceDependsOnItsNeighboursAlone) {
  const MedicalModel model = small_model("denoise", 1);
  const VolumeRestorer restorer(model, {});
  CounterNoise noise(1);
  at::Tensor x = volume(5, 16, 16);
  const at::Tensor before = restorer.denoise(x, 0.05, noise, "v", {});
  x[4].fill_(0.2);
  const at::Tensor after = restorer.denoise(x, 0.05, noise, "v", {});
  for (std::int64_t i = 0; i < 5; ++i) EXPECT_EQ(before[i].equal(after[i]), i < 3) << i;
}

TEST(VolumeRestorerTest, SlicesThatAreNotWantedPassAndWhatLiesOutsideTheRangeStays) {
  const MedicalModel model = small_model("denoise", 1);
  const VolumeRestorer restorer(model, {});
  CounterNoise noise(1);
  at::Tensor x = volume(4, 16, 16);
  const at::Tensor cut = restorer.denoise(x.clamp(-0.25, 1.25), 0.05, noise, "v", {});
  x[1][3][4] = 3.0;
  const at::Tensor bright = restorer.denoise(x, 0.05, noise, "v", {}, [](std::int64_t i) { return i == 1; });
  for (const std::int64_t i : {0, 2, 3}) EXPECT_TRUE(bright[i].equal(x[i])) << i;
  x[1][3][4] = 1.25;
  const at::Tensor limit = restorer.denoise(x, 0.05, noise, "v", {}, [](std::int64_t i) { return i == 1; });
  EXPECT_NEAR((bright[1][3][4] - limit[1][3][4]).item<double>(), 3.0 - 1.25, 1e-5);
  EXPECT_EQ(cut.sizes(), x.sizes());
}

TEST(VolumeRestorerTest, VoxelsDoNotDependOnThreadsAndEverySliceCounts) {
  const MedicalModel model = small_model("denoise", 1);
  CounterNoise noise(1);
  // One slice a group, 368 x 368 being more than half of what is restored in one go.
  const at::Tensor x = volume(3, 368, 368);
  const int before = at::get_num_threads();
  std::vector<at::Tensor> out;
  std::vector<std::int64_t> counts;
  const ProgressSink count = [&](const Progress& step) {
    counts.push_back(step.done);
    return true;
  };
  for (const int threads : {1, 3}) {
    at::set_num_threads(threads);
    out.push_back(VolumeRestorer(model, {.turns = 1, .at_once = 3}).denoise(x, 0.05, noise, "v", count));
  }
  at::set_num_threads(before);
  EXPECT_TRUE(out[1].equal(out[0]));
  EXPECT_EQ(counts, (std::vector<std::int64_t>{1, 2, 3, 1, 2, 3}));
}

TEST(VolumeRestorerTest, SlicesShareTheNoiseOfTheSampler) {
  const MedicalModel model = small_model("denoise", 0);
  ConfigNode sampler = ConfigNode::map();
  sampler["name"] = ConfigNode("bridge_ddim");
  sampler["steps"] = ConfigNode("3");
  sampler["eta"] = ConfigNode("1");
  const VolumeRestorer restorer(model, {.sampler = sampler});
  CounterNoise noise(1);
  const at::Tensor x = volume(1, 16, 16).repeat({3, 1, 1}).contiguous();
  const at::Tensor out = restorer.denoise(x, 0.05, noise, "v", {});
  EXPECT_LT((out[0] - out[2]).abs().max().item<double>(), 1e-6);
  EXPECT_GT((restorer.denoise(x, 0.05, noise, "other", {}) - out).abs().max().item<double>(), 2e-6);
}

TEST(VolumeRestorerTest, AllTurnsTogetherAreBlindToTheWayASliceLies) {
  const MedicalModel model = small_model("denoise", 0);
  const VolumeRestorer all(model, {.turns = 8}), one(model, {.turns = 1});
  CounterNoise noise(1);
  const at::Tensor x = volume(1, 16, 16);
  const std::vector<std::pair<const char*, std::function<at::Tensor(const at::Tensor&)>>> ways = {
      {"rows", [](const at::Tensor& v) { return v.flip(1); }},
      {"columns", [](const at::Tensor& v) { return v.flip(2); }},
      {"transposed", [](const at::Tensor& v) { return v.transpose(1, 2).contiguous(); }}};
  for (const auto& [name, way] : ways) {
    EXPECT_LT((way(all.denoise(x, 0.05, noise, "v", {})) - all.denoise(way(x), 0.05, noise, "v", {}))
                  .abs()
                  .max()
                  .item<double>(),
              2e-6)
        << name;
    EXPECT_GT((way(one.denoise(x, 0.05, noise, "v", {})) - one.denoise(way(x), 0.05, noise, "v", {}))
                  .abs()
                  .max()
                  .item<double>(),
              1e-4)
        << name;
  }
  expect_error(Errc::kUsage, "turns must be 1 to 8, got 9", [&] { VolumeRestorer(model, {.turns = 9}); });
}

TEST(VolumeRestorerTest, MeansOfTheEnlargedAreTheInput) {
  const MedicalModel model = small_model("super_resolution", 1);
  const VolumeRestorer restorer(model, {});
  CounterNoise noise(1);
  const at::Tensor x = volume(3, 10, 12);
  const at::Tensor plane = restorer.enlarge_in_plane(x, noise, "v", {});
  ASSERT_EQ(plane.sizes(), at::IntArrayRef({3, 20, 24}));
  EXPECT_LT((at::avg_pool2d(plane.unsqueeze(1), {2, 2}).squeeze(1) - x).abs().max().item<double>(), 1e-5);
  const at::Tensor finer = restorer.enlarge_through_plane(x, noise, "v", {});
  ASSERT_EQ(finer.sizes(), at::IntArrayRef({6, 10, 12}));
  EXPECT_LT((finer.view({3, 2, 10, 12}).mean(1) - x).abs().max().item<double>(), 1e-5);
  EXPECT_GT((finer[0] - finer[1]).abs().max().item<double>(), 1e-4);
}

TEST(VolumeRestorerTest, StopsWhenAskedAndRefusesAnotherTask) {
  const MedicalModel model = small_model("denoise", 0);
  const VolumeRestorer restorer(model, {});
  CounterNoise noise(1);
  // Slices of 512 x 512 are restored one by one.
  int calls = 0;
  expect_error(Errc::kInterrupted, "stopped after 2 of 3 slices", [&] {
    restorer.denoise(volume(3, 512, 512), 0.05, noise, "v", [&](const Progress& p) {
      EXPECT_EQ(p.done, ++calls);
      return calls < 2;
    });
  });
  expect_error(Errc::kUsage, "the model does not enlarge, its task is denoise",
               [&] { restorer.enlarge_in_plane(volume(4, 8, 8), noise, "v", {}); });
}

}  // namespace
}  // namespace reseda::medical
