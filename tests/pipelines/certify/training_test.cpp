// Training of classifiers under noise: batches, resuming, what it refuses.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <set>

#include "io/checkpoint/safetensors.hpp"
#include "modules/core/log.hpp"
#include "pipelines/certify/denoiser_training.hpp"
#include "pipelines/certify/training_run.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::certify {
namespace {

using tests::expect_error;

/// Two classes of 8 x 8 images: bright on the left, or bright on the right.
LabelledImages halves(std::int64_t count) {
  LabelledImages images{at::full({count, 3, 8, 8}, 30, at::kByte), at::arange(count).remainder(2)};
  for (std::int64_t i = 0; i < count; ++i) images.pixels[i].narrow(2, 4 * (i % 2), 4).fill_(200 + i % 16);
  return images;
}

TEST(TrainingImages, ShowEveryImageOnceARound) {
  LabelledImages images{at::arange(10).to(at::kByte).view({10, 1, 1, 1}).expand({10, 3, 4, 4}).contiguous(),
                        at::arange(10)};
  TrainingImages training(images, {.padding = 0, .flip = false}, 3);
  std::vector<std::int64_t> order;
  for (std::int64_t step = 0; step < 5; ++step) {
    const LabelledBatch batch = training.batch(4, step);
    for (std::int64_t i = 0; i < 4; ++i) {
      order.push_back(batch.labels[i].item<std::int64_t>());
      EXPECT_FLOAT_EQ(batch.images[i].max().item<float>(), static_cast<float>(order.back()) / 255);
    }
  }
  EXPECT_EQ(std::set<std::int64_t>(order.begin(), order.begin() + 10).size(), 10U);
  EXPECT_EQ(std::set<std::int64_t>(order.begin() + 10, order.end()).size(), 10U);
  EXPECT_FALSE(std::equal(order.begin(), order.begin() + 10, order.begin() + 10));
  EXPECT_EQ(training.batch(4, 0).labels[0].item<std::int64_t>(), order[0]);  // whatever was drawn before
}

TEST(TrainingImages, MoveAndMirrorByWholePixels) {
  LabelledImages one{at::zeros({1, 3, 5, 5}, at::kByte), at::zeros({1}, at::kLong)};
  one.pixels[0].select(1, 2).select(1, 1).fill_(255);
  const auto columns = [&](bool flip) {
    TrainingImages training(one, {.padding = 1, .flip = flip}, 0);
    std::set<std::int64_t> seen;
    const at::Tensor images = training.batch(64, 0).images;
    EXPECT_EQ(images.sizes(), (std::vector<std::int64_t>{64, 3, 5, 5}));
    EXPECT_EQ(images.sum().item<double>(), 64 * 3);
    for (std::int64_t i = 0; i < 64; ++i) seen.insert(images[i][0].argmax().item<std::int64_t>() % 5);
    return seen;
  };
  EXPECT_EQ(columns(false), (std::set<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(columns(true), (std::set<std::int64_t>{0, 1, 2, 3, 4}));
}

TEST(TrainingImages, HoldEveryNthApart) {
  const HeldOutImages parts = hold_out({at::zeros({7, 1, 1, 1}, at::kByte), at::arange(7)}, 3);
  EXPECT_TRUE(at::equal(parts.validation.labels, at::tensor({2, 5}, at::kLong)));
  EXPECT_TRUE(at::equal(parts.training.labels, at::tensor({0, 1, 3, 4, 6}, at::kLong)));
  EXPECT_EQ(hold_out({at::zeros({7, 1, 1, 1}, at::kByte), at::arange(7)}, 0).validation.count(), 0);
}

class ClassifierTraining : public testing::Test {
 protected:
  void SetUp() override { log::set_level(log::Level::kWarning); }

  TrainingRun run(const std::string& out, std::int64_t steps = 6) const {
    TrainingRun run;
    run.config.model.input = {.size = 8, .mean = {0.5, 0.5, 0.5}, .std = {0.25, 0.25, 0.25}};
    run.config.model.classes = 2;
    run.config.model.sigmas = {0.1, 0.3};
    run.config.model.network.set("name", "cifar_resnet");
    run.config.model.network.set("depth", "8");
    run.config.model.network.set("classes", "2");
    run.config.train = {.steps = steps, .warmup = 2, .adam = {.lr = 5e-3}, .save_every = 4, .validate_every = steps};
    run.config.augmentation = {.padding = 1, .flip = false};
    run.config.batch = 8;
    run.config.hold_out = 4;
    run.out = folder / out;
    run.seed = 5;
    return run;
  }

  tests::TemporaryFolder folder;
};

TEST_F(ClassifierTraining, ResumesToTheSameBytesAsARunThatNeverStopped) {
  const LabelledImages images = halves(32);
  EXPECT_TRUE(run_training(run("whole"), images));
  for (const std::int64_t step : {0, 3, 5}) {
    const std::string name = "stopped" + std::to_string(step);
    TrainingRun part = run(name);
    part.stop = [asked = std::int64_t{0}, step]() mutable { return asked++ == step; };
    EXPECT_FALSE(run_training(part, images));
    part.stop = {};
    part.resume = true;
    EXPECT_TRUE(run_training(part, images));
    for (const char* file : {"model.safetensors", "state.safetensors"})
      EXPECT_TRUE(folder.read(name + "/" + file) == folder.read(std::string("whole/") + file)) << file << " " << step;
  }
}

TEST_F(ClassifierTraining, LearnsUnderNoise) {
  const LabelledImages images = halves(32);
  run_training(run("long", 25), images);
  const CertifyModel model = CertifyModel::load(folder / "long/model.safetensors");
  EXPECT_EQ(model.config().sigmas, (std::vector<double>{0.1, 0.3}));
  CounterNoise noise(1);
  EXPECT_EQ(noisy_accuracy(model, images, 0, noise), 1);
  EXPECT_GE(noisy_accuracy(model, images, 0.3, noise), 0.9);
  EXPECT_LE(noisy_accuracy(model, images, 30, noise), 0.9);
  const std::string log = folder.read("long/log.jsonl");
  double accuracy = 0, small = 0, large = 0;
  ASSERT_EQ(std::sscanf(log.c_str(),
                        "{\"validated_step\": 25, \"accuracy\": %lf, \"accuracy_0.1\": %lf, "
                        "\"accuracy_0.3\": %lf}",
                        &accuracy, &small, &large),
            3)
      << log;
  EXPECT_EQ(accuracy, 1);
}

TEST_F(ClassifierTraining, TakesTheDisagreementOfCopiesIn) {
  TrainingRun consistent = run("consistent", 25);
  consistent.config.consistency = true;
  EXPECT_TRUE(run_training(consistent, halves(32)));
  const CertifyModel model = CertifyModel::load(folder / "consistent/model.safetensors");
  CounterNoise noise(1);
  EXPECT_GE(noisy_accuracy(model, halves(32), 0.3, noise), 0.9);
}

/// A prior of 8 x 8 images that knows noise of up to sigma 0.5.
restoration::TrainingRun prior_run(const std::filesystem::path& out, std::int64_t steps) {
  restoration::TrainingRun run;
  run.config.model.black = 0;
  run.config.model.white = 1;
  run.config.model.conditional = false;
  run.config.model.target = "edm_f";
  run.config.model.network = ConfigNode::map();
  for (const auto& [key, value] : {std::pair{"name", "sr_resnet"},
                                   {"in_channels", "3"},
                                   {"condition_channels", "0"},
                                   {"out_channels", "3"},
                                   {"channels", "8"},
                                   {"expansion", "2"},
                                   {"blocks", "1"},
                                   {"time_channels", "8"}})
    run.config.model.network.set(key, value);
  run.config.model.process = ConfigNode::map();
  for (const auto& [key, value] :
       {std::pair{"name", "karras_ve"}, {"sigma_min", "0.1"}, {"sigma_max", "1.0"}, {"time", "exact"}})
    run.config.model.process.set(key, value);
  run.config.model.sampler.set("name", "bridge_ddim");
  run.config.train = {.steps = steps, .warmup = 2, .adam = {.lr = 5e-3}, .save_every = 50, .validate_every = steps};
  run.config.norm = "l2";
  run.config.crop = 8;
  run.config.batch = 8;
  run.config.hold_out = 4;
  run.out = out;
  run.seed = 5;
  return run;
}

TEST_F(ClassifierTraining, ADenoiserTakesNoiseAway) {
  const LabelledImages images = halves(32);
  EXPECT_TRUE(train_denoiser(prior_run(folder / "prior", 150), images));
  TrainingRun behind = run("behind", 2);
  behind.denoiser = folder / "prior/model.safetensors";
  EXPECT_TRUE(run_training(behind, images));
  const CertifyModel model = CertifyModel::load(folder / "behind/model.safetensors");
  ASSERT_NE(model.denoiser(), nullptr);
  CounterNoise noise(1);
  const at::Tensor clean = images.pixels.to(at::kFloat) / 255;
  const at::Tensor eps = noise.normal({"test", "eps", 0}, clean.sizes());
  const at::NoGradGuard no_gradients;
  for (const double sigma : {0.2, 0.4}) {
    const at::Tensor error = model.denoised(clean + sigma * eps, sigma) - clean;
    EXPECT_LT(error.square().mean().item<double>(), 0.4 * sigma * sigma) << sigma;
  }
  const auto same = [&](const char* name, const nets::Network& network) {
    for (const auto& [key, tensor] : restoration::RestorationModel::load(folder / name).network().tensors())
      for (const auto& [other, value] : network.tensors())
        if (other == key) {
          EXPECT_TRUE(at::equal(tensor, value)) << key;
        }
  };
  same("prior/model.safetensors", model.denoiser()->network());  // not trained on
  expect_error(Errc::kUsage, "largest noise", [&] { model.of_noisy(0.6); });
}

TEST_F(ClassifierTraining, ADenoiserResumesToTheSameBytes) {
  const LabelledImages images = halves(32);
  EXPECT_TRUE(train_denoiser(prior_run(folder / "whole", 9), images));
  restoration::TrainingRun part = prior_run(folder / "part", 9);
  part.stop = [asked = 0]() mutable { return asked++ == 4; };
  EXPECT_FALSE(train_denoiser(part, images));
  part.stop = {};
  part.resume = true;
  EXPECT_TRUE(train_denoiser(part, images));
  for (const char* file : {"/model.safetensors", "/state.safetensors"})
    EXPECT_TRUE(folder.read(std::string("part") + file) == folder.read(std::string("whole") + file)) << file;
  LabelledImages others = images;
  others.pixels = images.pixels.flip(3);
  expect_error(Errc::kCheckpoint, "other data", [&] { train_denoiser(part, others); });
}

TEST_F(ClassifierTraining, LearnsWhatTheDenoiserLeaves) {
  const LabelledImages images = halves(32);
  // A prior that paints everything black: what stands behind it cannot tell the classes apart, save without noise.
  restoration::TrainingRun prior = prior_run(folder / "prior", 1);
  prior.config.model.target = "x0";
  train_denoiser(prior, images);
  StateDict black = restoration::RestorationModel::load(folder / "prior/model.safetensors").to_file();
  for (const auto& [name, tensor] : black) at::Tensor(tensor).zero_();
  for (const auto& [name, tensor] : black)
    if (name == "last.bias") at::Tensor(tensor).fill_(-1);
  io::write_safetensors(black, folder / "black.safetensors");
  TrainingRun behind = run("behind", 25);
  behind.denoiser = folder / "black.safetensors";
  behind.config.model.sigmas = {0, 0.3};
  EXPECT_TRUE(run_training(behind, images));
  const CertifyModel model = CertifyModel::load(folder / "behind/model.safetensors");
  CounterNoise noise(1);
  EXPECT_EQ(noisy_accuracy(model, images, 0, noise), 1);
  EXPECT_EQ(noisy_accuracy(model, images, 0.3, noise), 0.5);
}

TEST_F(ClassifierTraining, ADenoiserNamesWhatDoesNotFit) {
  const LabelledImages images = halves(8);
  const auto refuses = [&](const std::string& message, auto change) {
    restoration::TrainingRun bad = prior_run(folder / "bad", 2);
    change(bad);
    expect_error(Errc::kUsage, message, [&] { train_denoiser(bad, images); });
  };
  refuses("crop must be the side of the images, which have 8x8",
          [](restoration::TrainingRun& bad) { bad.config.crop = 16; });
  refuses("unconditional prior", [](restoration::TrainingRun& bad) { bad.config.model.white = 255; });
  TrainingRun behind = run("bad", 2);
  behind.config.model.denoiser.set("network.name", "sr_resnet");
  expect_error(Errc::kUsage, "--denoiser", [&] { run_training(behind, images); });
  EXPECT_FALSE(std::filesystem::exists(folder / "bad"));
}

TEST_F(ClassifierTraining, NamesWhatDoesNotFit) {
  const LabelledImages images = halves(8);
  const auto refuses = [&](Errc code, const std::string& message, const LabelledImages& given, auto change) {
    TrainingRun bad = run("bad");
    change(bad);
    expect_error(code, message, [&] { run_training(bad, given); });
  };
  const auto nothing = [](TrainingRun&) {};
  refuses(Errc::kInput, "labels from 0 to 7, the model has the classes 0 to 1", {images.pixels, at::arange(8)},
          nothing);
  refuses(Errc::kInput, "labels from -1 to 0", {images.pixels, images.labels - 1}, nothing);
  refuses(Errc::kInput, "images of 3 channels and 8x6 pixels, the model takes 3 channels and 8x8",
          {images.pixels.narrow(2, 0, 6), images.labels}, nothing);
  refuses(Errc::kInput, "no images", {images.pixels.narrow(0, 0, 0), images.labels.narrow(0, 0, 0)}, nothing);
  refuses(Errc::kInput, "too few", images, [](TrainingRun& bad) { bad.config.hold_out = 9; });
  refuses(Errc::kUsage, "model.sigmas must hold", images, [](TrainingRun& bad) { bad.config.model.sigmas.clear(); });
  refuses(Errc::kUsage, "batch must be", images, [](TrainingRun& bad) { bad.config.batch = 1; });
  EXPECT_FALSE(std::filesystem::exists(folder / "bad"));
  run_training(run("one"), images);
  expect_error(Errc::kOutput, "--resume", [&] { run_training(run("one"), images); });
  TrainingRun other = run("one");
  other.resume = true;
  expect_error(Errc::kCheckpoint, "other data", [&] { run_training(other, halves(12)); });
}

}  // namespace
}  // namespace reseda::certify
