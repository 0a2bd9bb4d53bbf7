// Atomic files, JSON lines, CSV, hashes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include "io/record/atomic_file.hpp"
#include "io/record/csv.hpp"
#include "io/record/json_lines.hpp"
#include "io/record/sha256.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::io {
namespace {

namespace fs = std::filesystem;
using tests::expect_error;

std::size_t count_files(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(AtomicFile, AppearsOnlyOnCommit) {
  const tests::TemporaryFolder folder;
  {
    AtomicFile file(folder / "a.txt");
    file.write("half");
    EXPECT_FALSE(fs::exists(folder / "a.txt"));
    EXPECT_EQ(file.staged(), folder / ".a.txt.reseda.part");
    file.write(" whole");
    file.commit(Existing::kRefuse);
  }
  EXPECT_EQ(folder.read("a.txt"), "half whole");
  EXPECT_EQ(count_files(folder.path()), 1U);
}

TEST(AtomicFile, WithoutCommitLeavesNothing) {
  const tests::TemporaryFolder folder;
  { AtomicFile(folder / "a.txt").write("x"); }
  EXPECT_EQ(count_files(folder.path()), 0U);
}

TEST(AtomicFile, RefusesOrReplacesWhatExists) {
  const tests::TemporaryFolder folder;
  folder.write("a.txt", "old");
  expect_error(Errc::kOutput, "a.txt: cannot write: it exists already",
               [&] { write_file(folder / "a.txt", "new", Existing::kRefuse); });
  EXPECT_EQ(folder.read("a.txt"), "old");
  write_file(folder / "a.txt", "new", Existing::kReplace);
  EXPECT_EQ(folder.read("a.txt"), "new");
  EXPECT_EQ(count_files(folder.path()), 1U);
}

TEST(AtomicFile, TakesALibrarysOwnWritingByName) {
  const tests::TemporaryFolder folder;
  AtomicFile file(folder / "a.txt");
  std::ofstream(file.staged()) << "by name";
  file.commit(Existing::kRefuse);
  EXPECT_EQ(folder.read("a.txt"), "by name");
  AtomicFile renamed(folder / "b.txt");
  folder.write("other", "renamed over");
  fs::rename(folder / "other", renamed.staged());
  renamed.commit(Existing::kRefuse);
  EXPECT_EQ(folder.read("b.txt"), "renamed over");
}

TEST(AtomicFile, RemovesTheLeftoverOfAKilledRunButNotALiveOne) {
  const tests::TemporaryFolder folder;
  folder.write(".a.txt.reseda.part", "torn");
  {
    AtomicFile file(folder / "a.txt");
    EXPECT_EQ(fs::file_size(file.staged()), 0U);
    expect_error(Errc::kOutput, "another process is writing it", [&] { AtomicFile second(folder / "a.txt"); });
    remove_leftover(folder / "a.txt");
    EXPECT_TRUE(fs::exists(file.staged()));
  }
  folder.write(".a.txt.reseda.part", "torn");
  remove_leftover(folder / "a.txt");
  EXPECT_EQ(count_files(folder.path()), 0U);
}

TEST(AtomicFile, DoesNotFollowALinkPutInItsWay) {
  const tests::TemporaryFolder folder;
  folder.write("victim", "precious");
  fs::create_symlink(folder / "victim", folder / ".a.txt.reseda.part");
  expect_error(Errc::kOutput, "a.txt: cannot write", [&] { write_file(folder / "a.txt", "new", Existing::kReplace); });
  fs::remove(folder / ".a.txt.reseda.part");
  fs::create_hard_link(folder / "victim", folder / ".a.txt.reseda.part");
  write_file(folder / "a.txt", "new", Existing::kReplace);
  EXPECT_EQ(folder.read("victim"), "precious");
}

TEST(AtomicFile, SaysWhyNot) {
  const tests::TemporaryFolder folder;
  expect_error(Errc::kOutput, "none/a.txt: cannot write: No such file",
               [&] { AtomicFile file(folder / "none/a.txt"); });
  expect_error(Errc::kOutput, "is not a regular file", [&] { AtomicFile file(folder.path()); });
  const std::string longest(250, 'n');
  write_file(folder / longest, "x", Existing::kRefuse);
  EXPECT_EQ(folder.read(longest), "x");
  expect_error(Errc::kOutput, "/dev/full: cannot write: No space left", [] {
    const Descriptor full(::open("/dev/full", O_WRONLY));
    write_bytes(full.get(), "x", "/dev/full");
  });
}

TEST(JsonObject, WritesTypedValues) {
  ConfigNode tree = ConfigNode::map();
  tree["x"] = ConfigNode("1");
  EXPECT_EQ(JsonObject()
                .add("a", "12")
                .add("b", 12)
                .add("c", 0.5)
                .add("d", true)
                .add("e", tree)
                .add("f", std::nan(""))
                .add("q\"", std::string("\n"))
                .line(),
            R"({"a": "12", "b": 12, "c": 0.5, "d": true, "e": {"x": 1}, "f": null, "q\"": "\n"})");
  EXPECT_EQ(JsonObject().line(), "{}");
}

std::vector<std::string> lines_of(const fs::path& file, std::size_t* left_out = nullptr) {
  std::vector<std::string> lines;
  const std::size_t bad = read_json_lines(file, [&](const ConfigNode& line) { lines.push_back(line.to_json()); });
  if (left_out != nullptr) *left_out = bad;
  return lines;
}

TEST(JsonLines, IgnoresATornLastLineAndWritesBehindIt) {
  const tests::TemporaryFolder folder;
  EXPECT_TRUE(lines_of(folder / "none.jsonl").empty());
  folder.write("run.jsonl", "{\"a\": 1}\n{\"a\": 2}\n{\"a\": 3");
  std::size_t left_out = 0;
  EXPECT_EQ(lines_of(folder / "run.jsonl", &left_out), (std::vector<std::string>{"{\"a\": 1}", "{\"a\": 2}"}));
  EXPECT_EQ(left_out, 1U);
  JsonLinesFile(folder / "run.jsonl").append("{\"a\": 4}");
  EXPECT_EQ(lines_of(folder / "run.jsonl", &left_out),
            (std::vector<std::string>{"{\"a\": 1}", "{\"a\": 2}", "{\"a\": 4}"}));
  EXPECT_EQ(left_out, 1U);
}

TEST(JsonLines, LeavesOutWhatIsNoObjectOrTooLong) {
  const tests::TemporaryFolder folder;
  folder.write("r", "[1]\n\nnonsense\n{\"a\": \"" + std::string(2U << 20, 'x') + "\"}\n{\"a\": 1}\n");
  std::size_t left_out = 0;
  EXPECT_EQ(lines_of(folder / "r", &left_out), (std::vector<std::string>{"{\"a\": 1}"}));
  EXPECT_EQ(left_out, 3U);
}

TEST(JsonLines, SeveralWritersNeverMixLines) {
  const tests::TemporaryFolder folder;
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w)
    writers.emplace_back([&, w] {
      JsonLinesFile file(folder / "run.jsonl");
      for (int i = 0; i < 200; ++i)
        file.append(JsonObject().add("w", w).add("i", i).add("pad", std::string(500, 'x')).line());
    });
  for (std::thread& writer : writers) writer.join();
  std::size_t left_out = 0;
  EXPECT_EQ(lines_of(folder / "run.jsonl", &left_out).size(), 800U);
  EXPECT_EQ(left_out, 0U);
}

TEST(Csv, QuotesAsRfc4180) {
  EXPECT_EQ(csv_field("plain 1.5"), "plain 1.5");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("say \"x\""), "\"say \"\"x\"\"\"");
  EXPECT_EQ(csv_field("two\nlines"), "\"two\nlines\"");
  CsvTable table({"file", "score"});
  table.add({"a,b.wav", "1.5"});
  EXPECT_EQ(table.text(), "file,score\n\"a,b.wav\",1.5\n");
  EXPECT_THROW(table.add({"one"}), Error);
}

TEST(Sha256, EqualsThePublishedExamples) {  // FIPS 180-4 examples
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  const tests::TemporaryFolder folder;
  const std::string million(1'000'000, 'a');
  EXPECT_EQ(sha256_file(folder.write("m", million)),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  expect_error(Errc::kInput, "none: cannot read: No such file", [&] { sha256_file(folder / "none"); });
  expect_error(Errc::kInput, "cannot read: Is a directory", [&] { sha256_file(folder.path()); });
}

}  // namespace
}  // namespace reseda::io
