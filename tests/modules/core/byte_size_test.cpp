#include "modules/core/byte_size.hpp"

#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

TEST(ByteSize, ReadsSizesAndRefusesWhatIsNone) {
  const auto parse = [](const char* text) { return parse_bytes("--max-memory", text); };
  EXPECT_EQ(parse("4GiB"), std::int64_t{4} << 30);
  EXPECT_EQ(parse("4G"), std::int64_t{4} << 30);
  EXPECT_EQ(parse("500MB"), 500000000);
  EXPECT_EQ(parse("1.5K"), 1536);
  EXPECT_EQ(parse("12345"), 12345);
  EXPECT_EQ(parse("12345B"), 12345);
  for (const char* text : {"", "GiB", "4 GiB", "4X", "-1G", "0", "4GiBs", "inf"})
    expect_error(Errc::kUsage, "--max-memory", [&] { parse(text); });
}

TEST(ByteSize, WritesThemShort) {
  EXPECT_EQ(bytes_text(std::int64_t{300} << 20), "300 MiB");
  EXPECT_EQ(bytes_text(std::int64_t{3} << 29), "1.5 GiB");
}

}  // namespace
}  // namespace reseda::tests
