// The batch runner as users meet it: real processes of echo_tool, which copies text files in upper case.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <sstream>

#include "io/record/json.hpp"
#include "io/record/sha256.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using Tree = std::map<std::string, std::string>;
using Words = std::vector<std::string>;

class BatchCli : public testing::Test {
 protected:
  BatchCli() {
    for (const char* name : {"in/a.txt", "in/b.txt", "in/sub/c.txt", "in/sub/deep/d.text"})
      folder_.write(name, std::string("text of ") + name + "\n");
    folder_.write("in/readme.md", "not text\n");
  }
  Words command(Words words) const {
    words.insert(words.begin(), {"echo_tool", "copy"});
    return words;
  }
  Outcome copy(const Words& words, const std::string& input = "") const {
    return run(command(words), {.folder = folder_.path(), .input = input});
  }
  Tree tree(const std::string& name, const std::string& leave_out = "run.jsonl") const {
    return tree_of(folder_ / name, leave_out);
  }
  static std::vector<ConfigNode> lines(const std::string& text) {
    std::vector<ConfigNode> out;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) out.push_back(io::parse_json(line, "line"));
    return out;
  }
  static std::string text_of(const ConfigNode& line, const char* key) {
    const ConfigNode* node = line.find(key);
    return node == nullptr ? "" : node->scalar();
  }
  const Tree whole_ = {{"a.txt", "TEXT OF IN/A.TXT\n"},
                       {"b.txt", "TEXT OF IN/B.TXT\n"},
                       {"sub/c.txt", "TEXT OF IN/SUB/C.TXT\n"},
                       {"sub/deep/d.text", "TEXT OF IN/SUB/DEEP/D.TEXT\n"}};
  TemporaryFolder folder_;
};

TEST_F(BatchCli, MirrorsAFolder) {
  const Outcome got = copy({"-r", "in", "-o", "out"});
  EXPECT_EQ(got.code, 0);
  EXPECT_EQ(got.out, "");
  EXPECT_THAT(got.err, HasSubstr("echo_tool: 1/4 a.txt done in "));
  EXPECT_THAT(got.err, HasSubstr("4 done, 0 done before, 0 failed\n"));
  EXPECT_EQ(tree("out"), whole_);
}

TEST_F(BatchCli, TakesFilesPatternsAndLists) {
  EXPECT_EQ(copy({"in/a.txt", "-o", "named.out"}).code, 0);
  EXPECT_EQ(folder_.read("named.out"), whole_.at("a.txt"));
  EXPECT_FALSE(fs::exists(folder_ / "run.jsonl"));
  EXPECT_EQ(copy({"in/**/*.t*", "-o", "glob"}).code, 0);
  EXPECT_EQ(tree("glob"), whole_);
  folder_.write("list.txt", "in/a.txt\nin/sub\n");
  EXPECT_EQ(copy({"@list.txt", "-o", "list"}).code, 0);
  EXPECT_EQ(tree("list"), (Tree{{"in/a.txt", whole_.at("a.txt")}, {"in/sub/c.txt", whole_.at("sub/c.txt")}}));
  EXPECT_EQ(copy({"in/a.txt", "-o", "folder/", "--suffix", "_up", "--extension", ".out"}).code, 0);
  EXPECT_EQ(tree("folder"), (Tree{{"a_up.out", whole_.at("a.txt")}}));
}

TEST_F(BatchCli, PipesStandardInputAndOutput) {
  const Outcome both = copy({"-"}, "hello\n");
  EXPECT_EQ(both.code, 0);
  EXPECT_EQ(both.out, "HELLO\n");
  EXPECT_EQ(both.err, "");
  EXPECT_EQ(copy({"-", "-o", "x.txt"}, "hello\n").code, 0);
  EXPECT_EQ(folder_.read("x.txt"), "HELLO\n");
  EXPECT_EQ(copy({"-", "-o", "x.txt"}, "other\n").code, 5);
  EXPECT_EQ(folder_.read("x.txt"), "HELLO\n");
  EXPECT_EQ(copy({"in/a.txt", "-o", "-"}).out, whole_.at("a.txt"));
  EXPECT_EQ(copy({"-"}, "BAD").code, 3);
  EXPECT_EQ(copy({"-"}, "").err, "echo_tool: input: standard input is empty\n");
  EXPECT_EQ(copy({"-", "in/a.txt", "-o", "out"}, "x").code, 2);
  EXPECT_EQ(copy({"-", "--json"}, "x").code, 2);
  EXPECT_EQ(tree("", "zzz").count("run.jsonl"), 0U);
}

TEST_F(BatchCli, SecondRunSkipsWhatIsDone) {
  ASSERT_EQ(copy({"-r", "in", "-o", "out"}).code, 0);
  const auto time = fs::last_write_time(folder_ / "out/a.txt");
  const Outcome again = copy({"-r", "in", "-o", "out"});
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.err, HasSubstr("0 done, 4 done before, 0 failed"));
  EXPECT_EQ(fs::last_write_time(folder_ / "out/a.txt"), time);
  folder_.write("in/b.txt", "new text\n");
  EXPECT_THAT(copy({"-r", "in", "-o", "out"}).err, HasSubstr("1 done, 3 done before, 0 failed"));
  EXPECT_EQ(folder_.read("out/b.txt"), "NEW TEXT\n");
  EXPECT_THAT(copy({"-r", "in", "-o", "out", "--set", "repeat=2"}).err, HasSubstr("4 done, 0 done before"));
  EXPECT_EQ(folder_.read("out/b.txt"), "NEW TEXT\nNEW TEXT\n");
  EXPECT_THAT(copy({"-r", "in", "-o", "out", "--set", "repeat=2", "--force"}).err, HasSubstr("4 done, 0 done before"));
}

TEST_F(BatchCli, NeverTouchesWhatItDidNotWrite) {
  folder_.write("out/b.txt", "precious");
  const Outcome refused = copy({"-r", "in", "-o", "out"});
  EXPECT_EQ(refused.code, 5);
  EXPECT_EQ(
      refused.err,
      "echo_tool: output: out/b.txt: exists and was not written by this program, or was changed since; --overwrite "
      "replaces it\n");
  EXPECT_EQ(tree("out", "zzz"), (Tree{{"b.txt", "precious"}}));
  EXPECT_EQ(copy({"-r", "in", "-o", "out", "--overwrite"}).code, 0);
  EXPECT_EQ(tree("out"), whole_);
  folder_.write("out/run.jsonl", "{\"mine\": 1}\n");
  EXPECT_THAT(copy({"-r", "in", "-o", "out"}).err, HasSubstr("is not a record of reseda's runs"));
  EXPECT_EQ(copy({"in/a.txt", "-o", "in/a.txt", "--overwrite"}).code, 5);
  EXPECT_EQ(copy({"-r", "in", "-o", "in", "--overwrite", "--force"}).code, 5);
  EXPECT_EQ(folder_.read("in/a.txt"), "text of in/a.txt\n");
}

TEST_F(BatchCli, WorksBesideTheInputsWithASuffix) {
  EXPECT_EQ(copy({"-r", "in", "-o", "in", "--suffix", "_up"}).code, 0);
  EXPECT_EQ(folder_.read("in/sub/c_up.txt"), whole_.at("sub/c.txt"));
  EXPECT_THAT(copy({"-r", "in", "-o", "in", "--suffix", "_up"}).err, HasSubstr("0 done, 4 done before, 0 failed"));
  EXPECT_FALSE(fs::exists(folder_ / "in/a_up_up.txt"));
  EXPECT_EQ(copy({"-r", ".", "-o", "below/out", "-q"}).code, 0);
  EXPECT_EQ(copy({"-r", ".", "-o", "below/out", "-q"}).code, 0);  // its own outputs are no inputs
  EXPECT_FALSE(fs::exists(folder_ / "below/out/below"));
}

TEST_F(BatchCli, CollisionsAndMissingInputsStopBeforeAnyWork) {
  folder_.write("in/a.text", "other\n");
  const Outcome collision = copy({"in", "-o", "out", "--extension", ".txt"});
  EXPECT_EQ(collision.code, 2);
  EXPECT_EQ(collision.err, "echo_tool: usage: in/a.text and in/a.txt both map to out/a.txt\n");
  EXPECT_EQ(copy({"in", "none", "-o", "out"}).code, 3);
  EXPECT_EQ(copy({"in"}).code, 2);
  EXPECT_EQ(copy({"in", "-o", "in/a.txt"}).code, 5);
  EXPECT_EQ(copy({"in", "-o", "out", "--suffix", "../x"}).code, 2);
  EXPECT_EQ(copy({"in", "-o", "out", "--shard", "3/2"}).code, 2);
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(BatchCli, DryRunWritesNothing) {
  ASSERT_EQ(copy({"in/a.txt", "-o", "out/"}).code, 0);
  const Tree before = tree("", "zzz");
  const Outcome got = copy({"-r", "in", "-o", "out", "--dry-run"});
  EXPECT_EQ(got.code, 0);
  EXPECT_EQ(got.out,
            "done   in/a.txt -> out/a.txt\n"
            "to do  in/b.txt -> out/b.txt\n"
            "to do  in/sub/c.txt -> out/sub/c.txt\n"
            "to do  in/sub/deep/d.text -> out/sub/deep/d.text\n"
            "4 items: 1 done, 3 to do\n");
  EXPECT_EQ(got.err, "");
  EXPECT_EQ(copy({"-r", "in", "-o", "fresh/x", "-n", "--shard", "2/3"}).out,
            "to do  in/b.txt -> fresh/x/b.txt\n1 item (this shard; 4 in all): 0 done, 1 to do\n");
  EXPECT_EQ(lines(copy({"in", "-o", "out", "-n", "--json"}).out).size(), 2U);
  EXPECT_EQ(tree("", "zzz"), before);
  EXPECT_FALSE(fs::exists(folder_ / "fresh"));
}

TEST_F(BatchCli, AFailedItemDoesNotEndTheRun) {
  folder_.write("in/b.txt", "BAD\n");
  folder_.write("in/n.txt", "NAN\n");
  fs::create_symlink("nowhere", folder_ / "in/broken.txt");
  const Outcome got = copy({"in", "-o", "out", "--json", "-q"});
  EXPECT_EQ(got.code, 1);
  EXPECT_THAT(got.err, HasSubstr("echo_tool: input: in/b.txt: starts with BAD\n"));
  EXPECT_THAT(got.err, HasSubstr("echo_tool: numeric: in/n.txt: the result is not finite\n"));
  EXPECT_THAT(got.err, HasSubstr("echo_tool: input: in/broken.txt: cannot read: No such file or directory\n"));
  EXPECT_EQ(tree("out"), (Tree{{"a.txt", whole_.at("a.txt")}}));
  std::map<std::string, std::string> status;
  for (const ConfigNode& line : lines(got.out))
    status[text_of(line, "id")] = text_of(line, "status") + text_of(line, "code");
  EXPECT_EQ(
      status,
      (std::map<std::string, std::string>{
          {"a.txt", "done"}, {"b.txt", "failedinput"}, {"broken.txt", "failedinput"}, {"n.txt", "failednumeric"}}));
  // Failed items are tried again, done ones are not.
  folder_.write("in/b.txt", "good\n");
  EXPECT_THAT(copy({"in", "-o", "out"}).err, HasSubstr("1 done, 1 done before, 2 failed"));
}

TEST_F(BatchCli, ExitCodesTellAllAlikeFromSome) {
  folder_.write("bad/1.txt", "BAD");
  folder_.write("bad/2.txt", "BAD");
  EXPECT_EQ(copy({"bad", "-o", "out"}).code, 3);
  folder_.write("bad/3.txt", "NAN");
  EXPECT_EQ(copy({"bad", "-o", "out"}).code, 1);
  folder_.write("memory/1.txt", "BOOM");
  EXPECT_EQ(copy({"memory", "-o", "out"}).code, 6);
  EXPECT_EQ(tree("out"), Tree());
}

TEST_F(BatchCli, FailFastStops) {
  folder_.write("many/0.txt", "BAD");
  for (int i = 1; i < 10; ++i) folder_.write("many/" + std::to_string(i) + ".txt", "x");
  const Outcome got = copy({"many", "-o", "out", "--fail-fast"});
  EXPECT_EQ(got.code, 3);
  EXPECT_LE(tree("out").size(), 1U);
  EXPECT_THAT(got.err, HasSubstr("left; the same command goes on from here"));
}

TEST_F(BatchCli, UnwritableOutputsFailTheirItemsOnly) {
  folder_.write("out/sub", "a file where a folder should be");
  const Outcome got = copy({"-r", "in", "-o", "out"});
  EXPECT_EQ(got.code, 1);
  EXPECT_THAT(got.err, HasSubstr("echo_tool: output: out/sub/c.txt: cannot write: Not a directory\n"));
  EXPECT_EQ(tree("out").size(), 3U);
}

TEST_F(BatchCli, JsonLinesHoldResultAndFacts) {
  const Outcome got = copy({"in/a.txt", "in/b.txt", "-o", "out", "--json"});
  const auto records = lines(got.out);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(text_of(records[0], "input"), "in/a.txt");
  EXPECT_EQ(text_of(records[0], "output"), "out/a.txt");
  EXPECT_EQ(text_of(records[0], "output_sha256"), io::sha256(whole_.at("a.txt")));
  EXPECT_EQ(records[0].find("facts")->find("bytes")->scalar(), "17");
  EXPECT_EQ(text_of(lines(copy({"in", "-o", "out", "--json"}).out)[0], "status"), "skipped");
  const auto ledger = lines(folder_.read("out/run.jsonl"));
  EXPECT_EQ(text_of(ledger[0], "program"), "echo_tool");
  EXPECT_EQ(ledger[0].find("config")->find("repeat")->scalar(), "1");
  EXPECT_EQ(text_of(ledger[1], "output_sha256"), io::sha256(whole_.at("a.txt")));
  EXPECT_EQ(text_of(ledger[1], "input_sha256"), io::sha256("text of in/a.txt\n"));
}

TEST_F(BatchCli, ProgressAsJsonAndSilence) {
  const Outcome json = copy({"in", "-o", "out", "--progress", "json", "--log-level", "off", "--slow-ms", "250"});
  std::set<std::string> events;
  for (const ConfigNode& line : lines(json.err)) events.insert(text_of(line, "event"));
  EXPECT_EQ(events, (std::set<std::string>{"start", "step", "finish"}));
  EXPECT_EQ(copy({"in", "-o", "quiet", "-q"}).err, "");
  EXPECT_EQ(copy({"in", "-o", "none", "--progress", "none", "--log-level", "warning"}).err, "");
  EXPECT_THAT(copy({"in", "-o", "bar", "--progress", "bar"}).err, HasSubstr("] 2/2"));
}

TEST_F(BatchCli, ShardsTogetherEqualTheSingleRun) {
  for (int i = 0; i < 10; ++i) folder_.write("in/x" + std::to_string(i) + ".txt", "x" + std::to_string(i) + "\n");
  ASSERT_EQ(copy({"-r", "in", "-o", "single"}).code, 0);
  // All three at once into one folder.
  Process one(command({"-r", "in", "-o", "out", "--shard", "1/3", "--slow-ms", "20"}), {.folder = folder_.path()});
  Process two(command({"-r", "in", "-o", "out", "--shard", "2/3", "--slow-ms", "20"}), {.folder = folder_.path()});
  Process three(
      command({"-r", "in", "-o", "out", "--shard", "auto", "--slow-ms", "20"}),
      {.folder = folder_.path(),
       .environment = {{"SLURM_ARRAY_TASK_ID", "2"}, {"SLURM_ARRAY_TASK_MIN", "0"}, {"SLURM_ARRAY_TASK_COUNT", "3"}}});
  const Outcome outcomes[] = {one.wait(), two.wait(), three.wait()};
  for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(tree("out"), tree("single"));
  EXPECT_EQ(tree("out").size(), 14U);
  EXPECT_THAT(copy({"-r", "in", "-o", "out"}).err, HasSubstr("0 done, 14 done before, 0 failed"));
}

TEST_F(BatchCli, AKilledRunGoesOnToTheSameBytes) {
  for (int i = 0; i < 12; ++i) {
    std::string text(1000, static_cast<char>('a' + i));
    folder_.write("in/x" + std::to_string(i) + ".txt", text.append("\n"));
  }
  ASSERT_EQ(copy({"-r", "in", "-o", "single"}).code, 0);
  const Words slow = command({"-r", "in", "-o", "out", "--slow-ms", "60"});
  for (const int kills : {1, 4, 8}) {
    Process process(slow, {.folder = folder_.path()});
    ASSERT_TRUE(eventually([&] { return tree("out").size() >= static_cast<std::size_t>(kills); }));
    sleep_ms(40);  // inside the window in which half a file is written
    process.send(SIGKILL);
    EXPECT_EQ(process.wait().code, 128 + SIGKILL);
    for (const auto& [name, bytes] : tree("out", ".part")) {
      if (name != "run.jsonl") {
        EXPECT_EQ(bytes, tree("single").at(name)) << name;
      }
    }
  }
  const Outcome last = copy({"-r", "in", "-o", "out"});
  EXPECT_EQ(last.code, 0) << last.err;
  EXPECT_THAT(last.err, Not(HasSubstr(" 0 done before")));
  EXPECT_EQ(tree("out"), tree("single"));  // and no leftover
}

TEST_F(BatchCli, ATornLedgerLineCostsOneItemAtMost) {
  ASSERT_EQ(copy({"-r", "in", "-o", "out"}).code, 0);
  const std::string ledger = folder_.read("out/run.jsonl");
  fs::resize_file(folder_ / "out/run.jsonl", ledger.size() - 30);
  fs::remove(folder_ / "out/sub/deep/d.text");  // its line was the last one
  EXPECT_THAT(copy({"-r", "in", "-o", "out"}).err, HasSubstr("1 done, 3 done before, 0 failed"));
  EXPECT_EQ(tree("out"), whole_);
  EXPECT_THAT(copy({"-r", "in", "-o", "out"}).err, HasSubstr("0 done, 4 done before"));
}

TEST_F(BatchCli, ASignalStopsCleanly) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string out = "out" + std::to_string(signal);
    Process process(command({"-r", "in", "-o", out, "--slow-ms", "400"}), {.folder = folder_.path()});
    ASSERT_TRUE(eventually([&] { return tree(out).count("a.txt") == 1; }));
    process.send(signal);
    const Outcome got = process.wait();
    EXPECT_EQ(got.code, 130);
    EXPECT_THAT(got.err, HasSubstr("left; the same command goes on from here"));
    const Tree files = tree(out);
    EXPECT_LT(files.size(), 4U);
    for (const auto& [name, bytes] : files) EXPECT_EQ(bytes, whole_.at(name)) << name;
    EXPECT_EQ(copy({"-r", "in", "-o", out}).code, 0);
    EXPECT_EQ(tree(out), whole_);
  }
}

TEST_F(BatchCli, ASignalEndsWaitingForStandardInput) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  Process process({"/bin/sh", "-c", "exec " RESEDA_BIN_DIR "/echo_tool copy - -o x.txt <>pipe"},
                  {.folder = folder_.path()});
  // Under load the program may take seconds until it handles signals.
  ASSERT_TRUE(eventually([&] { return process.catches(SIGINT); }));
  sleep_ms(300);
  process.send(SIGINT);
  const Outcome got = process.wait(10);
  EXPECT_EQ(got.code, 130);
  EXPECT_EQ(got.err, "echo_tool: interrupted: stopped by a signal\n");
  EXPECT_FALSE(fs::exists(folder_ / "x.txt"));
}

TEST_F(BatchCli, AFullStandardOutputEndsTheRun) {
  const Outcome got =
      run(command({"-r", "in", "-o", "out", "--json", "-q"}), {.folder = folder_.path(), .output_file = "/dev/full"});
  EXPECT_EQ(got.code, 5);
  EXPECT_EQ(got.err, "echo_tool: output: standard output: cannot write: No space left on device\n");
}

}  // namespace
}  // namespace reseda::tests
