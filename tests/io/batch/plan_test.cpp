// Output names, the ledger, and what a run decides to do.
#include "io/batch/plan.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "io/batch/file_stamp.hpp"
#include "io/record/sha256.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::io {
namespace {

namespace fs = std::filesystem;
using tests::expect_error;

TEST(OutputPath, MirrorsTheTree) {
  const OutputNaming naming{"out", "", "", ""};
  EXPECT_EQ(output_path(naming, "a.wav"), "out/a.wav");
  EXPECT_EQ(output_path(naming, "x/y/a.b.wav"), "out/x/y/a.b.wav");
  EXPECT_EQ(output_path({"out", "", "_clean", ".flac"}, "x/a.b.wav"), "out/x/a.b_clean.flac");
  EXPECT_EQ(output_path({"", "named.wav", "", ""}, "a.wav"), "named.wav");
  EXPECT_EQ(output_path({"out/", "", "", ""}, "noext"), "out/noext");
  expect_error(Errc::kInput, "'../a.wav' would leave the output folder", [&] { output_path(naming, "../a.wav"); });
  expect_error(Errc::kInput, "would leave", [&] { output_path(naming, "x/../../a.wav"); });
  expect_error(Errc::kInput, "would leave", [&] { output_path(naming, "/a.wav"); });
}

class PlanTest : public testing::Test {
 protected:
  PlanTest() {
    for (const char* name : {"in/a.txt", "in/b.txt", "in/c.txt"}) folder_.write(name, name);
    options_.naming.folder = folder_ / "out";
    options_.key = {"config", "model"};
  }
  std::vector<InputFile> inputs() const { return discover_inputs({(folder_ / "in").string()}, {}).files; }
  Plan plan() const {
    const Ledger ledger(folder_ / "out");
    return make_plan(inputs(), options_, &ledger);
  }
  std::string actions() const {
    std::string out;
    for (const PlannedItem& item : plan().items)
      out += item.action == Action::kNew ? 'n' : item.action == Action::kRedo ? 'r' : 'd';
    return out;
  }
  /// Does what a run does for one item.
  void work(const std::string& name, const std::string& result) {
    fs::create_directories(folder_ / "out");
    const fs::path output = folder_.write("out/" + name, result), input = folder_ / "in" / name;
    Ledger ledger(folder_ / "out");
    ledger.open_for_writing();
    ledger.write_run(JsonObject().add("program", "test"));
    ledger.write_done({name, ledger.name_of(output), sha256_file(input), input_stamp(input), sha256_file(output),
                       output_stamp(output), options_.key},
                      {});
  }
  tests::TemporaryFolder folder_;
  PlanOptions options_;
};

TEST_F(PlanTest, EverythingIsNewAtFirst) {
  EXPECT_EQ(actions(), "nnn");
  EXPECT_EQ(plan().items[1].output, folder_ / "out/b.txt");
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(PlanTest, WhatIsDoneIsDone) {
  work("b.txt", "result");
  EXPECT_EQ(actions(), "ndn");
  options_.force = true;
  EXPECT_EQ(actions(), "nrn");
}

TEST_F(PlanTest, AnotherConfigModelOrInputIsRedone) {
  work("b.txt", "result");
  options_.key.config_sha256 = "other";
  EXPECT_EQ(actions(), "nrn");
  options_.key = {"config", "other"};
  EXPECT_EQ(actions(), "nrn");
  options_.key = {"config", "model"};
  folder_.write("in/b.txt", "changed");
  EXPECT_EQ(actions(), "nrn");
  folder_.write("in/b.txt", "in/b.txt");  // the old bytes with a new stamp
  EXPECT_EQ(actions(), "ndn");
}

TEST_F(PlanTest, ACopiedTreeIsKnownByItsHashes) {
  work("b.txt", "result");
  fs::copy(folder_ / "out", folder_ / "moved", fs::copy_options::recursive);
  options_.naming.folder = folder_ / "moved";
  const Ledger ledger(folder_ / "moved");
  EXPECT_EQ(make_plan(inputs(), options_, &ledger).items[1].action, Action::kDone);
}

TEST_F(PlanTest, ForeignAndChangedOutputsAreRefused) {
  work("b.txt", "result");
  folder_.write("out/b.txt", "edited by hand");
  expect_error(Errc::kOutput,
               "out/b.txt: exists and was not written by this program, or was changed since; --overwrite",
               [&] { plan(); });
  folder_.write("out/a.txt", "foreign");
  expect_error(Errc::kOutput,
               "out/a.txt: exists and was not written by this program, or was changed since (and 1 more)",
               [&] { plan(); });
  options_.overwrite = true;
  EXPECT_EQ(actions(), "rrn");
}

TEST_F(PlanTest, OnlyTheOwnShardIsJudged) {
  folder_.write("out/a.txt", "foreign");
  options_.shard = {2, 3};
  ASSERT_EQ(actions(), "n");
  EXPECT_EQ(plan().items[0].id, "b.txt");
  EXPECT_EQ(plan().whole, 3U);
}

TEST_F(PlanTest, ALedgerLineBeforeItsRenameIsNotDone) {
  // Killed between the two: the line is there, the old output too.
  work("b.txt", "old");
  const std::string old_stamp = output_stamp(folder_ / "out/b.txt");
  options_.key.config_sha256 = "new";
  Ledger ledger(folder_ / "out");
  ledger.open_for_writing();
  ledger.write_done({"b.txt", "b.txt", sha256_file(folder_ / "in/b.txt"), input_stamp(folder_ / "in/b.txt"),
                     sha256("new bytes"), "9-9-9.9", options_.key},
                    {});
  EXPECT_EQ(actions(), "nrn");
}

TEST_F(PlanTest, InputsAreNeverOutputs) {
  options_.naming = {folder_ / "in", "", "", ""};
  expect_error(Errc::kOutput, "would overwrite the input", [&] { make_plan(inputs(), options_, nullptr); });
  options_.overwrite = options_.force = true;
  expect_error(Errc::kOutput, "would overwrite the input", [&] { make_plan(inputs(), options_, nullptr); });
  options_.naming = {folder_ / "linked", "", "", ""};
  fs::create_directory_symlink("in", folder_ / "linked");
  expect_error(Errc::kOutput, "would overwrite the input", [&] { make_plan(inputs(), options_, nullptr); });
  fs::create_directories(folder_ / "hard");
  fs::create_hard_link(folder_ / "in/c.txt", folder_ / "hard/a.txt");  // another item's input
  options_.naming = {folder_ / "hard", "", "", ""};
  expect_error(Errc::kOutput, "hard/a.txt: would overwrite the input", [&] { make_plan(inputs(), options_, nullptr); });
}

TEST_F(PlanTest, TwoInputsOfOneOutputAreRefused) {
  folder_.write("in/a.text", "");
  options_.naming.extension = ".out";
  expect_error(Errc::kUsage, "a.txt both map to", [&] { plan(); });
}

TEST_F(PlanTest, OutputsBesideTheInputsAreNoInputs) {
  options_.naming = {folder_ / "in", "", "_up", ""};
  folder_.write("in/a_up.txt", "RESULT");
  Ledger ledger(folder_ / "in");
  ledger.open_for_writing();
  ledger.write_run(JsonObject());
  ledger.write_done({"a.txt", "a_up.txt", sha256_file(folder_ / "in/a.txt"), "", sha256("RESULT"), "", options_.key},
                    {});
  const Ledger again(folder_ / "in");
  auto files = discover_inputs({(folder_ / "in").string()}, {false, {".txt"}, {}}).files;
  ASSERT_EQ(files.size(), 4U);
  const Plan plan = make_plan(files, options_, &again);
  ASSERT_EQ(plan.items.size(), 3U);
  EXPECT_EQ(plan.items[0].action, Action::kDone);
}

TEST_F(PlanTest, ANameThatIsNotUtf8IsFoundAgain) {
  folder_.write("in/\xff.txt", "x");
  work("\xff.txt", "result");
  EXPECT_EQ(plan().items.back().action, Action::kDone);
}

TEST(Ledger, RefusesAFileOfSomebodyElse) {
  const tests::TemporaryFolder folder;
  folder.write("run.jsonl", "{\"loss\": 1}\n");
  expect_error(Errc::kOutput, "run.jsonl: is not a record of reseda's runs", [&] { Ledger ledger(folder.path()); });
  folder.write("run.jsonl", "");
  EXPECT_NO_THROW(Ledger ledger(folder.path()));
  folder.write("run.jsonl", "{\"res");  // torn at the very first write
  EXPECT_NO_THROW(Ledger ledger(folder.path()));
}

TEST(FileStamp, TellsChangesAndSurvivesARename) {
  const tests::TemporaryFolder folder;
  const fs::path a = folder.write("a", "1");
  const std::string input = input_stamp(a), output = output_stamp(a);
  fs::rename(a, folder / "b");
  EXPECT_EQ(output_stamp(folder / "b"), output);
  folder.write("b", "22");
  EXPECT_NE(output_stamp(folder / "b"), output);
  EXPECT_NE(input_stamp(folder / "b"), input);
  EXPECT_EQ(input_stamp(folder / "none"), "");
  EXPECT_EQ(input_stamp(folder.path()), "");
}

}  // namespace
}  // namespace reseda::io
