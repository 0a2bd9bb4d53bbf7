#include "pipelines/infrared/infrared_model.hpp"

#include <ATen/core/grad_mode.h>

#include "io/checkpoint/safetensors.hpp"
#include "modules/diffusion/processes/upsr.hpp"
#include "pipelines/infrared/guided_images.hpp"
#include "tests/pipelines/restoration/restoration_fixture.hpp"

namespace reseda::infrared {
namespace {

using restoration::node_of;
using restoration::RestorationModel;
using restoration::RestorationModelConfig;
using tests::expect_error;

ConfigNode tiny_network(const char* conditions) {
  return node_of({{"name", "sr_resnet"},
                  {"in_channels", "16"},
                  {"condition_channels", conditions},
                  {"out_channels", "16"},
                  {"channels", "4"},
                  {"expansion", "2"},
                  {"blocks", "1"},
                  {"time_channels", "8"}});
}

RestorationModelConfig guide_config() {
  RestorationModelConfig config;
  config.name = "tiny guide";
  config.patch = 4;
  config.network = tiny_network("16");
  config.process = node_of({{"name", "rddm"}, {"steps", "10"}, {"sum_scale", "0.01"}, {"start", "measurement"}});
  config.target = "residual";
  config.clip = 0;
  config.sampler = node_of({{"name", "bridge_ddim"}, {"steps", "1"}});
  config.low_resolution.scale = 4;
  return config;
}

RestorationModelConfig diffusion_config() {
  RestorationModelConfig config = guide_config();
  config.name = "tiny";
  config.network = tiny_network("32");
  config.process = node_of({{"name", "upsr"}, {"kappa", "0.5"}});
  config.sampler = node_of({{"name", "bridge_ddim"}, {"steps", "5"}, {"eta", "0"}});
  return config;
}

/// Random weights, so that nothing is zero by its start.
RestorationModel model_of(const RestorationModelConfig& config, std::uint64_t seed) {
  at::manual_seed(seed);
  RestorationModel model(config);
  for (auto& [name, tensor] : model.network().tensors()) tensor.detach().normal_(0, 0.1);
  return model;
}

InfraredModel tiny_model() {
  const RestorationModel guide = model_of(guide_config(), 1), diffusion = model_of(diffusion_config(), 2);
  return InfraredModel::from(InfraredModel::join(diffusion.to_file(), guide), "tiny");
}

at::Tensor small_frames(std::int64_t count = 2) {
  CounterNoise noise(3);
  return 0.3 * noise.normal({"small", "frames", 0}, {count, 1, 8, 8});
}

TEST(InfraredModelTest, AFileOfBothNetworksComesBack) {
  const c10::InferenceMode inference;
  const RestorationModel guide = model_of(guide_config(), 1);
  const InfraredModel model = tiny_model();
  EXPECT_TRUE(model.has_diffusion());
  EXPECT_EQ(model.scale(), 4);
  EXPECT_EQ(model.config().name, "tiny");
  const at::Tensor y = restoration::enlarge(small_frames(), 4);
  EXPECT_TRUE(model.guide(y).equal(one_call(guide, y)));
}

TEST(InfraredModelTest, AGuideAloneIsAModelOfFidelity) {
  const c10::InferenceMode inference;
  const InfraredModel model = InfraredModel::from(model_of(guide_config(), 1).to_file(), "tiny guide");
  EXPECT_FALSE(model.has_diffusion());
  const at::Tensor low = small_frames();
  EXPECT_TRUE(model.on_tiles({})(low, {}).equal(model.guide(restoration::enlarge(low, 4))));
  expect_error(Errc::kUsage, "--mode sample: the model 'tiny guide' has no diffusion",
               [&] { model.on_tiles({.sample = true}); });
}

TEST(InfraredModelTest, TheGuideTakesItsPredictionFromTheEnlargedFrame) {
  const c10::InferenceMode inference;
  RestorationModel guide = model_of(guide_config(), 1);
  for (auto& [name, tensor] : guide.network().tensors()) {
    tensor.detach().zero_();
    if (name == "last.bias") tensor.detach().fill_(0.25);
  }
  const at::Tensor y = restoration::enlarge(small_frames(), 4);
  EXPECT_TRUE(at::allclose(one_call(guide, y), y - 0.25));
}

TEST(InfraredModelTest, PixelsThatTheGuideChangedGetMoreNoise) {
  const RestorationModel diffusion = model_of(diffusion_config(), 2);
  const at::Tensor y = at::zeros({1, 1, 4, 4});
  at::Tensor guided = y.clone();
  guided[0][0][0][0] = 0.1;   // d = 0.05, half of un: 0.4 + 0.6 / 2
  guided[0][0][1][1] = -0.5;  // beyond un
  const at::Tensor w = noise_weight(diffusion, y, guided);
  EXPECT_NEAR(w[0][0][0][0].item<double>(), 0.7, 1e-6);
  EXPECT_NEAR(w[0][0][1][1].item<double>(), 1.0, 1e-6);
  EXPECT_NEAR(w[0][0][2][2].item<double>(), 0.4, 1e-6);
}

TEST(InfraredModelTest, OneCallOfASampleIsTheEstimateAtTheWeightedStart) {
  const c10::InferenceMode inference;
  const RestorationModel diffusion = model_of(diffusion_config(), 2);
  const InfraredModel model = tiny_model();
  CounterNoise noise(4);
  const at::Tensor y = restoration::enlarge(small_frames(1), 4), guided = model.guide(y);
  const at::Tensor eps = noise.normal({"a", "prior", 0}, y.sizes());
  const double kappa_eta = 0.5 * 0.99;  // kappa sqrt(eta_T)
  for (const bool uniform : {false, true}) {
    const at::Tensor w = uniform ? at::ones_like(y) : model.weight(y, guided);
    const at::Tensor start = y + kappa_eta * w * eps;
    const double scale = 1.0 / std::sqrt(0.3 * kappa_eta * kappa_eta + 0.25);
    const at::Tensor t = at::full({1}, 4.0);
    const at::Tensor expected = y - diffusion.predict(scale * start, {.y = y, .extra = guided}, t);
    const at::Tensor got = model.sample(y, guided, eps, {.sample = true, .steps = 1, .uniform_noise = uniform});
    EXPECT_LT((got - expected).abs().max().item<double>(), 1e-5) << uniform;
  }
}

TEST(InfraredModelTest, PrecisionAndUniformNoiseReachTheNetworks) {
  const c10::InferenceMode inference;
  InfraredModel model = tiny_model();
  CounterNoise noise(4);
  const at::Tensor low = small_frames(1), eps = noise.normal({"a", "prior", 0}, {1, 1, 32, 32});
  const auto picture = [&](const PictureOptions& options) { return model.on_tiles(options)(low, eps); };
  const at::Tensor guided = picture({}), sample = picture({.sample = true}),
                   uniform = picture({.sample = true, .uniform_noise = true});
  EXPECT_GT((sample - uniform).abs().max().item<double>(), 1e-3);
  model.compute_on(c10::kCPU, Precision::kBf16);
  for (const auto& [options, before] : {std::pair{PictureOptions{}, guided}, {{.sample = true}, sample}}) {
    const double change = (picture(options) - before).abs().max().item<double>();
    EXPECT_GT(change, 1e-5) << options.sample;
    EXPECT_LT(change, 0.1 * before.abs().max().item<double>()) << options.sample;
  }
  model.compute_on(c10::kCPU, Precision::kF32);
  EXPECT_TRUE(picture({}).equal(guided));
}

TEST(InfraredModelTest, TheMarginCoversWhatACallSees) {
  EXPECT_EQ(tiny_model().traits({}).margin, 2 * 1 + 4);
  EXPECT_EQ(tiny_model().traits({.sample = true}).margin, 2 * 1 + 4);  // the larger of both: its tiles agree nearly
}

TEST(InfraredModelTest, StrengthGoesFromTheGuideToTheSample) {
  const c10::InferenceMode inference;
  const InfraredModel model = tiny_model();
  CounterNoise noise(4);
  const at::Tensor low = small_frames(1), eps = noise.normal({"a", "prior", 0}, {1, 1, 32, 32});
  const auto picture = [&](double strength) {
    return model.on_tiles({.sample = true, .strength = strength})(low, eps);
  };
  const at::Tensor guided = model.guide(restoration::enlarge(low, 4)), sample = picture(1.0);
  EXPECT_TRUE(at::allclose(picture(0.0), guided));
  EXPECT_TRUE(at::allclose(picture(0.25), 0.75 * guided + 0.25 * sample, 1e-5, 1e-6));
  EXPECT_GT((sample - guided).abs().max().item<double>(), 1e-3);
}

TEST(InfraredModelTest, RefusesWhatIsNoModelThatEnlarges) {
  RestorationModelConfig config = guide_config();
  config.low_resolution.scale = 1;
  expect_error(Errc::kCheckpoint, "expected a model that enlarges",
               [&] { InfraredModel::from(model_of(config, 1).to_file(), "x.safetensors"); });
  config = guide_config();
  config.target = "x0";
  expect_error(Errc::kCheckpoint, "the guide must predict the residual",
               [&] { InfraredModel::from(model_of(config, 1).to_file(), "x.safetensors"); });
}

TEST(GuidedImagesTest, ShowsTheGuidesPictureAndItsDoubts) {
  const RestorationModel guide = model_of(guide_config(), 1), diffusion = model_of(diffusion_config(), 2);
  restoration::ImageSet set{.names = {"a"}, .images = {at::rand({1, 40, 40}) * 255}};
  const GuidedImages images(diffusion, guide, std::move(set));
  const restoration::Pairs pairs = images.draw(2, 32, 5, 7);
  EXPECT_TRUE(images.weighs_noise());
  const at::NoGradGuard no_gradients;
  EXPECT_TRUE(pairs.extra.equal(one_call(guide, pairs.y)));
  EXPECT_TRUE(pairs.weight.equal(noise_weight(diffusion, pairs.y, pairs.extra)));
  EXPECT_FALSE(pairs.extra.requires_grad());
  EXPECT_TRUE(pairs.x0.equal(images.draw(2, 32, 5, 7).x0));
}

}  // namespace
}  // namespace reseda::infrared
