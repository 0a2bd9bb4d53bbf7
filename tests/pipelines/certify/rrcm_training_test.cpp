// rRCM's training: the encoder by contrast, then the classifier that is told the noise.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <set>

#include "io/checkpoint/safetensors.hpp"
#include "modules/core/log.hpp"
#include "pipelines/certify/contrast_training.hpp"
#include "pipelines/certify/training_run.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::certify {
namespace {

using tests::expect_error;

/// Two classes of 8 x 8 images: red or blue ones, each of another texture.
LabelledImages coloured(std::int64_t count) {
  LabelledImages images{at::empty({count, 3, 8, 8}, at::kByte), at::arange(count).remainder(2)};
  for (std::int64_t i = 0; i < count; ++i) {
    images.pixels[i].copy_((at::arange(192).view({3, 8, 8}) * (2 * i + 3)).remainder(91));
    images.pixels[i][i % 2 == 0 ? 0 : 2].add_(150);
  }
  return images;
}

class RrcmTraining : public testing::Test {
 protected:
  void SetUp() override { log::set_level(log::Level::kWarning); }

  static CertifyModelConfig model() {
    CertifyModelConfig model;
    model.input.size = 8;
    model.classes = 2;
    for (const auto& [key, value] : {std::pair{"name", "rrcm_vit"},
                                     {"image_size", "8"},
                                     {"patch_size", "4"},
                                     {"embed_dim", "16"},
                                     {"hidden_dim", "16"},
                                     {"output_dim", "8"},
                                     {"depth", "2"},
                                     {"num_heads", "2"},
                                     {"classes", "2"}})
      model.network.set(key, value);
    model.process.set("name", "karras_ve");
    model.process.set("sigma_max", "2.0");
    return model;
  }

  ContrastRun contrast(const std::string& out, std::int64_t steps = 6) const {
    ContrastRun run;
    run.config.model = model();
    run.config.train = {.steps = steps, .warmup = 2, .adam = {.lr = 5e-3}, .save_every = 4};
    run.config.schedule = {.start_scales = 4, .end_scales = 16};
    run.config.batch = 8;
    run.out = folder / out;
    run.seed = 5;
    return run;
  }

  TrainingRun tuning(const std::string& out, std::int64_t steps = 6) const {
    TrainingRun run;
    run.config.model = model();
    run.config.model.sigmas = {0.1, 0.3};
    run.config.train = {.steps = steps, .warmup = 2, .adam = {.lr = 5e-3}, .save_every = 4, .validate_every = steps};
    run.config.augmentation = {.padding = 0, .flip = false};
    run.config.batch = 8;
    run.config.hold_out = 4;
    run.out = folder / out;
    run.seed = 5;
    return run;
  }

  /// Runs that stop and go on end with the bytes of one that does not.
  template <class Run, class Train>
  void expect_same_bytes(const Run& whole, const Train& trained) {
    EXPECT_TRUE(trained(whole));
    for (const std::int64_t step : {0, 3, 5}) {
      Run part = whole;
      part.out = folder / ("stopped" + std::to_string(step));
      part.stop = [asked = std::int64_t{0}, step]() mutable { return asked++ == step; };
      EXPECT_FALSE(trained(part));
      part.stop = {};
      part.resume = true;
      EXPECT_TRUE(trained(part));
      for (const char* file : {"model.safetensors", "state.safetensors"})
        EXPECT_TRUE(folder.read(part.out.filename() / file) == folder.read(whole.out.filename() / file))
            << file << " " << step;
    }
  }

  /// The names of a file's tensors that are not those of another's.
  std::set<std::string> changed(const std::string& left, const std::string& right) const {
    const StateDict a = io::read_safetensors(folder / left), b = io::read_safetensors(folder / right);
    std::set<std::string> names;
    for (const auto& [name, tensor] : a)
      if (!at::equal(tensor, b.at(name))) names.insert(name);
    return names;
  }

  tests::TemporaryFolder folder;
};

TEST_F(RrcmTraining, ContrastResumesToTheSameBytesAsARunThatNeverStopped) {
  const LabelledImages images = coloured(20);
  expect_same_bytes(contrast("whole"), [&](const ContrastRun& run) { return run_contrast(run, images); });
}

TEST_F(RrcmTraining, ContrastLowersItsLoss) {
  const auto last_loss = [&](const std::string& out, double lr) {
    ContrastRun run = contrast(out, 60);
    run.config.train.adam.lr = lr;
    double loss = 0;
    run.progress = [&](const Progress& progress) {
      loss = std::stod(progress.note.substr(5));  // "loss ..."
      return true;
    };
    EXPECT_TRUE(run_contrast(run, coloured(20)));
    return loss;
  };
  EXPECT_LT(last_loss("trained", 5e-3), last_loss("still", 1e-9) - 0.2) << "of the same views";
}

TEST_F(RrcmTraining, ContrastMovesTheEncoderAndItsTargetAndLeavesTheHead) {
  ContrastRun run = contrast("run", 1);
  run_contrast(run, coloured(20));
  const StateDict state = io::read_safetensors(folder / "run/state.safetensors");
  const std::string place = "base_model.blocks.0.attn.qkv.weight";
  at::manual_seed(5);
  const CertifyModel first(model());
  at::Tensor before, head;
  for (const auto& [name, tensor] : first.network().tensors()) {
    if (name == place) before = tensor.detach();
    if (name == "linear_head.weight") head = tensor.detach();
  }
  const at::Tensor weight = state.at("weights." + place), target = state.at("untrained.target." + place);
  // The target's average begins with the rate 0.99.
  EXPECT_LT((target - (0.99 * before + 0.01 * weight)).abs().max().item<double>(), 1e-7);
  EXPECT_GT((target - before).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(at::equal(state.at("untrained.linear_head.weight"), head));
  EXPECT_EQ(state.at("untrained.target.base_model.projection_head.1.num_batches_tracked").item<std::int64_t>(), 2);
  EXPECT_EQ(state.at("untrained.base_model.projection_head.1.num_batches_tracked").item<std::int64_t>(), 4);
}

TEST_F(RrcmTraining, TuningResumesToTheSameBytesAsARunThatNeverStopped) {
  const LabelledImages images = coloured(20);
  TrainingRun run = tuning("whole");
  run.config.consistency = true;
  run.config.tune.layer_decay = 0.5;
  expect_same_bytes(run, [&](const TrainingRun& one) { return run_training(one, images); });
}

TEST_F(RrcmTraining, TuningLearnsUnderNoiseThatTheNetworkIsTold) {
  const LabelledImages images = coloured(32);
  run_contrast(contrast("contrast", 5), images);
  TrainingRun run = tuning("classifier", 60);
  run.initial = folder / "contrast/model.safetensors";
  EXPECT_TRUE(run_training(run, images));
  const CertifyModel classifier = CertifyModel::load(folder / "classifier/model.safetensors");
  CounterNoise noise(1);
  EXPECT_EQ(noisy_accuracy(classifier, images, 0, noise), 1);
  EXPECT_GE(noisy_accuracy(classifier, images, 0.3, noise), 0.9);
}

TEST_F(RrcmTraining, ThePartThatIsNotTunedStays) {
  const LabelledImages images = coloured(20);
  run_contrast(contrast("contrast", 1), images);
  const auto changes = [&](const std::string& part) {
    TrainingRun run = tuning(part, 2);
    run.initial = folder / "contrast/model.safetensors";
    run.config.tune.part = part;
    run_training(run, images);
    return changed("contrast/model.safetensors", part + "/model.safetensors");
  };
  const std::set<std::string> head = {"classifier.linear_head.bias", "classifier.linear_head.weight"};
  EXPECT_EQ(changes("head"), head);
  const std::set<std::string> encoder = changes("encoder"), all = changes("all");
  EXPECT_EQ(encoder.count("classifier.base_model.blocks.1.mlp.fc2.weight"), 1U);
  std::set<std::string> both = encoder;
  both.insert(head.begin(), head.end());
  EXPECT_EQ(all, both);
  for (const std::string& name : all) EXPECT_EQ(name.find("projection_head"), std::string::npos) << name;
  for (const std::string& name : encoder) EXPECT_EQ(head.count(name), 0U) << name;
}

TEST_F(RrcmTraining, LowerLayersLearnMoreSlowly) {
  const LabelledImages images = coloured(20);
  run_contrast(contrast("contrast", 1), images);
  const StateDict before = io::read_safetensors(folder / "contrast/model.safetensors").with_prefix("classifier.");
  const auto moved = [&](const std::string& out, double decay) {
    TrainingRun run = tuning(out, 1);
    run.initial = folder / "contrast/model.safetensors";
    run.config.train.warmup = 0;
    run.config.tune.layer_decay = decay;
    run_training(run, images);
    const StateDict after = io::read_safetensors(folder / (out + "/state.safetensors"));
    std::vector<double> most;
    for (const char* name : {"base_model.pos_embed", "base_model.blocks.0.mlp.fc1.weight",
                             "base_model.blocks.1.mlp.fc1.weight", "linear_head.weight"})
      most.push_back((after.at(std::string("weights.") + name) - before.at(name)).abs().max().item<double>());
    return most;
  };
  // The first step of Adam moves every value by the rate.
  for (const double most : moved("even", 1)) EXPECT_NEAR(most, 5e-3, 1e-4);
  const std::vector<double> decayed = moved("decayed", 0.5);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(decayed[i], 5e-3 / static_cast<double>(8 >> i), 2e-5) << i;
}

TEST_F(RrcmTraining, NamesWhatDoesNotFit) {
  const LabelledImages images = coloured(8);
  const auto refuses = [&](const std::string& message, auto change) {
    ContrastRun bad = contrast("bad");
    change(bad.config);
    expect_error(Errc::kUsage, message, [&] { run_contrast(bad, images); });
  };
  refuses("model.process is missing", [](ContrastConfig& bad) { bad.model.process = ConfigNode::map(); });
  refuses("model.network must be rrcm_vit with classes: 3", [](ContrastConfig& bad) { bad.model.classes = 3; });
  refuses("model.process must be karras_ve", [](ContrastConfig& bad) { bad.model.process.set("name", "ddpm"); });
  refuses("tau", [](ContrastConfig& bad) { bad.tau = 0; });
  refuses("batch must be", [](ContrastConfig& bad) { bad.batch = 1; });
  const auto refuses_tuning = [&](const std::string& message, auto change) {
    TrainingRun bad = tuning("bad");
    change(bad.config);
    expect_error(Errc::kUsage, message, [&] { run_training(bad, images); });
  };
  refuses_tuning("tune.part must be", [](TrainingConfig& bad) { bad.tune.part = "projector"; });
  refuses_tuning("tune.layer_decay must be", [](TrainingConfig& bad) { bad.tune.layer_decay = 0; });
  refuses_tuning("model.network must be rrcm_vit",
                 [](TrainingConfig& bad) { bad.model.network.set("name", "cifar_resnet"); });
  refuses_tuning("tune is of rRCM's classifier", [](TrainingConfig& bad) {
    bad.model.process = ConfigNode::map();
    bad.tune.part = "head";
  });
  ContrastRun other = contrast("bad");
  expect_error(Errc::kInput, "images of 3 channels and 8x6 pixels", [&] {
    run_contrast(other, {images.pixels.narrow(2, 0, 6), images.labels});
  });
  EXPECT_FALSE(std::filesystem::exists(folder / "bad"));
  run_contrast(contrast("one", 1), images);
  other = contrast("one", 1);
  expect_error(Errc::kOutput, "--resume", [&] { run_contrast(other, images); });
  other.resume = true;
  other.seed = 6;
  expect_error(Errc::kCheckpoint, "seed", [&] { run_contrast(other, images); });
}

}  // namespace
}  // namespace reseda::certify
