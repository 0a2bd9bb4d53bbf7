#include "pipelines/certify/certify_model.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "io/record/json.hpp"
#include "tests/pipelines/certify/small_classifier.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

using namespace certify;

/// The same classifier behind a small denoiser.
CertifyModelConfig denoised_config(const std::string& time) {
  CertifyModelConfig config = small_classifier_config(4, 32);
  config.denoiser = io::parse_json(
      R"({"black": 0, "white": 1, "conditional": false, "target": "eps", "clip": 0,
          "network": {"name": "adm_unet", "image_size": 32, "model_channels": 32, "out_channels": 3,
                      "num_res_blocks": 1, "attention_resolutions": [], "channel_mult": [1, 1], "num_heads": 1},
          "process": {"name": "ddpm", "schedule": "cosine", "steps": 4000, "rescale_timesteps": true}})",
      "denoiser");
  config.denoiser_time = time;
  return config;
}

TEST(CertifyModel, ComesBackFromItsFile) {
  const TemporaryFolder folder;
  at::manual_seed(4);
  const CertifyModel model(denoised_config("step"));
  write_classifier(model, folder / "m.safetensors");
  const CertifyModel read = CertifyModel::load(folder / "m.safetensors");
  EXPECT_EQ(read.config().classes, 4);
  EXPECT_EQ(read.config().denoiser_time, "step");
  const at::Tensor x = at::rand({2, 3, 32, 32});
  EXPECT_TRUE(at::equal(read.logits(x, 0), model.logits(x, 0)));
  CounterNoise noise(1);
  const NoisyClassifier a = model.under_noise(0.25, noise), b = read.under_noise(0.25, noise);
  const at::Tensor copies = a.smoother(x[0], {"i", "estimation"}, 2);
  EXPECT_TRUE(at::equal(a.classifier(copies), b.classifier(copies)));
}

TEST(CertifyModel, RefusesFilesOfPyTorchWithAWayOut) {
  const TemporaryFolder folder;
  for (const std::string& bytes :
       {std::string("PK\x03\x04m/code/__torch__.py", 23), std::string("\x80\x02}q\x01.", 6)}) {
    std::ofstream(folder / "m.pt", std::ios::binary) << bytes;
    expect_error(Errc::kCheckpoint, "reseda certify import", [&] { CertifyModel::load(folder / "m.pt"); });
  }
}

TEST(CertifyModel, PreparedItGivesAnImageTheSameLogitsInEveryBatch) {
  CertifyModel model = small_classifier(1, 4, 32);
  const c10::InferenceMode inference;
  const at::Tensor x = at::rand({20, 3, 32, 32}), before = model.logits(x, 0);
  model.prepare(c10::kCPU, Precision::kF32);
  const at::Tensor after = model.logits(x, 0);
  EXPECT_LT((after - before).abs().max().item<double>(), 1e-4 * before.abs().max().item<double>());
  if (kernels::FusedConv::supported()) {
    EXPECT_TRUE(at::equal(model.logits(x.slice(0, 7, 9), 0), after.slice(0, 7, 9)));
  }
  model.prepare(c10::kCPU, Precision::kBf16);
  EXPECT_GT((model.logits(x, 0) - before).abs().max().item<double>(), 1e-4 * before.abs().max().item<double>());
}

/// A classifier behind an sr_resnet that knows every noise up to sigma 0.5.
CertifyModelConfig behind_sr_resnet(std::int64_t channels) {
  restoration::RestorationModelConfig prior;
  prior.white = 1;
  prior.conditional = false;
  prior.patch = 2;
  prior.target = "edm_f";
  const std::string width = std::to_string(channels);
  for (const auto& [key, value] : std::map<std::string, std::string>{{"name", "sr_resnet"},
                                                                     {"in_channels", "12"},
                                                                     {"condition_channels", "0"},
                                                                     {"out_channels", "12"},
                                                                     {"channels", width},
                                                                     {"expansion", "1"},
                                                                     {"blocks", "1"},
                                                                     {"time_channels", "8"}})
    prior.network.set(key, value);
  for (const auto& [key, value] : std::map<std::string, std::string>{
           {"name", "karras_ve"}, {"sigma_min", "0.1"}, {"sigma_max", "1"}, {"time", "exact"}})
    prior.process.set(key, value);
  prior.sampler.set("name", "bridge_ddim");
  CertifyModelConfig config = small_classifier_config(4, 32);
  config.denoiser = write_config(prior);
  return config;
}

TEST(CertifyModel, BehindAFusedDenoiserToo) {
  if (!kernels::FusedConv::supported()) GTEST_SKIP() << "this machine has no AVX2";
  at::manual_seed(3);
  CertifyModel model(behind_sr_resnet(16)), other(behind_sr_resnet(8));
  for (const auto& [name, tensor] : model.denoiser()->network().tensors())
    at::Tensor(tensor).detach().uniform_(-0.2, 0.2);
  EXPECT_FALSE(model.takes_any_batch());
  model.prepare(c10::kCPU, Precision::kF32);
  other.prepare(c10::kCPU, Precision::kF32);
  EXPECT_TRUE(model.takes_any_batch());
  EXPECT_FALSE(other.takes_any_batch()) << "eight channels are not fused";
  const c10::InferenceMode inference;
  const at::Tensor x = at::rand({20, 3, 32, 32}), all = model.of_noisy(0.3)(x);
  EXPECT_TRUE(at::equal(model.of_noisy(0.3)(x.slice(0, 7, 9)), all.slice(0, 7, 9)));
  EXPECT_GT((all - model.of_noisy(0.2)(x)).abs().max().item<double>(), 1e-4) << "the denoiser is told the noise";
  EXPECT_TRUE(at::equal(model.of_noisy(0)(x), model.logits(x, 0)));
}

TEST(CertifyModel, NormalisesAfterTheNoise) {
  CertifyModelConfig config = small_classifier_config();
  config.input.mean = {0.1, 0.2, 0.3};
  config.input.std = {0.5, 0.25, 0.2};
  at::manual_seed(4);
  const CertifyModel model(config);
  const at::Tensor x = at::rand({1, 3, 8, 8});
  CounterNoise noise(1);
  const NoisyClassifier noisy = model.under_noise(0.5, noise);
  const at::Tensor copies = noisy.smoother(x[0], {"i", "estimation"}, 3);
  const at::Tensor eps = noise.normal({"i", "estimation"}, {3, 3, 8, 8});
  EXPECT_TRUE(at::allclose(copies, x + 0.5 * eps));
  const at::Tensor mean = at::tensor({0.1F, 0.2F, 0.3F}).view({1, 3, 1, 1});
  const at::Tensor std = at::tensor({0.5F, 0.25F, 0.2F}).view({1, 3, 1, 1});
  EXPECT_TRUE(at::allclose(noisy.classifier(copies), model.network().forward((copies - mean) / std, {}, {})));
}

TEST(CertifyModel, BothTimesOfADenoiserSeeTheSameSignal) {
  at::manual_seed(4);
  const CertifyModel nearest(denoised_config("nearest"));
  at::manual_seed(4);
  const CertifyModel step(denoised_config("step"));
  CounterNoise noise(1);
  const at::Tensor x = at::rand({3, 32, 32});
  const NoisyClassifier a = nearest.under_noise(0.25, noise), b = step.under_noise(0.25, noise);
  const at::Tensor of_image = a.smoother(x, {"i", "estimation"}, 2), of_step = b.smoother(x, {"i", "estimation"}, 2);
  // sqrt(abar) (2 x - 1) + sqrt(1 - abar) eps of step 1158 is a (2 (x + sigma' eps) - 1) with sigma' = 0.250119.
  const double a_step = 1 / std::sqrt(1 + 4 * 0.250119 * 0.250119);
  EXPECT_LT((of_step - a_step * (2 * of_image - 1)).abs().max().item<double>(), 2e-3);
  EXPECT_LT((a.classifier(of_image) - b.classifier(of_step)).abs().max().item<double>(), 0.05);
}

TEST(CertifyModel, RefusesWhatDoesNotFit) {
  const auto refused = [](const std::string& message, auto&& change) {
    CertifyModelConfig config = small_classifier_config();
    change(config);
    expect_error(Errc::kUsage, message, [&] { const CertifyModel model(config); });
  };
  refused("model.classes must be 2", [](CertifyModelConfig& c) { c.classes = 1; });
  refused("model.labels has 1 names for 4 classes", [](CertifyModelConfig& c) { c.labels = {"cat"}; });
  refused("model.sigmas", [](CertifyModelConfig& c) { c.sigmas = {-1}; });
  refused("model.denoiser_time", [](CertifyModelConfig& c) { c.denoiser_time = "soon"; });
  refused("must be an unconditional prior", [](CertifyModelConfig& c) {
    c.denoiser = denoised_config("step").denoiser, c.denoiser["conditional"] = ConfigNode("true");
  });
  const TemporaryFolder folder;
  const auto file_refused = [&](const StateDict& weights, const std::string& message) {
    io::write_safetensors(weights, folder / "m.safetensors");
    expect_error(Errc::kCheckpoint, message, [&] { CertifyModel::load(folder / "m.safetensors"); });
  };
  StateDict weights = small_classifier().to_file();
  const std::string metadata = weights.metadata["reseda.certify"];
  weights.metadata.erase("reseda.certify");
  file_refused(weights, "not a reseda classifier");
  weights.metadata["reseda.certify"] = "{";
  file_refused(weights, "m.safetensors");
  std::string large = metadata;
  large.replace(large.find("\"depth\": 8"), 10, "\"depth\": 1994");
  weights.metadata["reseda.certify"] = large;
  file_refused(weights, "m.safetensors");
  std::string classes = metadata;
  classes.replace(classes.find("\"classes\": 4"), 12, "\"classes\": 5");
  weights.metadata["reseda.certify"] = classes;
  file_refused(weights, "expected logits of 5 classes");
}

TEST(CertifyModel, IntegerNoiseAddsToLevels) {
  const CertifyModel model = small_classifier();
  const NoisyClassifier noisy = model.under_integer_noise(0.25, 7);
  const at::Tensor copies = noisy.smoother(at::full({3, 8, 8}, 128, at::kByte), {"i", "estimation"}, 4);
  EXPECT_TRUE(at::allclose(copies * 255, (copies * 255).round(), 0, 1e-3));
  EXPECT_EQ(noisy.classifier(copies).sizes(), at::IntArrayRef({4, 4}));
  at::manual_seed(4);
  const CertifyModel step(denoised_config("step"));
  expect_error(Errc::kUsage, "denoiser_time is nearest", [&] { step.under_integer_noise(0.25, 7); });
}

}  // namespace
}  // namespace reseda::tests
