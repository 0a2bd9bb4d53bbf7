#include "pipelines/medical/volume_restorer.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/expect_error.hpp"

namespace reseda::medical {
namespace {

using tests::expect_error;

/// A small network with random weights, the last convolution included, so that it changes its input.
MedicalModel small_model(const std::string& task, std::int64_t neighbours) {
  const auto number = [](std::int64_t value) { return ConfigNode(std::to_string(value)); };
  restoration::RestorationModelConfig config;
  config.black = 0;
  config.white = 1;
  config.clip = 2;
  config.patch = 2;
  config.level_is_unit = true;
  config.network = ConfigNode::map();
  config.network["name"] = ConfigNode("rddm_unet");
  config.network["nets"] = ConfigNode("one");
  config.network["self_condition"] = ConfigNode("false");
  for (const auto& [key, value] : {std::pair{"dim", 8}, {"channels", 4}, {"out_dim", 4}, {"resnet_block_groups", 4}})
    config.network[key] = number(value);
  ConfigNode mults = ConfigNode::list();
  mults.append(number(1));
  mults.append(number(2));
  config.network["dim_mults"] = mults;
  config.network["condition_channels"] = number(4 * (2 * neighbours + 2));
  config.process = ConfigNode::map();
  config.process["name"] = ConfigNode("rddm");
  config.process["sum_scale"] = ConfigNode("0.0001");
  config.sampler = ConfigNode::map();
  config.sampler["name"] = ConfigNode("bridge_ddim");
  config.sampler["steps"] = number(1);
  at::manual_seed(11);
  return {restoration::RestorationModel(config),
          {.task = task, .modality = "any", .intensity = {.least = -0.25}, .neighbours = neighbours}};
}

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
  int calls = 0;
  expect_error(Errc::kInterrupted, "stopped after slice 2 of 4", [&] {
    restorer.denoise(volume(4, 8, 8), 0.05, noise, "v", [&](const Progress& p) {
      EXPECT_EQ(p.done, ++calls);
      return calls < 2;
    });
  });
  expect_error(Errc::kUsage, "the model does not enlarge, its task is denoise",
               [&] { restorer.enlarge_in_plane(volume(4, 8, 8), noise, "v", {}); });
}

}  // namespace
}  // namespace reseda::medical
