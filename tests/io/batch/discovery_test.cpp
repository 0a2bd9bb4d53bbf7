// Patterns, input discovery, shards.
#include "io/batch/discovery.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "io/batch/glob.hpp"
#include "io/batch/shard.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::io {
namespace {

namespace fs = std::filesystem;
using tests::expect_error;
using tests::TemporaryFolder;
using Strings = std::vector<std::string>;

TEST(Glob, MatchesOneComponent) {
  EXPECT_TRUE(glob_match("*.wav", "a.wav"));
  EXPECT_FALSE(glob_match("*.wav", "a.wave"));
  EXPECT_FALSE(glob_match("*.wav", ".wav"));  // hidden
  EXPECT_TRUE(glob_match(".w*", ".wav"));
  EXPECT_TRUE(glob_match("a?c", "abc"));
  EXPECT_FALSE(glob_match("a?c", "ac"));
  EXPECT_TRUE(glob_match("[a-c]x", "bx"));
  EXPECT_FALSE(glob_match("[!a-c]x", "bx"));
  EXPECT_TRUE(glob_match("[!a-c]x", "dx"));
  EXPECT_TRUE(glob_match("[]]", "]"));
  EXPECT_TRUE(glob_match("[a-]", "-"));
  EXPECT_TRUE(glob_match("[", "["));  // never closed: itself
  EXPECT_TRUE(glob_match("\\*", "*"));
  EXPECT_FALSE(glob_match("\\*", "a"));
  EXPECT_TRUE(glob_match("a**b*c", "aXXbYYc"));
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_FALSE(glob_match("", "a"));
}

TEST(Glob, TakesPolynomialTime) {
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "*a";
  EXPECT_FALSE(glob_match(pattern + "b", std::string(2000, 'a')));
}

TEST(Glob, MatchesPathsWithAnyDepth) {
  EXPECT_TRUE(glob_match_path("**/*.wav", "a.wav"));
  EXPECT_TRUE(glob_match_path("**/*.wav", "x/y/a.wav"));
  EXPECT_FALSE(glob_match_path("*/*.wav", "a.wav"));
  EXPECT_TRUE(glob_match_path("x/**/y/a", "x/y/a"));
  EXPECT_TRUE(glob_match_path("x/**/y/a", "x/1/2/y/a"));
  EXPECT_FALSE(glob_match_path("x/**/y/a", "z/y/a"));
  EXPECT_TRUE(glob_match_path("**", "x/y"));
}

TEST(Glob, SplitsAtTheFirstWildcard) {
  EXPECT_EQ(split_glob("d/e/*/x.wav"), (std::pair<fs::path, std::string_view>("d/e", "*/x.wav")));
  EXPECT_EQ(split_glob("*.wav"), (std::pair<fs::path, std::string_view>(".", "*.wav")));
  EXPECT_EQ(split_glob("/*.wav"), (std::pair<fs::path, std::string_view>("/", "*.wav")));
  EXPECT_EQ(split_glob("/a/b*"), (std::pair<fs::path, std::string_view>("/a", "b*")));
}

class DiscoveryTest : public testing::Test {
 protected:
  DiscoveryTest() {
    for (const char* name : {"in/b.wav", "in/a.WAV", "in/notes.txt", "in/sub/c.wav", "in/sub/deep/d.flac",
                             "in/.hidden.wav", "in/.git/x.wav", "out/done.wav"})
      folder_.write(name, name);
    old_ = fs::current_path();
    fs::current_path(folder_.path());
  }
  ~DiscoveryTest() override { fs::current_path(old_); }

  Strings ids(const Strings& inputs, bool recursive = false, std::vector<fs::path> leave_out = {}) const {
    Strings out;
    for (const InputFile& file : discover_inputs(inputs, {recursive, {".wav", ".flac"}, std::move(leave_out)}).files) {
      EXPECT_TRUE(fs::is_regular_file(file.path)) << file.path;
      out.push_back(file.id);
    }
    return out;
  }
  TemporaryFolder folder_;
  fs::path old_;
};

TEST_F(DiscoveryTest, FilesAndFolders) {
  EXPECT_EQ(ids({"in/b.wav"}), (Strings{"b.wav"}));
  EXPECT_EQ(ids({"in/notes.txt"}), (Strings{"notes.txt"}));  // named: taken whatever its extension
  EXPECT_EQ(ids({"in"}), (Strings{"a.WAV", "b.wav"}));
  EXPECT_EQ(ids({"in/"}, true), (Strings{"a.WAV", "b.wav", "sub/c.wav", "sub/deep/d.flac"}));
  EXPECT_TRUE(discover_inputs({"in/b.wav"}, {}).one_file);
  EXPECT_FALSE(discover_inputs({"in/sub"}, {}).one_file);
  EXPECT_FALSE(discover_inputs({"in/b.w*"}, {}).one_file);
}

TEST_F(DiscoveryTest, AnExtensionMayHaveTwoParts) {
  for (const char* name : {"volumes/a.nii.gz", "volumes/b.NII.GZ", "volumes/c.gz", "volumes/d.nii"})
    folder_.write(name, name);
  Strings found;
  for (const InputFile& file :
       discover_inputs({"volumes/*"}, {.recursive = false, .extensions = {".nii", ".nii.gz"}, .leave_out = {}}).files)
    found.push_back(file.id);
  EXPECT_EQ(found, (Strings{"a.nii.gz", "b.NII.GZ", "d.nii"}));
}

TEST_F(DiscoveryTest, FindsEachFileOnce) {
  EXPECT_EQ(ids({"in", "in/b.wav", "./in/../in/b.wav"}), (Strings{"a.WAV", "b.wav"}));
}

TEST_F(DiscoveryTest, Patterns) {
  EXPECT_EQ(ids({"in/*.wav"}), (Strings{"b.wav"}));
  EXPECT_EQ(ids({"in/**/*.*"}), (Strings{"a.WAV", "b.wav", "notes.txt", "sub/c.wav", "sub/deep/d.flac"}));
  EXPECT_EQ(ids({"in/**"}), (Strings{"a.WAV", "b.wav", "sub/c.wav", "sub/deep/d.flac"}));  // known extensions
  EXPECT_EQ(ids({"*/sub/?.wav"}), (Strings{"in/sub/c.wav"}));
  expect_error(Errc::kInput, "in/*.mp3: matches no file", [&] { ids({"in/*.mp3"}); });
  folder_.write("in/[x].wav", "");
  EXPECT_EQ(ids({"in/[x].wav"}), (Strings{"[x].wav"}));  // an existing name is no pattern
}

TEST_F(DiscoveryTest, Lists) {
  const std::string absolute = (folder_ / "in/a.WAV").string();
  folder_.write("list.txt", "in/b.wav\r\n\nin/sub\n" + absolute + "\nin/sub/deep/*.flac\n");
  EXPECT_EQ(ids({"@list.txt"}, true), (Strings{"in/b.wav", "in/sub/c.wav", "in/sub/deep/d.flac", absolute.substr(1)}));
  folder_.write("bad.txt", "in/b.wav\nin/none.wav\n");
  expect_error(Errc::kInput, "bad.txt:2: in/none.wav: no such file", [&] { ids({"@bad.txt"}); });
  folder_.write("empty.txt", "\n\n");
  expect_error(Errc::kInput, "empty.txt: the list is empty", [&] { ids({"@empty.txt"}); });
  expect_error(Errc::kInput, "none.txt: cannot read", [&] { ids({"@none.txt"}); });
}

TEST_F(DiscoveryTest, SaysWhatIsMissing) {
  expect_error(Errc::kInput, "in/none.wav: no such file or folder", [&] { ids({"in/none.wav"}); });
  expect_error(Errc::kInput, "out/sub: the folder holds no .wav, .flac file", [&] {
    fs::create_directories("out/sub");
    ids({"out/sub"});
  });
  fs::create_directories("nest/x");
  folder_.write("nest/x/a.wav", "");
  expect_error(Errc::kInput, "-r also searches the folders in it", [&] { ids({"nest"}); });
  expect_error(Errc::kInput, "an input is empty", [&] { ids({""}); });
  ASSERT_EQ(::mkfifo("pipe", 0600), 0);
  expect_error(Errc::kInput, "pipe: not a regular file (use - for standard input)", [&] { ids({"pipe"}); });
}

TEST_F(DiscoveryTest, TwoFilesOfOneNameAreRefused) {
  folder_.write("other/b.wav", "");
  expect_error(Errc::kInput, "would both be called 'b.wav'; give the folder above them with -r", [&] {
    ids({"in/b.wav", "other/b.wav"});
  });
}

TEST_F(DiscoveryTest, LinkLoopsEndAndRealPathsWin) {
  fs::create_directory_symlink("..", "in/sub/up");
  fs::create_directory_symlink("sub", "in/alias");
  fs::create_directory_symlink("../out", "in/outside");
  EXPECT_EQ(ids({"in"}, true), (Strings{"a.WAV", "b.wav", "outside/done.wav", "sub/c.wav", "sub/deep/d.flac"}));
}

TEST_F(DiscoveryTest, LeavesOutTheOutputFolder) {
  EXPECT_EQ(ids({"."}, true, {"out"}), (Strings{"in/a.WAV", "in/b.wav", "in/sub/c.wav", "in/sub/deep/d.flac"}));
  EXPECT_EQ(ids({"in"}, false, {"in"}), (Strings{"a.WAV", "b.wav"}));  // the root itself is entered
}

TEST_F(DiscoveryTest, ABrokenLinkIsAnItemThatWillFail) {
  fs::create_symlink("nowhere", "in/z.wav");
  EXPECT_EQ(discover_inputs({"in"}, {false, {".wav"}, {}}).files.back().id, "z.wav");
}

TEST_F(DiscoveryTest, SortsByByteValue) {
  for (const char* name : {"s/B.wav", "s/a.wav", "s/\xc3\xa9.wav", "s/10.wav", "s/9.wav", "s/x/1.wav", "s/x.wav"})
    folder_.write(name, "");
  EXPECT_EQ(ids({"s"}, true), (Strings{"10.wav", "9.wav", "B.wav", "a.wav", "x.wav", "x/1.wav", "\xc3\xa9.wav"}));
}

TEST(Shard, SplitsByIndex) {
  const Shard shard = parse_shard("2/3");
  EXPECT_FALSE(shard.holds(0));
  EXPECT_TRUE(shard.holds(1));
  EXPECT_TRUE(shard.holds(4));
  EXPECT_TRUE(parse_shard("").holds(17));
  for (const char* text : {"0/3", "4/3", "1/0", "1", "a/b", "1/2/3", "-1/2", "1/", "/2", "1/99999999"})
    expect_error(Errc::kUsage, "--shard must", [&] { parse_shard(text); });
}

TEST(Shard, ReadsTheVariablesOfASlurmArray) {
  ::unsetenv("SLURM_ARRAY_TASK_ID");
  expect_error(Errc::kUsage, "--shard auto needs the variable SLURM_ARRAY_TASK_ID", [] { parse_shard("auto"); });
  ::setenv("SLURM_ARRAY_TASK_ID", "14", 1);
  ::setenv("SLURM_ARRAY_TASK_MIN", "10", 1);
  ::setenv("SLURM_ARRAY_TASK_STEP", "2", 1);
  ::setenv("SLURM_ARRAY_TASK_COUNT", "4", 1);
  const Shard shard = parse_shard("auto");
  EXPECT_EQ(shard.index, 3U);
  EXPECT_EQ(shard.count, 4U);
  ::setenv("SLURM_ARRAY_TASK_ID", "15", 1);
  expect_error(Errc::kUsage, "task 15 is not in an array that starts at 10 with step 2", [] { parse_shard("auto"); });
  ::setenv("SLURM_ARRAY_TASK_ID", "x", 1);
  expect_error(Errc::kUsage, "must be a whole number, got 'x'", [] { parse_shard("auto"); });
  for (const char* name : {"ID", "MIN", "STEP", "COUNT"}) ::unsetenv((std::string("SLURM_ARRAY_TASK_") + name).c_str());
}

}  // namespace
}  // namespace reseda::io
