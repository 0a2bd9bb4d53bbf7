// reseda certify run and merge as real processes: killed and resumed, sharded and merged, whatever the batch, and what
// they refuse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <limits>

#include "io/record/json.hpp"
#include "tests/pipelines/certify/small_classifier.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Words = std::vector<std::string>;

class CertifyCli : public testing::Test {
 protected:
  CertifyCli() {
    write_strip(folder_ / "data", 6, 4);
    write_classifier(small_classifier(), folder_ / "model.safetensors");
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  Words command(const Words& words) const {
    Words all = {"reseda-certify", "run", "--threads", "1", "--progress", "plain"};
    all.insert(all.end(), words.begin(), words.end());
    const auto default_of = [&](const std::string& flag, const std::string& value) {
      if (std::ranges::find(words, flag) == words.end()) all.insert(all.end(), {flag, value});
    };
    default_of("--data", path("data"));
    default_of("--model", path("model.safetensors"));
    default_of("--sigma", "0.25");
    default_of("--n0", "20");
    default_of("--n", "100");
    default_of("--batch", "40");
    default_of("-o", path("run.tsv"));
    return all;
  }
  Outcome certify(const Words& words) const { return tests::run(command(words)); }
  Outcome merge(const Words& words) const {
    Words all = {"reseda-certify", "merge"};
    all.insert(all.end(), words.begin(), words.end());
    return tests::run(all);
  }
  void expect_same(const std::string& name, const std::string& as) const {
    EXPECT_EQ(folder_.read(name + ".tsv"), folder_.read(as + ".tsv"));
    EXPECT_EQ(folder_.read(name + ".jsonl"), folder_.read(as + ".jsonl"));
    EXPECT_FALSE(folder_.read(name + ".jsonl").empty());
  }
  void expect_refused(const Words& words, int code, const std::string& message) const {
    Words all = words;
    all.insert(all.end(), {"-o", path("refused.tsv")});
    const Outcome got = certify(all);
    EXPECT_EQ(got.code, code) << got.err;
    EXPECT_THAT(got.err, HasSubstr(message));
    EXPECT_FALSE(fs::exists(folder_ / "refused.tsv")) << message;
  }
  TemporaryFolder folder_;
};

TEST_F(CertifyCli, WritesTheOfficialColumnsAndCountsThatAddUp) {
  const Outcome done = certify({});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("certified accuracy"), HasSubstr("6 images")));
  EXPECT_THAT(done.err, HasSubstr("6/6"));
  const std::string log = folder_.read("run.tsv");
  EXPECT_THAT(log, StartsWith("idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t0\t"));
  EXPECT_EQ(std::ranges::count(log, '\n'), 7);
  const std::string lines = folder_.read("run.jsonl");
  const ConfigNode first = io::parse_json(lines.substr(0, lines.find('\n')), "first");
  EXPECT_EQ(first.find("trials")->scalar(), "100");
  EXPECT_EQ(first.find("settings")->find("alpha")->scalar(), "0.001");
  EXPECT_EQ(first.find("settings")->find("model_sha256")->scalar().size(), 64U);
  EXPECT_FALSE(fs::exists(folder_ / "run.votes.json"));
}

TEST_F(CertifyCli, CountsDependOnNoBatchAndNoThreads) {
  ASSERT_EQ(certify({}).code, 0);
  ASSERT_EQ(certify({"--batch", "7", "-o", path("small.tsv")}).code, 0);
  expect_same("small", "run");
  Words two = command({"--batch", "400", "-o", path("large.tsv")});
  std::ranges::replace(two, std::string("1"), std::string("2"));
  ASSERT_EQ(tests::run(two).code, 0);
  expect_same("large", "run");
  const Words sequential = {"--bound", "sequential", "--target-radius", "0.1,0.3", "--n", "400"};
  for (const std::string batch : {"7", "400"}) {
    Words words = sequential;
    words.insert(words.end(), {"--batch", batch, "-o", path("sequential-" + batch + ".tsv")});
    ASSERT_EQ(certify(words).code, 0);
  }
  expect_same("sequential-7", "sequential-400");
}

TEST_F(CertifyCli, KilledAtAnyPointItGoesOnToTheSameBytes) {
  const auto to = [&](const std::string& name) {
    return Words{"--n", "4000", "--max", "2", "--batch", "10", "-o", path(name)};
  };
  const auto at_work = [&](const Process& process) {
    return eventually([&] { return process.catches(SIGTERM) && !folder_.read("cut.tsv").empty(); });
  };
  ASSERT_EQ(certify(to("whole.tsv")).code, 0);
  {
    Process stopped(command(to("cut.tsv")));
    EXPECT_TRUE(at_work(stopped));
    stopped.send(SIGTERM);
    EXPECT_EQ(stopped.wait().code, 130);
  }
  EXPECT_TRUE(fs::exists(folder_ / "cut.votes.json")) << "inside an image";
  EXPECT_LT(folder_.read("cut.jsonl").size(), folder_.read("whole.jsonl").size());
  {
    Process killed(command(to("cut.tsv")));
    EXPECT_TRUE(at_work(killed));
    killed.send(SIGKILL);
    EXPECT_EQ(killed.wait().code, 128 + SIGKILL);
  }
  ASSERT_EQ(certify(to("cut.tsv")).code, 0);
  expect_same("cut", "whole");
  // A line torn by the kill, and a log that lags behind.
  const std::string records = folder_.read("whole.jsonl");
  folder_.write("torn.jsonl", records.substr(0, records.find('\n') + 1 + 100));
  folder_.write("torn.tsv", "idx\tlabel\tpredict\tradius\tcor");
  ASSERT_EQ(certify(to("torn.tsv")).code, 0);
  expect_same("torn", "whole");
  ASSERT_EQ(certify(to("torn.tsv")).code, 0) << "nothing left to do";
  expect_same("torn", "whole");
}

TEST_F(CertifyCli, ShardsMergeToTheSameBytes) {
  ASSERT_EQ(certify({}).code, 0);
  for (const std::string part : {"1", "2", "3"})
    ASSERT_EQ(certify({"--shard", part + "/3", "-o", path("part" + part + ".tsv")}).code, 0);
  const Outcome merged = merge({path("part2.tsv"), path("part1.tsv"), path("part3.jsonl"), "-o", path("merged.tsv")});
  ASSERT_EQ(merged.code, 0) << merged.err;
  expect_same("merged", "run");
  for (const std::string part : {"3", "1", "2"})
    ASSERT_EQ(certify({"--shard", part + "/3", "-o", path("one-by-one.tsv")}).code, 0);
  expect_same("one-by-one", "run");
}

TEST_F(CertifyCli, MergeRefusesOverlapsGapsAndOtherRuns) {
  ASSERT_EQ(certify({"--shard", "1/2", "-o", path("a.tsv")}).code, 0);
  ASSERT_EQ(certify({"--shard", "2/2", "--seed", "3", "-o", path("seed.tsv")}).code, 0);
  const auto refused = [&](const Words& words, int code, const std::string& message) {
    Words all = words;
    all.insert(all.end(), {"-o", path("merged.tsv")});
    const Outcome got = merge(all);
    EXPECT_EQ(got.code, code) << got.err;
    EXPECT_THAT(got.err, HasSubstr(message));
    EXPECT_FALSE(fs::exists(folder_ / "merged.tsv"));
  };
  refused({path("a.tsv")}, 3, "image 1 is in no shard, nor are 2 others");
  refused({path("a.tsv"), path("a.tsv")}, 3, "has image 0, as has");
  refused({path("a.tsv"), path("seed.tsv")}, 3, "seed is 3, expected 0");
  refused({path("absent.tsv")}, 3, "absent.jsonl");
  const std::string whole = folder_.read("a.jsonl");
  folder_.write("cut.jsonl", whole.substr(0, whole.size() - 30));
  refused({path("cut.tsv")}, 3, "has no end");
  std::string wrong = whole;
  wrong.replace(wrong.find("\"trials\": 100"), 13, "\"trials\": 101");
  folder_.write("wrong.jsonl", wrong);
  refused({path("wrong.tsv")}, 3, "line 1: is no record of an image: its votes do not add up");
  const Outcome partial = merge({path("a.tsv"), "--partial", "-o", path("partial.tsv")});
  EXPECT_EQ(partial.code, 0) << partial.err;
  expect_same("partial", "a");
}

TEST_F(CertifyCli, SeveralSigmasAndSubsets) {
  const Outcome done = certify({"--sigma", "0.12,0.5", "--skip", "2", "--max", "3", "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(std::ranges::count(done.out, '\n'), 2);
  EXPECT_THAT(done.err, HasSubstr("was trained for other noise"));
  const std::string log = folder_.read("run.sigma-0.12.tsv");
  EXPECT_THAT(log, AllOf(HasSubstr("\n0\t0\t"), HasSubstr("\n2\t2\t"), Not(HasSubstr("\n4\t"))));
  EXPECT_TRUE(fs::exists(folder_ / "run.sigma-0.5.jsonl"));
  const ConfigNode summary = io::parse_json(done.out.substr(0, done.out.find('\n')), "summary");
  EXPECT_EQ(summary.find("images")->scalar(), "2");
  EXPECT_NE(summary.find("certified_accuracy")->find("0.25"), nullptr);
}

TEST_F(CertifyCli, DryRunWritesNothing) {
  const Outcome done = certify({"--dry-run"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("6 of 6 images, 0 of them done"));
  EXPECT_FALSE(fs::exists(folder_ / "run.tsv"));
  EXPECT_FALSE(fs::exists(folder_ / "run.jsonl"));
}

TEST_F(CertifyCli, RefusesBadSettingsAndModels) {
  expect_refused({"--alpha", "1"}, 2, "--alpha 1: must be between 0 and 1");
  expect_refused({"--n0", "2", "--n", "5"}, 2, "certify no radius");
  expect_refused({"--model", path("absent.safetensors")}, 4, "absent.safetensors");
  folder_.write("text.safetensors", "no model");
  expect_refused({"--model", path("text.safetensors")}, 4, "text.safetensors");
}

TEST_F(CertifyCli, RefusesBadData) {
  expect_refused({"--data", path("absent")}, 3, "is not a folder");
  folder_.write("cut/test_batch.bin", cifar_records(2, 4).substr(0, 5000));
  expect_refused({"--data", path("cut")}, 3, "no whole number of CIFAR-10 records");
  folder_.write("whole/test_batch.bin", cifar_records(2, 4));
  expect_refused({"--data", path("whole")}, 3, "32 x 32 pixels, the model takes 3 of 8 x 8 (--model");
  write_strip(folder_ / "label", 6, 5);
  expect_refused({"--data", path("label")}, 3, "image 4: its label 4 is no class");
  fs::create_directories(folder_ / "empty");
  expect_refused({"--data", path("empty")}, 3, "holds no test images");
}

TEST_F(CertifyCli, ResultsOfOthersStay) {
  folder_.write("run.tsv", "somebody's log\n");
  EXPECT_EQ(certify({}).code, 5);
  EXPECT_EQ(folder_.read("run.tsv"), "somebody's log\n");
  ASSERT_EQ(certify({"--overwrite"}).code, 0);
  const std::string before = folder_.read("run.tsv");
  const Outcome other = certify({"--alpha", "0.01"});
  EXPECT_EQ(other.code, 5);
  EXPECT_THAT(other.err, HasSubstr("alpha is 0.001, expected 0.01"));
  EXPECT_EQ(folder_.read("run.tsv"), before);
}

TEST_F(CertifyCli, LogitsThatAreNotFiniteEndTheRunAndNothingIsLost) {
  ASSERT_EQ(certify({"--max", "1"}).code, 0);
  const std::string before = folder_.read("run.tsv");
  const certify::CertifyModel broken = small_classifier();
  broken.network().tensors().front().second.detach().fill_(std::numeric_limits<float>::quiet_NaN());
  write_classifier(broken, folder_ / "broken.safetensors");
  const Outcome got = certify({"--model", path("broken.safetensors"), "-o", path("broken.tsv")});
  EXPECT_EQ(got.code, 7) << got.err;
  EXPECT_THAT(got.err, HasSubstr("image 0: the classifier's logits are not finite"));
  EXPECT_EQ(folder_.read("run.tsv"), before);
  EXPECT_EQ(folder_.read("broken.jsonl"), "");
}

}  // namespace
}  // namespace reseda::tests
