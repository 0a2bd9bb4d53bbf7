#include "pipelines/speech/evaluation/match_files.hpp"

#include <gtest/gtest.h>

#include "modules/core/error.hpp"
#include "tests/pipelines/speech_evaluation/temporary_folder.hpp"

namespace reseda::speech {
namespace {

class MatchFiles : public testing::Test {
 protected:
  std::vector<EvaluationItem> match(bool noisy = false, bool subset = false) {
    return match_files({.clean = folder_ / "clean",
                        .enhanced = folder_ / "enhanced",
                        .noisy = noisy ? folder_ / "noisy" : std::filesystem::path(),
                        .subset = subset});
  }
  void files(const std::string& folder, std::initializer_list<const char*> names) {
    for (const char* name : names) folder_.write(folder + "/" + name, "x");
  }
  test::TemporaryFolder folder_;
};

TEST_F(MatchFiles, ByPathWhateverTheExtension) {
  files("clean", {"a/t1.flac", "b/t1.wav", "t2.WAV", "notes.txt", ".hidden.wav"});
  files("enhanced", {"a/t1.wav", "b/t1.mp3", "t2.ogg", "run.jsonl"});
  const auto items = match();
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[0].name, "a/t1.wav");
  EXPECT_EQ(items[0].clean, folder_ / "clean" / "a/t1.flac");
  EXPECT_EQ(items[1].clean, folder_ / "clean" / "b/t1.wav");
  EXPECT_EQ(items[2].clean, folder_ / "clean" / "t2.WAV");
  for (const auto& item : items) EXPECT_EQ(item.problem, "");
}

TEST_F(MatchFiles, ByNameWhereItIsTheOnlyOne) {
  files("clean", {"t1.wav", "deep/t2.wav"});
  files("enhanced", {"out/t1.wav", "t2.wav"});
  const auto items = match();
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].clean, folder_ / "clean" / "t1.wav");
  EXPECT_EQ(items[1].clean, folder_ / "clean" / "deep/t2.wav");
}

TEST_F(MatchFiles, ANameThatOccursTwiceIsNotGuessed) {
  files("clean", {"b/t1.wav"});
  files("enhanced", {"a/t1.wav", "b/t1.wav"});
  const auto items = match();
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].problem, "no clean file for it in " + (folder_ / "clean").string());
  EXPECT_EQ(items[1].problem, "");
}

TEST_F(MatchFiles, MissingPartnersAreItemsWithAProblem) {
  files("clean", {"t1.wav", "t2.wav"});
  files("enhanced", {"t1.wav", "t3.wav"});
  files("noisy", {"t2.wav", "t3.wav"});
  const auto items = match(/*noisy=*/true);
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[0].problem, "no noisy file for it in " + (folder_ / "noisy").string());
  EXPECT_EQ(items[1].problem, "no enhanced file for it in " + (folder_ / "enhanced").string());
  EXPECT_EQ(items[2].problem, "no clean file for it in " + (folder_ / "clean").string());
  EXPECT_EQ(match(false, /*subset=*/true).size(), 2U);
}

TEST_F(MatchFiles, TwoFilesForOneName) {
  files("clean", {"t1.wav", "t1.flac"});
  files("enhanced", {"t1.wav"});
  EXPECT_EQ(match().at(0).problem, "more than one clean file for it in " + (folder_ / "clean").string());
}

TEST_F(MatchFiles, SingleFiles) {
  const std::string a = folder_.write("a.wav", "x"), b = folder_.write("b.wav", "x");
  const auto items = match_files({.clean = a, .enhanced = b, .noisy = {}});
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0].name, "b.wav");
  EXPECT_EQ(items[0].clean, a);
}

TEST_F(MatchFiles, Errors) {
  const auto message = [](const EvaluationFolders& folders) -> std::string {
    try {
      match_files(folders);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::kInput);
      return e.what();
    }
    return "";
  };
  files("clean", {"t1.wav"});
  files("empty", {"readme.txt"});
  const std::string clean = (folder_ / "clean").string(), gone = (folder_ / "gone").string();
  EXPECT_EQ(message({.clean = clean, .enhanced = gone, .noisy = {}}), gone + ": no such file or folder");
  EXPECT_EQ(message({.clean = clean + "/t1.wav", .enhanced = clean, .noisy = {}}),
            clean + "/t1.wav: give folders throughout, or one file each");
  const std::string empty = (folder_ / "empty").string();
  EXPECT_EQ(message({.clean = empty, .enhanced = empty, .noisy = {}}),
            empty + ": no audio files (wav, flac, ogg, opus, mp3)");
}

}  // namespace
}  // namespace reseda::speech
