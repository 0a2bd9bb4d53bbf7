#include "pipelines/speech/training_run.hpp"

#include "io/checkpoint/safetensors.hpp"
#include "io/record/json.hpp"
#include "tests/pipelines/speech/speech_fixture.hpp"

namespace reseda::speech {
namespace {

namespace fs = std::filesystem;

class TrainingRunTest : public testing::Test {
 protected:
  void SetUp() override {
    log::set_level(log::Level::kWarning);
    StateDict pack;
    for (int i = 0; i < 4; ++i) {
      const std::string name = std::to_string(i) + ".wav";
      pack.add("clean/1/voices/" + name, as_int16(made_speech(24000, 16000, 110 + 30.0 * i)));
      pack.add("noise/1/hum/" + name, as_int16(made_noise(20000, static_cast<std::uint64_t>(i))));
    }
    io::write_safetensors(pack, folder / "pack.safetensors");
  }

  /// Six steps with everything on: loudness, ideal states, second calls in the last two steps, validation.
  TrainingRun run(const std::string& out) const {
    TrainingRun run;
    TrainingConfig& config = run.config;
    config.model = tiny_config();
    config.model.sample_rate = 16000;
    config.model.stft = {.n_fft = 254, .hop = 85, .window = "hann"};
    config.model.network.set("bins", "128");
    config.train = {.steps = 6, .warmup = 2, .adam = {.lr = 1e-3}, .clip = 1.5, .save_every = 4, .validate_every = 4};
    config.loss = {.distortion = 0.01, .loudness = 0.05, .ideal_share = 0.5, .second_call_from = 0.6};
    config.pairs = 2;
    config.frames = 128;
    config.hold_out = 2;
    config.validation_pairs = 4;
    run.pack = folder / "pack.safetensors";
    run.out = folder / out;
    run.seed = 5;
    return run;
  }

  /// Asks the run to stop before this step.
  static std::function<bool()> stop_before(std::int64_t step) {
    return [asked = std::int64_t{0}, step]() mutable { return asked++ == step; };
  }

  static ConfigNode last_line(const fs::path& file) {
    std::ifstream in(file);
    std::string line, last;
    while (std::getline(in, line)) last = line;
    return io::parse_json(last, "log");
  }

  static bool same_bytes(const fs::path& left, const fs::path& right) { return bytes_of(left) == bytes_of(right); }

  TestFolder folder;
};

TEST_F(TrainingRunTest, ResumesToTheSameBytesAsARunThatNeverStopped) {
  EXPECT_TRUE(run_training(run("whole")));
  for (const std::int64_t step : {0, 3, 5}) {
    const std::string name = "stopped" + std::to_string(step);
    TrainingRun part = run(name);
    part.stop = stop_before(step);
    EXPECT_FALSE(run_training(part));
    EXPECT_FALSE(same_bytes(folder / name / "state.safetensors", folder / "whole/state.safetensors"));
    part.stop = {};
    part.resume = true;
    EXPECT_TRUE(run_training(part));
    for (const char* file : {"model.safetensors", "state.safetensors"}) {
      EXPECT_GT(bytes_of(folder / name / file).size(), 1000U);
      EXPECT_TRUE(same_bytes(folder / name / file, folder / "whole" / file)) << file << " after " << step;
    }
  }
}

TEST_F(TrainingRunTest, ContinuesFromTheLastCheckpointAfterAKill) {
  EXPECT_TRUE(run_training(run("whole")));
  // Killed in step 6: what step 4 saved is there.
  TrainingRun part = run("killed");
  part.progress = [](const Progress& progress) -> bool {
    if (progress.done == 5) throw std::runtime_error("killed");
    return true;
  };
  EXPECT_THROW(run_training(part), std::runtime_error);
  part.progress = {};
  part.resume = true;
  EXPECT_TRUE(run_training(part));
  EXPECT_TRUE(same_bytes(folder / "killed/state.safetensors", folder / "whole/state.safetensors"));
}

TEST_F(TrainingRunTest, SavesTheAveragedModel) {
  EXPECT_TRUE(run_training(run("out")));
  const SpeechModel model = SpeechModel::load(folder / "out/model.safetensors");
  const StateDict state = io::read_safetensors(folder / "out/state.safetensors");
  EXPECT_EQ(state.metadata.at("step"), "6");
  bool moved = false;
  for (const auto& [name, tensor] : model.network().tensors()) {
    EXPECT_TRUE(at::equal(tensor, state.at("average." + name))) << name;
    moved = moved || !at::equal(tensor, state.at("weights." + name));
  }
  EXPECT_TRUE(moved);
}

TEST_F(TrainingRunTest, WritesAValidationLine) {
  EXPECT_TRUE(run_training(run("out")));
  const ConfigNode line = last_line(folder / "out/log.jsonl");
  EXPECT_EQ(line.find("validated_step")->scalar(), "6");
  for (const char* key : {"si_sdr_db", "input_si_sdr_db", "loudness_distance", "input_loudness_distance"}) {
    ASSERT_NE(line.find(key), nullptr) << key;
    EXPECT_TRUE(std::isfinite(std::stod(line.find(key)->scalar()))) << key;
  }
}

TEST_F(TrainingRunTest, LeavesLoudnessOutOfTheValidationOfOtherRates) {
  TrainingRun other = run("out");
  other.config.model.sample_rate = 8000;
  other.config.loss.loudness = 0;
  EXPECT_TRUE(run_training(other));
  EXPECT_EQ(last_line(folder / "out/log.jsonl").find("loudness_distance"), nullptr);
}

TEST_F(TrainingRunTest, DependsOnTheSeed) {
  TrainingRun first = run("a"), second = run("b");
  for (TrainingRun* one : {&first, &second}) one->config.train.steps = 1, one->config.hold_out = 0;
  second.seed = 6;
  run_training(first);
  run_training(second);
  EXPECT_FALSE(same_bytes(folder / "a/model.safetensors", folder / "b/model.safetensors"));
}

TEST_F(TrainingRunTest, RefusesAFolderThatHoldsARun) {
  TrainingRun one = run("out");
  one.config.train.steps = 1;
  run_training(one);
  const std::string before = bytes_of(folder / "out/state.safetensors");
  expect_error(Errc::kOutput, "give --resume", [&] { run_training(one); });
  EXPECT_TRUE(bytes_of(folder / "out/state.safetensors") == before);
}

TEST_F(TrainingRunTest, RefusesToResumeAnotherConfigurationOrSeed) {
  TrainingRun one = run("out");
  one.config.train.steps = 1;
  run_training(one);
  one.resume = true;
  TrainingRun other = one;
  other.config.train.adam.lr = 2e-3;
  expect_error(Errc::kCheckpoint, "another configuration, seed", [&] { run_training(other); });
  other = one;
  other.seed = 6;
  expect_error(Errc::kCheckpoint, "another configuration, seed", [&] { run_training(other); });
  EXPECT_TRUE(run_training(one)) << "a finished run has nothing left to do";
}

TEST_F(TrainingRunTest, RefusesToResumeOnOtherRecordings) {
  TrainingRun one = run("out");
  one.config.train.steps = 1;
  run_training(one);
  StateDict pack = io::read_safetensors(one.pack);
  pack.metadata["reseda.pack"] = "other recordings";
  one.pack = folder / "other.safetensors";
  io::write_safetensors(pack, one.pack);
  one.resume = true;
  expect_error(Errc::kCheckpoint, "other data", [&] { run_training(one); });
}

TEST_F(TrainingRunTest, StartsFromTheWeightsOfAModel) {
  TrainingRun first = run("first"), second = run("second");
  run_training(first);
  second.initial = folder / "first/model.safetensors";
  second.config.train.steps = 1;
  second.config.train.adam.lr = 1e-7;
  second.seed = 6;  // random weights would differ
  run_training(second);
  const StateDict before = io::read_safetensors(second.initial);
  for (const auto& [name, tensor] : io::read_safetensors(folder / "second/model.safetensors"))
    EXPECT_TRUE(at::allclose(tensor, before.at(name), 0, 1e-6)) << name;
  TrainingRun other = run("third");
  other.config.model.network.set("dilations", "[1]");
  other.initial = second.initial;
  expect_error(Errc::kCheckpoint, "unexpected", [&] { run_training(other); });
}

TEST_F(TrainingRunTest, MinimisesTheOfficialLosses) {
  for (const char* type : {"score_matching", "denoiser", "data_prediction"}) {
    TrainingRun one = run(type);
    one.config.objective = "official";
    one.config.official.num_frames = one.config.frames;
    one.config.model.parametrization.loss_type = type;
    one.config.train.steps = 40;
    one.config.train.save_every = one.config.train.validate_every = 40;
    one.config.train.adam.lr = 3e-3;
    EXPECT_TRUE(run_training(one)) << type;
    const double trained = std::stod(last_line(folder / type / "log.jsonl").find("loss")->scalar());
    one.out = folder / (std::string(type) + " untrained");
    one.config.train.adam.lr = 1e-9;
    EXPECT_TRUE(run_training(one)) << type;
    const double untrained =
        std::stod(last_line(folder / (std::string(type) + " untrained") / "log.jsonl").find("loss")->scalar());
    EXPECT_LT(trained, 0.95 * untrained) << type;
  }
}

TEST_F(TrainingRunTest, RefusesAValidationWithoutRecordingsAtTheStart) {
  TrainingRun one = run("out");
  one.config.hold_out = 25;
  expect_error(Errc::kInput, "hold_out 25 leaves no clean recording", [&] { run_training(one); });
  EXPECT_FALSE(fs::exists(folder / "out/state.safetensors"));
}

TEST_F(TrainingRunTest, RefusesSettingsByName) {
  const auto refused = [&](const std::function<void(TrainingConfig&)>& change, const std::string& part) {
    TrainingRun one = run("out");
    change(one.config);
    expect_error(Errc::kUsage, part, [&] { run_training(one); });
  };
  refused([](TrainingConfig& c) { c.objective = "mse"; }, "objective must be few_call or official, got 'mse'");
  refused([](TrainingConfig& c) { c.objective = "official"; }, "official.num_frames must be at most frames (128)");
  refused([](TrainingConfig& c) { c.pairs = 0; }, "pairs must be 1 to 4096, got 0");
  refused([](TrainingConfig& c) { c.frames = 63; }, "frames must be at least 64, got 63");
  refused([](TrainingConfig& c) { c.frames = 129; }, "frames must be a multiple of 2");
  refused([](TrainingConfig& c) { c.frames = 96; }, "loss.loudness needs a model at 16000 Hz");
  refused([](TrainingConfig& c) { c.model.sample_rate = 8000; }, "loss.loudness needs a model at 16000 Hz");
  refused([](TrainingConfig& c) { c.precision = "f16"; }, "precision must be f32 or bf16, got 'f16'");
  refused([](TrainingConfig& c) { c.hold_out = 1; }, "hold_out must be 0 or at least 2, got 1");
  refused([](TrainingConfig& c) { c.validation_pairs = 0; }, "validation_pairs");
  refused([](TrainingConfig& c) { c.loss.wave = -1; }, "loss.spectral");
}

}  // namespace
}  // namespace reseda::speech
