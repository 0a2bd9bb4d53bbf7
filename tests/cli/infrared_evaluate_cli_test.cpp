// reseda infrared evaluate as a real process: what it writes, says and refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/record/json.hpp"
#include "io/record/png.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

using testing::HasSubstr;

constexpr std::size_t kSide = 32;

class InfraredEvaluateCli : public testing::Test {
 protected:
  void frame(const std::string& name, int add) const {
    std::vector<std::uint8_t> pixels;
    for (std::size_t i = 0; i < kSide * kSide; ++i) pixels.push_back(static_cast<std::uint8_t>(i * i % 199 + add));
    folder_.write(name, io::encode_png(pixels, kSide, kSide, io::PngColor::kGray));
  }
  Outcome evaluate(const std::vector<std::string>& more) const {
    std::vector<std::string> words = {"reseda-infrared", "evaluate",  "--reference", path("HR"),
                                      "--restored",      path("out"), "--draws",     "50"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  TemporaryFolder folder_;
};

TEST_F(InfraredEvaluateCli, WritesTheSameReportTwice) {
  for (const char* name : {"a", "b"}) frame(std::string("HR/") + name + ".png", 0);
  frame("out/a.png", 2);
  frame("out/bx4.png", 5);
  const Outcome first = evaluate({"-o", path("one")}), second = evaluate({"-o", path("two"), "--json"});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("3.500 [2.000, 5.000]"));
  EXPECT_THAT(first.err, HasSubstr("2 of 2 frames compared; " + path("one/report.html")));
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(second.out, folder_.read("two/scores.json"));
  for (const char* name : {"scores.csv", "scores.json", "report.html"})
    EXPECT_EQ(folder_.read(std::string("one/") + name), folder_.read(std::string("two/") + name)) << name;
  const Outcome refused = evaluate({"-o", path("one")});
  EXPECT_EQ(refused.code, 5);
  EXPECT_THAT(refused.err, HasSubstr("--overwrite"));
}

TEST_F(InfraredEvaluateCli, SaysWhatIsMissing) {
  frame("HR/a.png", 0);
  frame("HR/b.png", 0);
  frame("out/a.png", 2);
  frame("out/c.png", 2);
  const Outcome some = evaluate({"-o", path("report")});
  EXPECT_EQ(some.code, 1);
  EXPECT_THAT(some.err, HasSubstr("b: 0 restored frames for it in " + path("out")));
  EXPECT_THAT(some.err, HasSubstr("1 frame has no reference, e.g. " + path("out/c.png")));
  folder_.write("out/a.png", "not an image");
  const Outcome none = evaluate({});
  EXPECT_EQ(none.code, 3) << none.err;
  EXPECT_THAT(none.err, HasSubstr(path("out/a.png")));
  EXPECT_EQ(run({"reseda-infrared", "evaluate", "--reference", path("HR")}).code, 2);
  EXPECT_EQ(run({"reseda-infrared", "evaluate", "--reference", path("no"), "--restored", path("out")}).code, 3);
}

}  // namespace
}  // namespace reseda::tests
