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
