#include "pipelines/tools/plain_text.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace reseda::tools {
namespace {

TEST(PlainText, KeepsLettersOfEveryLanguage) {
  const std::string text = "dnn.w \xC2\xB5 \xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x8E\xA7";
  EXPECT_EQ(plain_text(text), text);
}

TEST(PlainText, ReplacesWhatATerminalActsOn) {
  EXPECT_EQ(plain_text("a\x1b[31mb\x07\n\t\x7f"), "a?[31mb????");
  EXPECT_EQ(plain_text(std::string("a\0b", 3)), "a?b");
  EXPECT_EQ(plain_text("\xC2\x9B"
                       "31m"),
            "?31m");  // U+009B, control sequence introducer
  EXPECT_EQ(plain_text("x\xE2\x80\xAEy\xE2\x81\xA6z\xE2\x80\xA8\xEF\xBB\xBF"),
            "x?y?z??");                           // directions, line separator
  EXPECT_EQ(plain_text("\xC2\xA0"), "\xC2\xA0");  // the first one after the controls
}

TEST(PlainText, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(plain_text("a\x9b\xff z"), "a?? z");
  EXPECT_EQ(plain_text("\xC0\x9B"), "??");            // overlong
  EXPECT_EQ(plain_text("\xE0\x80\xAF"), "???");       // overlong
  EXPECT_EQ(plain_text("\xED\xA0\x80"), "???");       // a surrogate
  EXPECT_EQ(plain_text("\xF4\x90\x80\x80"), "????");  // beyond U+10FFFF
  EXPECT_EQ(plain_text("\xE6\x97"), "??");            // cut
}

TEST(PlainText, LongTextLosesItsMiddle) {
  EXPECT_EQ(plain_text("0123456789abcdefghij", 20), "0123456789abcdefghij");
  EXPECT_EQ(plain_text("0123456789abcdefghij", 12), "012345...hij");
  for (std::size_t most = 5; most < 40; ++most) {  // never inside a character
    std::string text;
    for (int i = 0; i < 20; ++i) text += "\xE6\x97\xA5";
    EXPECT_EQ(plain_text(text, most).find('?'), std::string::npos) << most;
    EXPECT_LE(plain_text(text, most).size(), most);
  }
}

TEST(PlainText, JsonEscapesTheSameCharacters) {
  EXPECT_EQ(plain_json("a\"\\\n"), R"("a\"\\\n")");
  EXPECT_EQ(plain_json("\x1b\xC2\x9B\xE2\x80\xAE"), R"("\u001b\u009b\u202e")");
  EXPECT_EQ(plain_json("\xF3\xA0\x80\x81"), R"("\udb40\udc01")");  // U+E0001, a tag
  EXPECT_EQ(plain_json("\xC2\xB5\xF0\x9F\x8E\xA7"), "\"\xC2\xB5\xF0\x9F\x8E\xA7\"");
}

TEST(PlainText, SizesAndCounts) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(999), "999 B");
  EXPECT_EQ(size_text(1000), "1.0 KB");
  EXPECT_EQ(size_text(8871), "8.9 KB");
  EXPECT_EQ(size_text(999'949), "999.9 KB");
  EXPECT_EQ(size_text(999'950), "1.0 MB");
  EXPECT_EQ(size_text(std::numeric_limits<std::uint64_t>::max()), "18.4 EB");
  EXPECT_EQ(count_text(9999), "9999");
  EXPECT_EQ(count_text(65'590'822), "65.6 M");
  EXPECT_EQ(counted(1, "tensor"), "1 tensor");
  EXPECT_EQ(counted(0, "tensor"), "0 tensors");
  EXPECT_EQ(figure_text(0.001234), "0.00123");
}

}  // namespace
}  // namespace reseda::tools
