#include "pipelines/speech/evaluate.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "io/audio/audio_file.hpp"
#include "io/record/json.hpp"
#include "modules/core/error.hpp"
#include "modules/core/noise.hpp"
#include "modules/metrics/si_sdr.hpp"
#include "pipelines/speech/evaluation/score_table.hpp"
#include "tests/pipelines/speech_evaluation/temporary_folder.hpp"

namespace reseda::speech {
namespace {

constexpr int kFloatWav = 0x010006, kFlac = 0x170002;

/// Harmonics of 150 Hz that swell four times a second.
at::Tensor voice(std::int64_t length, std::int64_t rate_hz) {
  const at::Tensor t = at::arange(length, at::kDouble) / static_cast<double>(rate_hz);
  at::Tensor x = at::zeros_like(t);
  for (int k = 1; k < 20; ++k) x = x + at::sin(2 * M_PI * 150 * k * t) / k;
  return (0.1 * x * (1 + at::sin(2 * M_PI * 4 * t))).to(at::kFloat);
}

at::Tensor noise(const std::string& item, at::IntArrayRef shape) {
  return 0.05 * CounterNoise(1).normal({.item = item, .stream = "noise"}, shape);
}

class Evaluate : public testing::Test {
 protected:
  void save(const std::string& name, const at::Tensor& wave, std::int64_t rate_hz = 16000, int encoding = kFloatWav) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    io::AudioFormat format;
    format.sample_rate_hz = rate_hz;
    format.channels = wave.dim() == 1 ? 1 : wave.size(0);
    format.encoding = encoding;
    io::write_audio(folder_ / name, wave.dim() == 1 ? wave.unsqueeze(0) : wave, format);
  }
  /// Three files: clean x, noisy x + n, enhanced x + n / 4 (the last one: x + 2 n, worse than before).
  void three_files() {
    for (int i = 0; i < 3; ++i) {
      const std::string name = "t" + std::to_string(i);
      const at::Tensor x = voice(16000, 16000), n = noise(name, {16000});
      save("clean/" + name + ".flac", x, 16000, kFlac);
      save("noisy/" + name + ".wav", x + n);
      save("enhanced/" + name + ".wav", x + (i == 2 ? 2.0 : 0.25) * n);
    }
  }
  int run(std::vector<std::string> words) {
    const app::Verb verb = evaluate_verb();
    std::vector<std::string> all = {"--clean", (folder_ / "clean").string(), "--enhanced",
                                    (folder_ / "enhanced").string()};
    all.insert(all.end(), words.begin(), words.end());
    testing::internal::CaptureStdout();
    int code = 0;
    try {
      code = verb.run(app::parse_flags(verb.flags, all));
    } catch (const Error& e) {
      code = e.exit_code();
      message_ = e.what();
    }
    printed_ = testing::internal::GetCapturedStdout();
    return code;
  }
  std::string text(const std::string& name) const {
    std::ifstream in(folder_ / name, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  /// A value of the table in `report/scores.csv`.
  double value(std::size_t row, const std::string& column) const {
    const ScoreTable table = read_scores(path("report/scores.csv"));
    return table.rows.at(row).values.at(*table.find_column(column));
  }

  test::TemporaryFolder folder_;
  std::string printed_, message_;
};

TEST_F(Evaluate, TableRecordAndPage) {
  three_files();
  ASSERT_EQ(run({"--noisy", path("noisy"), "-o", path("report"), "--draws", "200"}), 0) << message_;
  const ScoreTable table = read_scores(path("report/scores.csv"));
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_EQ(table.rows[0].file, "t0.wav");
  const at::Tensor x = io::read_audio(folder_ / "clean/t0.flac")[0], e = io::read_audio(folder_ / "enhanced/t0.wav")[0];
  EXPECT_NEAR(value(0, "si_sdr"), metrics::si_sdr(x, e), 1e-9);
  EXPECT_NEAR(value(0, "d_si_sdr"), 20 * std::log10(4.0), 0.1) << "the noise is a quarter";
  EXPECT_NEAR(value(2, "d_si_sdr"), -20 * std::log10(2.0), 0.1);
  EXPECT_NEAR(value(0, "d_estoi"), value(0, "estoi") - value(0, "noisy_estoi"), 1e-12);
  EXPECT_GT(value(0, "d_estoi"), 0);
  EXPECT_LT(value(0, "d_lsd"), 0) << "less distance";
  EXPECT_EQ(value(0, "seconds"), 1.0);
  EXPECT_EQ(value(0, "delay"), 0.0);

  const ConfigNode json = io::read_json(folder_ / "report/scores.json");
  const double mean = (value(0, "si_sdr") + value(1, "si_sdr") + value(2, "si_sdr")) / 3;
  EXPECT_NEAR(std::stod(json.find("summary")->find("si_sdr")->find("mean")->scalar()), mean, 1e-9);
  EXPECT_EQ(json.find("rows")->items().size(), 3U);
  EXPECT_TRUE(json.find("failures")->items().empty());

  const std::string page = text("report/report.html");
  EXPECT_NE(page.find("data:image/png;base64"), std::string::npos);
  EXPECT_EQ(page.find("http://"), std::string::npos) << "self-contained";
  EXPECT_LT(page.find("t2.wav</td>"), page.find("t0.wav</td>")) << "worst first";
  EXPECT_NE(printed_.find("SI-SDR, dB"), std::string::npos);
}

TEST_F(Evaluate, SameBytesWhateverTheJobs) {
  three_files();
  ASSERT_EQ(run({"--noisy", path("noisy"), "-o", path("report"), "-j", "1", "--draws", "100"}), 0);
  ASSERT_EQ(run({"--noisy", path("noisy"), "-o", path("again"), "-j", "3", "--draws", "100"}), 0);
  for (const char* name : {"scores.csv", "scores.json", "report.html"})
    EXPECT_EQ(text(std::string("report/") + name), text(std::string("again/") + name)) << name;
}

TEST_F(Evaluate, WithoutNoisyAndWithoutOutput) {
  three_files();
  ASSERT_EQ(run({"--draws", "100"}), 0);
  EXPECT_EQ(printed_.find("noisy"), std::string::npos);
  ASSERT_EQ(run({"--draws", "100", "--json"}), 0);
  EXPECT_EQ(io::parse_json(printed_, "stdout").find("rows")->items().size(), 3U);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "report"));
}

TEST_F(Evaluate, FailedItemsAreListedAndTheRestIsScored) {
  three_files();
  save("enhanced/t0.wav", voice(16001, 16000));
  save("enhanced/t1.wav", voice(8000, 8000), 8000);
  save("enhanced/t3.wav", voice(100, 16000));
  EXPECT_EQ(run({"-o", path("report"), "--draws", "10"}), 1);
  const ConfigNode json = io::read_json(folder_ / "report/scores.json");
  const auto& failures = json.find("failures")->items();
  ASSERT_EQ(failures.size(), 3U);
  EXPECT_EQ(failures[0].find("reason")->scalar(),
            path("enhanced/t0.wav") +
                ": 16001 samples, the clean file has 16000 (--lengths shortest compares what all have)");
  EXPECT_EQ(failures[1].find("reason")->scalar(), path("enhanced/t1.wav") + ": 8000 Hz, the clean file has 16000 Hz");
  EXPECT_NE(failures[2].find("reason")->scalar().find("no clean file"), std::string::npos);
  EXPECT_EQ(json.find("rows")->items().size(), 1U);
  EXPECT_NE(text("report/report.html").find("Not compared: 3"), std::string::npos);
}

TEST_F(Evaluate, AllFailedAlikeGivesTheirCode) {
  save("clean/t0.wav", voice(8000, 16000));
  save("enhanced/t0.wav", voice(8000, 8000), 8000);
  EXPECT_EQ(run({}), 3);
  EXPECT_EQ(run({"-o", path("report")}), 3) << "the report says why";
  EXPECT_NE(text("report/report.html").find("8000 Hz"), std::string::npos);
}

TEST_F(Evaluate, ShortestCutsAndSaysSo) {
  save("clean/t0.wav", voice(16000, 16000));
  save("enhanced/t0.wav", voice(16100, 16000));
  EXPECT_EQ(run({"--lengths", "shortest", "-o", path("report"), "--draws", "10"}), 0);
  EXPECT_EQ(value(0, "length_diff"), 100);
  EXPECT_GT(value(0, "si_sdr"), 100) << "the common part is equal";
  EXPECT_NE(text("report/report.html").find("differ in length from the clean ones (by 100 samples)"),
            std::string::npos);
}

TEST_F(Evaluate, DelayIsTold) {
  const at::Tensor x = voice(16000, 16000) + noise("x", {16000});
  save("clean/t0.wav", x);
  save("enhanced/t0.wav", at::roll(x, 5));
  ASSERT_EQ(run({"-o", path("report"), "--draws", "10"}), 0);
  EXPECT_EQ(value(0, "delay"), 5);
  EXPECT_NE(text("report/report.html").find("median shift of these 5 samples"), std::string::npos);
}

TEST_F(Evaluate, ChannelsAreAveraged) {
  const at::Tensor x = voice(16000, 16000), n = noise("n", {2, 16000});
  const at::Tensor clean = at::stack({x, 0.5 * x}), enhanced = clean + n;
  save("clean/t0.wav", clean);
  save("enhanced/t0.wav", enhanced);
  ASSERT_EQ(run({"-o", path("report"), "--draws", "10"}), 0);
  const double expected = (metrics::si_sdr(clean[0], enhanced[0]) + metrics::si_sdr(clean[1], enhanced[1])) / 2;
  EXPECT_NEAR(value(0, "si_sdr"), expected, 1e-9);
  save("enhanced/t0.wav", x);
  EXPECT_EQ(run({}), 3);
}

TEST_F(Evaluate, OutsideScores) {
  three_files();
  const std::string scores = folder_.write("pesq.csv", "file,pesq_wb\nt0.flac,2.5\nt2,1.5\nx,9\n");
  ASSERT_EQ(run({"--scores", scores, "-o", path("report"), "--sort", "pesq_wb", "--draws", "10"}), 0) << message_;
  EXPECT_EQ(value(0, "pesq_wb"), 2.5);
  EXPECT_TRUE(std::isnan(value(1, "pesq_wb")));
  EXPECT_NE(printed_.find("pesq_wb"), std::string::npos);
  EXPECT_NE(printed_.find("2.000 ["), std::string::npos) << "mean of the two that have one";
  EXPECT_EQ(run({"--scores", folder_.write("bad.csv", "file,estoi\nt0,1\n")}), 2);
  EXPECT_NE(message_.find("column 'estoi' already"), std::string::npos) << message_;
}

TEST_F(Evaluate, Refusals) {
  three_files();
  ASSERT_EQ(run({"-o", path("report"), "--draws", "10", "--pictures", "0"}), 0);
  EXPECT_EQ(text("report/report.html").find("data:image"), std::string::npos);
  EXPECT_EQ(run({"-o", path("report")}), 5);
  EXPECT_NE(message_.find("scores.csv: exists (--overwrite replaces it)"), std::string::npos) << message_;
  EXPECT_EQ(run({"-o", path("report"), "--overwrite", "--draws", "10"}), 0);
  EXPECT_EQ(run({"--sort", "pesq", "--draws", "10"}), 2);
  EXPECT_NE(message_.find("no column 'pesq' (known: seconds, si_sdr"), std::string::npos) << message_;
  EXPECT_EQ(run({"-o", path("other"), "--picture", "t9", "--draws", "10"}), 2);
  EXPECT_EQ(run({"-o", path("clean/t0.flac")}), 5) << "a file where the folder should be";
}

}  // namespace
}  // namespace reseda::speech
