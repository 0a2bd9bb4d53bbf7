// reseda certify analyze and train as real processes: what they write, say and refuse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "io/record/json.hpp"
#include "io/record/png.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

using testing::HasSubstr;

const std::string kLog =
    "idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t3\t3\t0.5\t1\t15.4\n20\t1\t1\t0.25\t1\t17.0\n"
    "40\t2\t5\t0.9\t0\t16.9\n60\t2\t-1\t0.0\t0\t16.8\n";

class CertifyAnalyzeCli : public testing::Test {
 protected:
  Outcome analyze(const std::vector<std::string>& more) const {
    std::vector<std::string> words = {"reseda-certify", "analyze"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  TemporaryFolder folder_;
};

TEST_F(CertifyAnalyzeCli, WritesTheSameReportTwiceAndTheLogAsItCame) {
  folder_.write("a.tsv", kLog);
  folder_.write("sigma_0.25", kLog);
  const std::vector<std::string> words = {path("a.tsv"), path("sigma_0.25"), "--name", "ours", "--name", "theirs"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), words.begin(), words.end());
    return analyze(more);
  };
  const Outcome first = with({"-o", path("one"), "--tsv"}), second = with({"-o", path("two"), "--json"});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("theirs         4    0.500     0.500     0.250     0.000     0.000      0.188\n"));
  EXPECT_THAT(first.err, HasSubstr(path("one/report.html")));
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(second.out, folder_.read("two/analysis.json"));
  EXPECT_EQ(io::parse_json(second.out, "out").find("runs")->items().size(), 2U);
  for (const char* name : {"curves.csv", "analysis.json", "curves.svg", "report.html"})
    EXPECT_EQ(folder_.read(std::string("one/") + name), folder_.read(std::string("two/") + name)) << name;
  EXPECT_EQ(folder_.read("one/theirs.tsv"), kLog);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "two/theirs.tsv"));
  const Outcome refused = with({"-o", path("one")});
  EXPECT_EQ(refused.code, 5);
  EXPECT_THAT(refused.err, HasSubstr("--overwrite"));
}

TEST_F(CertifyAnalyzeCli, PrintsTheOfficialTables) {
  folder_.write("a.tsv", kLog);
  const Outcome markdown = analyze({path("a.tsv"), "--table", "markdown", "--radii", "0.25,0.5"});
  EXPECT_EQ(markdown.out, "|  | r = 0.25 |r = 0.5 |\n| --- |  --- | --- |\n<b> a </b>| 0.50<b>*</b> |0.25<b>*</b> |\n");
  EXPECT_THAT(analyze({path("a.tsv"), "--table", "latex"}).out, HasSubstr("\\midrule\na & \\textbf{0.50}"));
}

TEST_F(CertifyAnalyzeCli, NamesWhatItCannotUse) {
  folder_.write("a.tsv", kLog);
  folder_.write("b/a.tsv", kLog);
  folder_.write("cut.tsv", kLog.substr(0, kLog.size() - 2));
  folder_.write("half.tsv", kLog.substr(0, kLog.size() - 7));
  folder_.write("run.jsonl", "{\"idx\": 1}\n");
  const auto refuses = [&](int code, const std::string& message, const std::vector<std::string>& words) {
    const Outcome got = analyze(words);
    EXPECT_EQ(got.code, code) << got.err;
    EXPECT_THAT(got.err, HasSubstr(message));
  };
  refuses(3, path("cut.tsv") + ": line 5 has no end: the file was cut in the middle of it", {path("cut.tsv")});
  refuses(3, path("half.tsv") + ": line 5 has no end", {path("half.tsv"), "-o", path("report")});
  refuses(3, path("run.jsonl") + ": line 1: is no record of an image", {path("run.jsonl")});
  refuses(3, "none.tsv", {path("none.tsv")});
  refuses(2, "two runs have the name a", {path("a.tsv"), path("b/a.tsv")});
  refuses(2, "--name was given 1 times for 2 runs", {path("a.tsv"), path("b/a.tsv"), "--name", "x"});
  refuses(2, "--radii must be numbers", {path("a.tsv"), "--radii", "0,x"});
  refuses(2, "must not hold a slash", {path("a.tsv"), "--name", "../x", "--tsv"});
  refuses(2, "--step must be positive", {path("a.tsv"), "--step", "0"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "report/report.html"));
}

class CertifyTrainCli : public CertifyAnalyzeCli {
 protected:
  /// Two classes of 8 x 8 images, dark and bright.
  void SetUp() override {
    constexpr std::size_t kSide = 8;
    for (int i = 0; i < 12; ++i) {
      std::vector<std::uint8_t> pixels(kSide * kSide * 3, static_cast<std::uint8_t>(i % 2 == 0 ? 40 + i : 200 + i));
      folder_.write("train/" + std::string(i % 2 == 0 ? "dark/" : "light/") + std::to_string(i) + ".png",
                    io::encode_png(pixels, kSide, kSide, io::PngColor::kRgb));
    }
  }
  std::vector<std::string> training(const std::string& out) const {
    return {"reseda-certify",
            "train",
            "--data",
            path("train"),
            "-o",
            path(out),
            "--steps",
            "12",
            "--threads",
            "1",
            "--sigma",
            "0.1,0.2",
            "--set",
            "model.network.depth=8",
            "--set",
            "model.network.classes=2",
            "--set",
            "model.classes=2",
            "--set",
            "model.labels=[]",
            "--set",
            "model.input.size=8",
            "--set",
            "train.save_every=4",
            "--set",
            "batch=4",
            "--set",
            "hold_out=0"};
  }
};

TEST_F(CertifyTrainCli, AKilledTrainingResumesToTheSameBytes) {
  const Outcome whole = run(training("whole"));
  ASSERT_EQ(whole.code, 0) << whole.err;
  {
    Process killed(training("killed"));
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(folder_ / "killed/state.safetensors"); }));
    killed.send(SIGKILL);
    killed.wait();
  }
  std::vector<std::string> again = training("killed");
  const Outcome refused = run(again);
  EXPECT_EQ(refused.code, 5) << refused.err;
  again.push_back("--resume");
  const Outcome resumed = run(again);
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_TRUE(folder_.read("killed/model.safetensors") == folder_.read("whole/model.safetensors"));
  EXPECT_TRUE(folder_.read("killed/state.safetensors") == folder_.read("whole/state.safetensors"));
}

TEST_F(CertifyTrainCli, ReadsTheShippedRecipeAndNamesWhatDoesNotFit) {
  const Outcome recipe = run({"reseda-certify", "train", "--data", path("train"), "-o", path("x"), "--print-config"});
  EXPECT_EQ(recipe.code, 0) << recipe.err;
  EXPECT_THAT(recipe.out, HasSubstr("depth: 20"));
  const auto refuses = [&](int code, const std::string& message, const std::vector<std::string>& more) {
    std::vector<std::string> words = training("x");
    words.insert(words.end(), more.begin(), more.end());
    const Outcome got = run(words);
    EXPECT_EQ(got.code, code) << got.err;
    EXPECT_THAT(got.err, HasSubstr(message));
  };
  refuses(3, "the model takes 3 of 16 x 16", {"--set", "model.input.size=16"});
  refuses(2, "batch", {"--set", "bach=4"});
  refuses(2, "model.labels has 1 names for 2 classes", {"--set", "model.labels=[a]"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x"));
}

}  // namespace
}  // namespace reseda::tests
