#include "pipelines/medical/prior_restorer.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "io/checkpoint/safetensors.hpp"
#include "tests/pipelines/medical/small_model.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::medical {
namespace {

using tests::expect_error;
using tests::small_model;

/// The smallest prior: random weights, the last convolution included.
MedicalModel small_prior() {
  restoration::RestorationModelConfig config;
  config.black = 0;
  config.white = 1;
  config.conditional = false;
  config.target = "eps";
  config.clip = 2;
  config.network = ConfigNode::map();
  config.network["name"] = ConfigNode("adm_unet");
  for (const auto& [key, value] : {std::pair{"image_size", "16"},
                                   {"in_channels", "1"},
                                   {"model_channels", "32"},
                                   {"out_channels", "1"},
                                   {"num_res_blocks", "1"},
                                   {"num_head_channels", "32"}})
    config.network[key] = ConfigNode(value);
  ConfigNode mults = ConfigNode::list();
  for (int level = 0; level < 2; ++level) mults.append(ConfigNode("1"));
  config.network["channel_mult"] = mults;
  config.network["attention_resolutions"] = ConfigNode::list();
  config.process = ConfigNode::map();
  config.process["name"] = ConfigNode("ddpm");
  at::manual_seed(11);
  MedicalModel model{restoration::RestorationModel(config), {}};
  for (const auto& [name, tensor] : model.restoration.network().tensors()) {
    tensor.set_requires_grad(false);
    if (tensor.abs().max().item<double>() == 0) tensor.normal_(0, 0.02);
  }
  return model;
}

at::Tensor volume(std::int64_t depth, std::int64_t height, std::int64_t width) {
  at::manual_seed(5);
  return 0.5 + 0.1 * at::randn({depth, height, width});
}

double distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).square().mean().sqrt().item<double>(); }

class PriorRestorerTest : public testing::Test {
 protected:
  MedicalModel prior_ = small_prior();
  CounterNoise noise_{1};
};

TEST_F(PriorRestorerTest, TheMeasurementsWeightPullsToTheMeasurement) {
  const at::Tensor y = volume(2, 15, 18);  // sides that the network does not take as they are
  const auto denoised = [&](double obs_weight, double grad_term_weight) {
    const PriorRestorer restorer(prior_, {.steps = 10, .obs_weight = obs_weight, .grad_term_weight = grad_term_weight});
    return restorer.denoise(y, 0.05, noise_, "v", {});
  };
  const at::Tensor free = denoised(0.0, 1.0), held = denoised(20.0, 1.0);
  EXPECT_TRUE(free.isfinite().all().item<bool>());
  EXPECT_GT(distance(free, y), 0.005);
  EXPECT_LT(distance(held, y), 0.7 * distance(free, y));
  EXPECT_LT(distance(denoised(1.0, 0.0), y), 1e-6) << "without a prior the measurement is the best estimate";
}

TEST_F(PriorRestorerTest, ASliceHasItsOwnDrawsAndDependsOnNoOther) {
  const PriorRestorer restorer(prior_, {.steps = 4});
  const at::Tensor y = volume(1, 16, 16).repeat({3, 1, 1});
  const at::Tensor all = restorer.denoise(y, 0.05, noise_, "v", {});
  EXPECT_TRUE(restorer.denoise(y, 0.05, noise_, "v", {}).equal(all));
  EXPECT_FALSE(all[0].equal(all[1]));
  EXPECT_FALSE(restorer.denoise(y, 0.05, noise_, "other", {}).equal(all));
  const at::Tensor one = restorer.denoise(y, 0.05, noise_, "v", {}, [](std::int64_t i) { return i == 1; });
  EXPECT_TRUE(one[1].equal(all[1]));
  EXPECT_TRUE(one[0].equal(y[0]));
  EXPECT_TRUE(restorer.denoise(y, 0.0, noise_, "v", {}).equal(y)) << "without noise there is nothing to do";
}

TEST_F(PriorRestorerTest, WhatLiesOutsideTheRangeStays) {
  const PriorRestorer restorer(prior_, {.steps = 4});
  at::Tensor y = volume(1, 16, 16);
  y[0][3][4] = 3.0;
  const at::Tensor bright = restorer.denoise(y, 0.05, noise_, "v", {});
  y[0][3][4] = 1.25;
  const at::Tensor limit = restorer.denoise(y, 0.05, noise_, "v", {});
  EXPECT_NEAR((bright - limit)[0][3][4].item<double>(), 1.75, 1e-5);
}

TEST_F(PriorRestorerTest, MeansOfTheEnlargedAreTheInput) {
  const PriorRestorer restorer(prior_, {.steps = 4});
  const at::Tensor y = volume(3, 10, 12);
  const at::Tensor plane = restorer.enlarge_in_plane(y, noise_, "v", {});
  ASSERT_EQ(plane.sizes(), at::IntArrayRef({3, 20, 24}));
  EXPECT_LT((at::avg_pool2d(plane.unsqueeze(1), {2, 2}).squeeze(1) - y).abs().max().item<double>(), 1e-5);
  std::int64_t done = 0;
  const at::Tensor finer = restorer.enlarge_through_plane(y, noise_, "v", [&](const Progress& p) {
    EXPECT_EQ(p.total, (10 + 12) * 4);
    done = p.done;
    return true;
  });
  EXPECT_EQ(done, (10 + 12) * 4);
  ASSERT_EQ(finer.sizes(), at::IntArrayRef({6, 10, 12}));
  EXPECT_LT((finer.view({3, 2, 10, 12}).mean(1) - y).abs().max().item<double>(), 1e-5);
  EXPECT_GT((finer[0] - finer[1]).abs().max().item<double>(), 1e-4);
}

TEST_F(PriorRestorerTest, RefusesModelsOfTheOtherKind) {
  const MedicalModel denoiser = small_model("denoise", 1);
  expect_error(Errc::kUsage, "red-diff needs an unconditional prior", [&] { PriorRestorer(denoiser, {}); });
  const tests::TemporaryFolder folder;
  const auto prior = folder / "prior.safetensors", other = folder / "other.safetensors";
  io::write_safetensors(prior_.restoration.to_file(), prior);
  io::write_safetensors(denoiser.restoration.to_file(), other);
  EXPECT_FALSE(MedicalModel::load_prior(prior).restoration.config().conditional);
  expect_error(Errc::kCheckpoint, "red-diff needs an unconditional prior", [&] { MedicalModel::load_prior(other); });
  expect_error(Errc::kCheckpoint, "a prior needs --engine red-diff", [&] { MedicalModel::load(prior); });
  expect_error(Errc::kUsage, "red_diff.steps", [&] { PriorRestorer(prior_, {.steps = 0}); });
  expect_error(Errc::kUsage, "red_diff.most_noise",
               [&] { PriorRestorer(prior_, {.least_noise = 2, .most_noise = 1}); });
  expect_error(Errc::kUsage, "red_diff.lr", [&] { PriorRestorer(prior_, {.lr = 0}); });
  expect_error(Errc::kInterrupted, "stopped", [&] {
    PriorRestorer(prior_, {.steps = 4}).denoise(volume(1, 16, 16), 0.05, noise_, "v", [](const Progress& p) {
      return p.done < 2;
    });
  });
}

}  // namespace
}  // namespace reseda::medical
