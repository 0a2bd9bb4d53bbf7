#include "pipelines/restoration/training_run.hpp"

#include "io/checkpoint/safetensors.hpp"
#include "tests/pipelines/restoration/restoration_fixture.hpp"

namespace reseda::restoration {
namespace {

class RestorationTrainingTest : public testing::Test {
 protected:
  void SetUp() override {
    log::set_level(log::Level::kWarning);
    for (std::uint64_t i = 0; i < 4; ++i) write_frame(folder / ("frames/" + std::to_string(i) + ".png"), 24, 20, i);
  }

  TrainingRun run(const std::string& out, std::int64_t steps = 6) const {
    TrainingRun run;
    run.config.model = tiny_config();
    run.config.train = {.steps = steps, .warmup = 2, .adam = {.lr = 2e-3}, .save_every = 4, .validate_every = steps};
    run.config.crop = 16;
    run.config.batch = 2;
    run.config.hold_out = 4;
    run.config.validation_crops = 4;
    run.out = folder / out;
    run.seed = 5;
    return run;
  }

  bool train(const TrainingRun& run) const {
    return run_training(run, read_images({folder / "frames"}, run.config.crop));
  }

  static std::function<bool()> stop_before(std::int64_t step) {
    return [asked = std::int64_t{0}, step]() mutable { return asked++ == step; };
  }

  tests::TemporaryFolder folder;
};

TEST_F(RestorationTrainingTest, ResumesToTheSameBytesAsARunThatNeverStopped) {
  EXPECT_TRUE(train(run("whole")));
  for (const std::int64_t step : {0, 3, 5}) {
    const std::string name = "stopped" + std::to_string(step);
    TrainingRun part = run(name);
    part.stop = stop_before(step);
    EXPECT_FALSE(train(part));
    part.stop = {};
    part.resume = true;
    EXPECT_TRUE(train(part));
    for (const char* file : {"model.safetensors", "state.safetensors"})
      EXPECT_EQ(bytes_of(folder / name / file), bytes_of(folder / "whole" / file)) << file << " after " << step;
  }
}

TEST_F(RestorationTrainingTest, LearnsToRestore) {
  train(run("long", 50));
  std::ifstream log(folder / "long/log.jsonl");
  std::string line, last;
  while (std::getline(log, line)) last = line.find("psnr") != std::string::npos ? line : last;
  double psnr = 0, input = 0;
  ASSERT_EQ(std::sscanf(last.c_str(), "{\"validated_step\": 50, \"psnr\": %lf, \"psnr_of_input\": %lf", &psnr, &input),
            2)
      << last;
  EXPECT_GT(psnr, input + 1.0);
}

TEST_F(RestorationTrainingTest, StartsFromTheWeightsOfAModelFile) {
  train(run("first", 3));
  TrainingRun further = run("further", 1);
  further.config.train.adam.lr = 1e-12;
  further.initial = folder / "first/model.safetensors";
  train(further);
  const StateDict first = io::read_safetensors(folder / "first/model.safetensors"),
                  same = io::read_safetensors(folder / "further/model.safetensors");
  for (const auto& [name, tensor] : first) EXPECT_TRUE(at::allclose(tensor, same.at(name), 0, 1e-7)) << name;
  TrainingRun resumed = run("further", 1);
  resumed.resume = true;
  expect_error(Errc::kCheckpoint, "another configuration, seed or other data", [&] { train(resumed); });
  further.out = folder / "wider";
  further.config.model.network["dim"] = ConfigNode("16");
  expect_error(Errc::kCheckpoint, "shape", [&] { train(further); });
}

TEST_F(RestorationTrainingTest, RefusesAnotherRunsFolderAndDataThatDoNotFit) {
  train(run("one"));
  expect_error(Errc::kOutput, "--resume", [&] { train(run("one")); });
  TrainingRun other = run("one");
  other.resume = true;
  other.seed = 6;
  expect_error(Errc::kCheckpoint, "another configuration, seed or other data", [&] { train(other); });
  TrainingRun large = run("large");
  large.config.crop = 32;
  expect_error(Errc::kInput, "expected at least 32", [&] { train(large); });
  TrainingRun odd = run("odd");
  odd.config.crop = 15;
  expect_error(Errc::kUsage, "multiple of 2", [&] { train(odd); });
  TrainingRun all = run("all");
  all.config.hold_out = 5;
  expect_error(Errc::kInput, "too few images", [&] { train(all); });
}

TEST_F(RestorationTrainingTest, TrainsAPriorOnTheImagesAlone) {
  TrainingRun prior = run("prior", 40);
  prior.config.model.conditional = false;
  prior.config.model.network["condition_channels"] = ConfigNode("0");
  prior.config.model.process = node_of({{"name", "rddm"}, {"steps", "100"}, {"start", "noise"}});
  prior.config.model.target = "x0";
  EXPECT_TRUE(train(prior));
  EXPECT_FALSE(RestorationModel::load(folder / "prior/model.safetensors").config().conditional);
}

}  // namespace
}  // namespace reseda::restoration
