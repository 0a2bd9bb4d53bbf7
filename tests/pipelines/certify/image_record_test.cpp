#include "pipelines/certify/image_record.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "pipelines/certify/live_table.hpp"
#include "pipelines/certify/run_files.hpp"
#include "pipelines/certify/run_request.hpp"
#include "pipelines/common/program.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

using namespace certify;

RunSettings settings() { return {.model = "m", .model_sha256 = "abc", .n0 = 10, .n = 100, .images = 5}; }

ImageRecord record(std::int64_t index, double radius = 0.123456789012345678) {
  ImageRecord out;
  out.index = index;
  out.label = 3;
  out.name = "cat/\"a\".png";
  out.pixels_sha256 = "12";
  out.certificate = {.label = 3, .radius = radius, .hits = 90, .trials = 100, .probability = {0.75, 0.25}};
  out.selection = {{3, 8}, {1, 1}};
  out.estimation = {{3, 90}, {7, 10}};
  out.not_finite = 1;
  return out;
}

TEST(ImageRecord, ComesBackFromItsLine) {
  const std::string line = record_line(record(2), settings());
  const RecordWithSettings got = parse_record(line, "a");
  EXPECT_EQ(record_line(got.record, got.settings), line);
  EXPECT_EQ(got.record.certificate.radius, record(2).certificate.radius);
  EXPECT_EQ(got.record.name, record(2).name);
  EXPECT_TRUE(got.record.correct());
  EXPECT_EQ(cohen_line(got.record.row()), "2\t3\t3\t0.123\t1\t0:00:00");
  EXPECT_EQ(settings_difference(got.settings, settings()), "");
  RunSettings other = settings();
  other.sigma = 0.5;
  EXPECT_EQ(settings_difference(other, settings()), "sigma is 0.5, expected 0.25");
}

TEST(ImageRecord, RefusesOtherLines) {
  const auto refused = [](const std::string& line, const std::string& message) {
    expect_error(Errc::kInput, message, [&] { parse_record(line, "a.jsonl: line 4"); });
  };
  refused("", "a.jsonl: line 4: is no record");
  refused("{}", "the field settings is missing");
  ImageRecord wrong = record(0);
  wrong.estimation[3] = 91;
  refused(record_line(wrong, settings()), "votes do not add up");
  wrong = record(0);
  wrong.certificate.hits = 101;
  refused(record_line(wrong, settings()), "votes do not add up");
  RunSettings none = settings();
  none.skip = 0;
  refused(record_line(record(0), none), "settings.skip must be 1 or more");
}

TEST(RunSettings, TakesEveryNthImageBelowTheMaximum) {
  RunSettings some = settings();
  some.images = 10;
  some.skip = 3;
  EXPECT_EQ(some.indices(), (std::vector<std::int64_t>{0, 3, 6, 9}));
  EXPECT_EQ(some.count(), 4);
  some.max = 7;
  EXPECT_EQ(some.indices(), (std::vector<std::int64_t>{0, 3, 6}));
  EXPECT_EQ(some.count(), 3);
  EXPECT_TRUE(some.takes(6));
  EXPECT_FALSE(some.takes(9));
  EXPECT_FALSE(some.takes(4));
  EXPECT_FALSE(some.takes(-3));
}

TEST(RunFiles, KeepsWhatIsWholeAndSortsAtTheEnd) {
  const TemporaryFolder folder;
  const auto log = folder / "run.tsv";
  {
    RunFiles files(log, settings(), false);
    files.append(record(4));
    files.append(record(1));
    expect_error(Errc::kOutput, "another process", [&] { RunFiles(log, settings(), false); });
  }
  folder.write("run.jsonl", folder.read("run.jsonl") + record_line(record(2), settings()).substr(0, 50));
  folder.write("run.tsv", "idx\tla");
  RunFiles files(log, settings(), false);
  EXPECT_EQ(files.records().size(), 2U);
  files.append(record(3));
  files.finish();
  EXPECT_EQ(folder.read("run.tsv"), log_text(files.records()));
  EXPECT_EQ(folder.read("run.jsonl"), records_text(files.records(), settings()));
  EXPECT_THAT(folder.read("run.tsv"), testing::HasSubstr("\n1\t3\t3\t0.123\t1\t0:00:00\n3\t"));
}

TEST(RunFiles, RemembersVotesOfTheSamePixelsAndSettings) {
  const TemporaryFolder folder;
  const VoteState state = {{1, 2, 0}, {4, 0, 1}, {3, 1}};
  RunFiles files(folder / "run.tsv", settings(), false);
  EXPECT_FALSE(files.votes(2, "12").has_value());
  files.save_votes(2, "12", state);
  ASSERT_TRUE(files.votes(2, "12").has_value());
  EXPECT_EQ(files.votes(2, "12")->estimation, state.estimation);
  EXPECT_EQ(files.votes(2, "12")->looks, state.looks);
  EXPECT_FALSE(files.votes(2, "13").has_value());
  EXPECT_FALSE(files.votes(3, "12").has_value());
  folder.write("run.votes.json", "{\"idx\": 2, ");
  EXPECT_FALSE(files.votes(2, "12").has_value());
  files.finish();
  EXPECT_FALSE(std::filesystem::exists(folder / "run.votes.json"));
}

TEST(RunFiles, NamesLogsOfSeveralSigmas) {
  EXPECT_EQ(log_of_sigma("a/run.tsv", 0.25), std::filesystem::path("a/run.sigma-0.25.tsv"));
  EXPECT_EQ(records_path("a/run.sigma-0.25.tsv"), std::filesystem::path("a/run.sigma-0.25.jsonl"));
}

TEST(CertifiedTable, CountsByExactRadii) {
  CertifiedTable table{.radii = {0, 0.25}};
  table.add(record(0, 0.2499));  // 0.25 in the log
  table.add(record(1, 0.25));
  ImageRecord abstained = record(2, 0);
  abstained.certificate.label = stats::kAbstain;
  abstained.not_finite = 0;
  abstained.selection = {{3, 10}};
  table.add(abstained);
  EXPECT_DOUBLE_EQ(table.accuracy(0), 2.0 / 3);
  EXPECT_DOUBLE_EQ(table.accuracy(0.25), 1.0 / 3);
  EXPECT_EQ(table.line(), "r  0: 66.7%  0.25: 33.3%");
  EXPECT_EQ(table.abstained, 1);
  EXPECT_EQ(table.not_finite, 2);
  EXPECT_DOUBLE_EQ(table.median_votes(), 110);
}

TEST(RunRequest, ReadsLists) {
  EXPECT_EQ(parse_numbers("sigma", "0.25,1,.5"), (std::vector<double>{0.25, 1, 0.5}));
  for (const char* text : {"", ",", "0.25,", "a", "1e999", "nan", "-1", "0.25 ", "1,1"})
    expect_error(Errc::kUsage, "--sigma", [&] { parse_numbers("sigma", text); });
}

TEST(RunRequest, RefusesBadSettings) {
  app::FlagTable table = run_flags();
  table.add(app::compute_flags());
  const auto refused = [&](const std::vector<std::string>& words, const std::string& message) {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"--data", "d", "-o", "run.tsv"});
    if (std::find(words.begin(), words.end(), "--sigma") == words.end()) all.insert(all.end(), {"--sigma", "0.25"});
    expect_error(Errc::kUsage, message, [&] {
      const RunRequest request = run_request(app::parse_flags(table, all));
      request.at(request.sigmas.front());
    });
  };
  for (const char* alpha : {"0", "1", "-0.5", "nan"}) {
    refused({"--alpha", alpha}, "--alpha");
  }
  for (const char* sigma : {"0", "-1", "x", "0.25,0.25", "inf", ""}) {
    refused({"--sigma", sigma}, "--sigma");
  }
  refused({"--n", "10"}, "--n 10: must be at least --n0, which is 100");
  refused({"--n0", "0"}, "--n0");
  refused({"--n0", "2", "--n", "5"}, "certify no radius");
  refused({"--bound", "sequential"}, "needs --target-radius");
  refused({"--target-radius", "1"}, "for --bound sequential alone");
  refused({"--bound", "sequential", "--target-radius", "3"}, "no radius of");
  refused({"--skip", "0"}, "--skip");
  refused({"--batch", "0"}, "--batch");
}

}  // namespace
}  // namespace reseda::tests
