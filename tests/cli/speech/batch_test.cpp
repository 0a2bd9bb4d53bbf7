#include <ATen/ATen.h>
#include <signal.h>
#include <sndfile.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <thread>

#include "enhance_fixture.hpp"

namespace reseda::test {
namespace {

namespace fs = std::filesystem;

/// Waits until `happened` or the program's end. @return whether it happened first
bool wait_until(RunningProgram& program, const std::function<bool()>& happened) {
  for (int i = 0; i < 60'000 && !program.ended(); ++i) {
    if (happened()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

/// Folders of recordings: what is interrupted goes on, what is divided adds up, what fails leaves the rest alone.
class EnhanceBatch : public EnhanceCommand {
 protected:
  // Noise of several calls: the bytes depend on an item's name and on nothing that a restart or a shard could change.
  const std::vector<std::string> noisy_ = {"-s", "sampler.name=sb_sde", "-s", "sampler.steps=10", "--threads", "1"};

  std::vector<std::string> noisy(const std::string& out, std::vector<std::string> more = {}) const {
    more.insert(more.end(), noisy_.begin(), noisy_.end());
    more.insert(more.end(), {"-r", text("in"), "-o", text(out)});
    return more;
  }
  void write_folder(int count, std::int64_t frames) const {
    for (int i = 0; i < count; ++i) {
      const std::string name = "in/" + std::string(i % 2 == 0 ? "" : "deep/") + std::to_string(i) + ".wav";
      write(name, made_recording(frames + 100 * i));
    }
  }
  /// Name and bytes of the files that have their final name.
  std::map<std::string, std::string> finished(const std::string& folder) const {
    auto files = contents(folder);
    std::erase_if(files, [](const auto& file) { return fs::path(file.first).filename().string().front() == '.'; });
    return files;
  }
  /// No hidden file and nothing else that an interrupted write would leave.
  void expect_no_leftovers(const std::string& folder) const {
    for (const std::string& name : listing(folder))
      EXPECT_NE(fs::path(name).filename().string().front(), '.') << folder << "/" << name;
  }
};

TEST_F(EnhanceBatch, KilledInTheMiddleAndStartedAgainGivesTheSameBytes) {
  write_folder(6, 40000);
  ASSERT_EQ(enhance(noisy("whole"), "random").code, 0);
  {
    RunningProgram program(command(noisy("killed"), "random"));
    ASSERT_TRUE(wait_until(program, [&] { return finished("killed").size() >= 2; }));
    program.signal(SIGKILL);
    EXPECT_EQ(program.wait().code, 128 + SIGKILL);
  }
  const auto early = finished("killed");
  EXPECT_LT(early.size(), 6U);
  for (const auto& [name, bytes] : early) EXPECT_EQ(bytes, contents("whole")[name]) << name;
  const Outcome again = enhance(noisy("killed"), "random");
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.err.find("done before, 0 failed"), std::string::npos) << again.err;
  EXPECT_EQ(again.err.find(" 0 done before"), std::string::npos) << again.err;
  EXPECT_EQ(contents("killed"), contents("whole"));
  expect_no_leftovers("killed");
}

TEST_F(EnhanceBatch, ShardsAddUpToTheWhole) {
  write_folder(7, 3000);
  ASSERT_EQ(enhance(noisy("whole"), "random").code, 0);
  std::size_t before = 0;
  for (const char* shard : {"1/3", "2/3", "3/3"}) {
    ASSERT_EQ(enhance(noisy("parts", {"--shard", shard}), "random").code, 0);
    EXPECT_GT(contents("parts").size(), before) << shard;
    before = contents("parts").size();
  }
  EXPECT_EQ(contents("parts"), contents("whole"));
  EXPECT_EQ(contents("whole").size(), 7U);
  expect_no_leftovers("parts");
}

TEST_F(EnhanceBatch, OneFailureDoesNotEndTheRun) {
  write_folder(3, 3000);
  write_text("in/1.wav", "not a sound");
  const Outcome outcome = enhance({"-r", text("in"), "-o", text("out")});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("reseda-speech: input: " + text("in/1.wav") + ": is not an audio file"), std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("4 items in"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find(": 3 done, 0 done before, 1 failed"), std::string::npos) << outcome.err;
  EXPECT_EQ(listing("out"), (std::set<std::string>{"0.wav", "2.wav", "deep", "deep/1.wav", "run.jsonl"}));

  // Once it is mended, only the failed one is done.
  write("in/1.wav", made_recording(2000));
  const Outcome again = enhance({"-r", text("in"), "-o", text("out")});
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.err.find(": 1 done, 3 done before, 0 failed"), std::string::npos) << again.err;
}

TEST_F(EnhanceBatch, InterruptionsEndWith130AndNothingHalfWritten) {
  write_folder(2, 20000);
  // 3000 calls for each of the two: seconds, so that the signal comes in between.
  std::vector<std::string> slow = {"-r", text("in"),          "-o", text("out"), "-s", "sampler.name=sb_sde",
                                   "-s", "sampler.steps=3000"};
  RunningProgram program(command(slow, "random"));
  ASSERT_TRUE(wait_until(program, [&] { return fs::exists(at("out/run.jsonl")); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  program.signal(SIGINT);
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.code, 130);
  EXPECT_NE(outcome.err.find(": 0 done, 0 done before, 0 failed, 2 left; the same command goes on from here"),
            std::string::npos)
      << outcome.err;
  EXPECT_EQ(listing("out"), (std::set<std::string>{"run.jsonl"}));
}

TEST_F(EnhanceBatch, InterruptionOfALongRecordingLeavesNothing) {
  // More than is held in memory, so that the output is being written when the signal comes.
  fs::create_directories(at("in/deep"));
  {
    io::AudioWriter writer(at("in/deep/long.wav"), mono(4000, SF_FORMAT_WAV | SF_FORMAT_PCM_U8));
    const at::Tensor piece = made_recording(1 << 20);
    for (int i = 0; i < 17; ++i) writer.write(piece);
    writer.commit();
  }
  RunningProgram program(command({"-r", text("in"), "-o", text("out"), "-s", "chunk_seconds=4"}, "random"));
  ASSERT_TRUE(wait_until(program, [&] { return !listing("out/deep").empty(); }));
  program.signal(SIGINT);
  EXPECT_EQ(program.wait().code, 130);
  const std::set<std::string> left = listing("out");
  EXPECT_EQ(left.count("deep/long.wav"), 0U);
  expect_no_leftovers("out");
}

}  // namespace
}  // namespace reseda::test
