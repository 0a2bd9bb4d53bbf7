#include "pipelines/restoration/restoration_model.hpp"

#include <ATen/core/grad_mode.h>

#include "io/checkpoint/safetensors.hpp"
#include "modules/diffusion/processes/rddm.hpp"
#include "tests/pipelines/restoration/restoration_fixture.hpp"

namespace reseda::restoration {
namespace {

TEST(RestorationModelTest, MapsTheRangeOfTheFileToPlusMinusOne) {
  RestorationModelConfig config = tiny_config();
  config.black = -1000;
  config.white = 3000;
  const RestorationModel model(config);
  const at::Tensor pixels = at::tensor({-1000.0, 0.0, 1000.0, 3000.0});
  EXPECT_TRUE(at::allclose(model.to_network(pixels), at::tensor({-1.0, -0.5, 0.0, 1.0})));
  EXPECT_TRUE(at::allclose(model.to_pixels(model.to_network(pixels)), pixels));
}

TEST(RestorationModelTest, AFileHoldsModelAndConfig) {
  const at::NoGradGuard no_gradients;
  const tests::TemporaryFolder folder;
  at::manual_seed(1);
  const RestorationModel model(tiny_config());
  io::write_safetensors(model.to_file(), folder / "m.safetensors");
  const RestorationModel read = RestorationModel::load(folder / "m.safetensors");
  EXPECT_EQ(write_config(read.config()).to_json(), write_config(model.config()).to_json());
  const at::Tensor x = at::randn({1, 1, 16, 16}), t = at::full({1}, 40.0F);
  EXPECT_TRUE(read.network().forward(x, x, t).equal(model.network().forward(x, x, t)));
}

TEST(RestorationModelTest, RefusesOtherFiles) {
  const tests::TemporaryFolder folder;
  StateDict other;
  other.add("a", at::zeros({2}));
  io::write_safetensors(other, folder / "other.safetensors");
  expect_error(Errc::kCheckpoint, "not a reseda restoration model",
               [&] { RestorationModel::load(folder / "other.safetensors"); });
  RestorationModelConfig config = tiny_config();
  StateDict wrong = RestorationModel(config).to_file();
  config.network["dim"] = ConfigNode("16");
  wrong.metadata["reseda.restoration"] = write_config(config).to_json();
  io::write_safetensors(wrong, folder / "wrong.safetensors");
  expect_error(Errc::kCheckpoint, "wrong.safetensors", [&] { RestorationModel::load(folder / "wrong.safetensors"); });
}

TEST(RestorationModelTest, DenoisersClipTheCleanImageAndKeepOrDeriveTheNoise) {
  const at::NoGradGuard no_gradients;
  at::manual_seed(2);
  const RestorationModel model(tiny_config());
  const at::Tensor x = at::full({1, 1, 16, 16}, 3.0F), y = at::full({1, 1, 16, 16}, 1.5F);
  const double t = 0.5;
  const diffusion::Marginal m = model.process().at(t);
  const auto derived = (*model.denoiser(true))(x, t, {.y = y}), kept = (*model.denoiser(false))(x, t, {.y = y});
  EXPECT_LE(derived.x0.abs().max().item<float>(), 1.0F);
  EXPECT_TRUE(derived.x0.equal(kept.x0));
  EXPECT_TRUE(at::allclose(m.sample(derived.x0, y, derived.eps), x, 1e-4, 1e-4));
  EXPECT_TRUE(kept.residual.defined());
  EXPECT_FALSE(at::allclose(derived.eps, kept.eps, 1e-3, 1e-3));
}

TEST(RestorationModelTest, SeesSquaresOfPixelsAsChannelsAndCountsInTheNoiseThatItIsTold) {
  const at::NoGradGuard no_gradients;
  RestorationModelConfig config = tiny_config();
  config.patch = 2;
  config.level_is_unit = true;
  config.target = "residual";
  for (const auto& [key, value] : {std::pair{"channels", "4"}, {"out_dim", "4"}, {"condition_channels", "8"}})
    config.network[key] = ConfigNode(value);
  at::manual_seed(4);
  const RestorationModel model(config);
  EXPECT_EQ(model.multiple(), 2 * model.network().time_multiple());
  const at::Tensor x = at::randn({2, 1, 16, 8}), y = at::randn({2, 1, 16, 8}), t = at::full({2}, 3.0F);
  // A standard deviation of 0.04 is the level 5 * 0.04 - 1 = -0.8.
  const at::Tensor level = noise_level(at::full({1}, 0.04F)).expand({2, 1, 16, 8});
  EXPECT_NEAR(level[0][0][0][0].item<double>(), -0.8, 1e-6);
  EXPECT_NEAR(noise_unit(level)[0][0][0][0].item<double>(), 0.04, 1e-7);
  // Channel 2 i + j of a patch is its pixel in row i and column j.
  const auto patches = [](const at::Tensor& image) {
    return image.view({2, image.size(1), 8, 2, 4, 2}).permute({0, 1, 3, 5, 2, 4}).reshape({2, -1, 8, 4});
  };
  const at::Tensor seen = patches(at::cat({y, level}, 1)), raw = model.network().forward(patches(x), seen, t);
  const at::Tensor expected = 0.04 * raw.view({2, 2, 2, 8, 4}).permute({0, 3, 1, 4, 2}).reshape({2, 1, 16, 8});
  EXPECT_LT((model.predict(x, {.y = y, .extra = level}, t) - expected).abs().max().item<double>(), 1e-6);
  config.target = "x0";
  expect_error(Errc::kUsage, "model.level_is_unit needs the target residual, got x0",
               [&] { RestorationModel{config}; });
}

TEST(RestorationModelTest, AResfusionModelIsClippedToo) {
  const at::NoGradGuard no_gradients;
  RestorationModelConfig config = tiny_config();
  config.network["name"] = ConfigNode("resfusion_unet");
  ConfigNode network = ConfigNode::map();
  for (const char* key : {"name", "dim", "channels", "out_dim", "condition_channels", "dim_mults"})
    network[key] = *config.network.find(key);
  config.network = network;
  config.process = node_of({{"name", "resfusion"}, {"steps", "100"}});
  config.target = "resnoise";
  const RestorationModel model(config);
  const at::Tensor x = at::full({1, 1, 16, 16}, 3.0F);
  EXPECT_LE((*model.denoiser())(x, 0.5, {.y = x}).x0.abs().max().item<float>(), 1.0F);
}

}  // namespace
}  // namespace reseda::restoration
