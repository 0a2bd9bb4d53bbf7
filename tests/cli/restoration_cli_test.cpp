// reseda infrared train and reseda tools bench as real processes: killed and resumed, and what they refuse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <vector>

#include "io/record/png.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::size_t kSide = 24;

class RestorationCli : public testing::Test {
 protected:
  void SetUp() override {
    for (int kind = 0; kind < 3; ++kind) {
      std::vector<std::uint8_t> pixels;
      for (std::size_t i = 0; i < kSide * kSide; ++i)
        pixels.push_back(static_cast<std::uint8_t>(128 + 100 * std::sin(0.1 * static_cast<double>(i) * (kind + 1))));
      folder_.write("frames/" + std::to_string(kind) + ".png",
                    io::encode_png(pixels, kSide, kSide, io::PngColor::kGray));
    }
    folder_.write("frames/notes.txt", "not an image");
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  /// A run of the smallest network on small crops.
  std::vector<std::string> training(const std::string& out, const std::string& steps) const {
    return {"reseda-infrared",
            "train",
            "--data",
            path("frames"),
            "--recipe",
            "restoration/rddm-demo",
            "-o",
            path(out),
            "--steps",
            steps,
            "--threads",
            "1",
            "--set",
            "model.network.dim=8",
            "--set",
            "model.network.dim_mults=[1, 2]",
            "--set",
            "train.save_every=2",
            "--set",
            "crop=8",
            "--set",
            "batch=1",
            "--set",
            "hold_out=0"};
  }
  Outcome bench(const std::vector<std::string>& words) const {
    std::vector<std::string> all{"reseda-tools", "bench"};
    all.insert(all.end(), words.begin(), words.end());
    return run(all);
  }
  TemporaryFolder folder_;
};

TEST_F(RestorationCli, AKilledTrainingResumesToTheSameBytes) {
  const Outcome whole = run(training("whole", "30"));
  ASSERT_EQ(whole.code, 0) << whole.err;
  {
    Process killed(training("killed", "30"));
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(folder_ / "killed/state.safetensors"); }));
    killed.send(SIGKILL);
    killed.wait();
  }
  const Outcome refused = run(training("killed", "30"));
  EXPECT_EQ(refused.code, 5) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("--resume"));
  std::vector<std::string> again = training("killed", "30");
  again.push_back("--resume");
  const Outcome resumed = run(again);
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(folder_.read("killed/model.safetensors"), folder_.read("whole/model.safetensors"));
  EXPECT_EQ(folder_.read("killed/state.safetensors"), folder_.read("whole/state.safetensors"));
}

TEST_F(RestorationCli, EveryShippedRecipeIsRead) {
  const auto recipe_is_read = [&](const std::string& program, const std::string& recipe) {
    const Outcome got =
        run({program, "train", "--recipe", recipe, "-o", path("x"), "--data", path("frames"), "--print-config"});
    EXPECT_EQ(got.code, 0) << recipe << ": " << got.err;
    EXPECT_THAT(got.out, HasSubstr("target:"));
  };
  recipe_is_read("reseda-infrared", "restoration/rddm-demo");
  recipe_is_read("reseda-infrared", "restoration/resfusion-demo");
  const Outcome steps = run({"reseda-infrared", "train", "-o", path("x"), "--data", path("frames"), "--steps", "7",
                             "--set", "train.steps=9", "--print-config"});
  EXPECT_THAT(steps.out, HasSubstr("steps: 7\n"));
  const Outcome typo = run({"reseda-infrared", "train", "-o", path("x"), "--data", path("frames"), "--set", "bach=2"});
  EXPECT_EQ(typo.code, 2);
  EXPECT_THAT(typo.err, HasSubstr("batch"));
}

TEST_F(RestorationCli, BenchWritesATableAndAPlotAndRefusesToOverwrite) {
  ASSERT_EQ(run(training("run", "2")).code, 0);
  const std::vector<std::string> words{"solvers", "--model",      path("run/model.safetensors"),
                                       "--data",  path("frames"), "--calls",
                                       "1,2",     "--images",     "1",
                                       "-o",      path("table")};
  const Outcome got = bench(words);
  ASSERT_EQ(got.code, 0) << got.err;
  EXPECT_THAT(got.out, HasSubstr("DPM-Solver++ 2M"));
  EXPECT_THAT(folder_.read("table/solvers.csv"), StartsWith("model,solver,calls,psnr_db"));
  EXPECT_THAT(folder_.read("table/solvers-rddm-demo.svg"), HasSubstr("<svg"));
  const Outcome twice = bench(words);
  EXPECT_EQ(twice.code, 5) << twice.err;
  EXPECT_THAT(twice.err, HasSubstr("--overwrite"));
}

TEST_F(RestorationCli, BenchNamesWhatItCannotUse) {
  ASSERT_EQ(run(training("run", "1")).code, 0);
  const std::string model = path("run/model.safetensors");
  const Outcome calls =
      bench({"solvers", "--model", model, "--data", path("frames"), "--calls", "1,x", "-o", path("t")});
  EXPECT_EQ(calls.code, 2);
  EXPECT_THAT(calls.err, HasSubstr("--calls must be numbers"));
  const Outcome prior = bench({"inverse", "--model", model, "--data", path("frames"), "-o", path("t")});
  EXPECT_EQ(prior.code, 2);
  EXPECT_THAT(prior.err, HasSubstr("needs a prior"));
  const Outcome frame = bench({"solvers", "--model", path("frames/0.png"), "--data", path("frames"), "-o", path("t")});
  EXPECT_EQ(frame.code, 4) << frame.err;
  const Outcome name = bench({"inverse", "--model", "medical-prio", "--data", path("frames"), "-o", path("t")});
  EXPECT_EQ(name.code, 4);
  EXPECT_THAT(name.err, HasSubstr("did you mean 'medical-prior'?"));
  const Outcome kind = bench({"speed", "--model", model, "--data", path("frames"), "-o", path("t")});
  EXPECT_EQ(kind.code, 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "t"));
}

/// bench inverse with the shipped prior, few steps.
class InverseCli : public RestorationCli {
 protected:
  Outcome inverse(const std::string& out, const std::vector<std::string>& more,
                  const std::string& data = "frames") const {
    std::vector<std::string> words{"inverse", "--model",  RESEDA_SOURCE_DIR "/models/medical-prior.safetensors",
                                   "--data",  path(data), "--threads",
                                   "1",       "-o",       path(out)};
    words.insert(words.end(), more.begin(), more.end());
    return bench(words);
  }
};

TEST_F(InverseCli, EndsWithSevenAndTheResidualsWhereASolverDiverges) {
  const Outcome got = inverse("table", {"--operator", "inpaint", "--solver", "red_diff:lr=1e30", "--solver", "ddnm",
                                        "--steps", "10", "--pictures"});
  EXPECT_EQ(got.code, 7) << got.err;
  EXPECT_THAT(got.err, HasSubstr("inpaint: red_diff diverged by step 10 of 10: the residual |y - H(x)|"));
  EXPECT_THAT(got.err, HasSubstr("numeric: 1 of 3 rows diverged"));
  const std::string table = folder_.read("table/inverse.csv");
  EXPECT_THAT(table, HasSubstr("inpaint,red_diff:lr=1e30,,,,,,"));
  EXPECT_THAT(table, testing::ContainsRegex("inpaint,ddnm,[0-9.]+,"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "table/inpaint, ddnm.png"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "table/inpaint, red_diff:lr=1e30.png"));
}

TEST_F(InverseCli, WhatDoesNotFitIsARowAndNoFailure) {
  const Outcome got = inverse("table", {"--operator", "composition", "--solver", "ddrm", "--steps", "2"});
  EXPECT_EQ(got.code, 0) << got.err;
  EXPECT_THAT(folder_.read("table/inverse.csv"), testing::ContainsRegex("composition,ddrm,,,,,,.*spectral form"));
  const Outcome typo = inverse("typo", {"--solver", "dps:scal=1"});
  EXPECT_EQ(typo.code, 2);
  EXPECT_THAT(typo.err, HasSubstr("did you mean 'solver.scale'"));
  const Outcome many = inverse("many", {"--samples", "2", "--images", "2"});
  EXPECT_EQ(many.code, 2);
  EXPECT_THAT(many.err, HasSubstr("--samples looks at one image"));
}

TEST_F(InverseCli, ScalesByTheBitsOfTheFilesAndAveragesOverThem) {
  // The same frame in 8 and in 16 bits: 257 x is to 65535 what x is to 255.
  std::string head = "P5 24 24 ", eight = head + "255\n", sixteen = head + "65535\n";
  for (std::size_t i = 0; i < kSide * kSide; ++i) {
    const char value = static_cast<char>(64 + i % 128);
    eight += value;
    sixteen += std::string(2, value);
  }
  folder_.write("eight/a.pgm", eight);
  folder_.write("sixteen/a.pgm", sixteen);
  folder_.write("both/a.pgm", eight);
  folder_.write("both/b.pgm", sixteen);
  const std::vector<std::string> words{"--operator", "inpaint", "--solver", "ddnm:eta=0",
                                       "--steps",    "2",       "--sigma",  "0"};
  ASSERT_EQ(inverse("t8", words, "eight").code, 0);
  ASSERT_EQ(inverse("t16", words, "sixteen").code, 0);
  std::vector<std::string> all = words;
  all.insert(all.end(), {"--images", "0"});
  ASSERT_EQ(inverse("t2", all, "both").code, 0);
  const auto first_guess = [&](const std::string& table) {
    const std::string text = folder_.read(table + "/inverse.csv");
    const std::size_t at = text.find("first guess");
    return text.substr(at, text.find('\n', at) - at);
  };
  EXPECT_THAT(first_guess("t8"), StartsWith("first guess,"));
  EXPECT_EQ(first_guess("t8"), first_guess("t16"));
  EXPECT_EQ(first_guess("t8"), first_guess("t2"));  // without noise the two images give the same
}

}  // namespace
}  // namespace reseda::tests
