#include "pipelines/certify/cohen_log.hpp"

#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

using namespace certify;

TEST(CohenLog, ReadsWhatItWrites) {
  const CohenRow row = {.index = 20, .label = 3, .predicted = 3, .radius = 0.456, .seconds = 86400.5};
  EXPECT_EQ(cohen_line(row), "20\t3\t3\t0.456\t1\t1 day, 0:00:00.500000");
  const CohenLog log = parse_cohen_log(cohen_header(true) + "\n" + cohen_line(row) + "\n");
  ASSERT_EQ(log.rows.size(), 1U);
  EXPECT_EQ(log.rows[0].radius, 0.456);
  EXPECT_EQ(log.rows[0].seconds, 86400.5);
  EXPECT_TRUE(log.rows[0].correct());
  EXPECT_FALSE(log.other_correct);
}

TEST(CohenLog, ReadsPredictions) {
  const CohenLog log = parse_cohen_log("idx\tlabel\tpredict\tcorrect\ttime\n4\t1\t-1\t0\t15.3\n");
  EXPECT_FALSE(log.rows[0].radius.has_value());
  EXPECT_FALSE(log.images()[0].correct);
  EXPECT_EQ(log.rows[0].seconds, 15.3);
}

TEST(CohenLog, NamesTheLineItCannotRead) {
  const std::string header = cohen_header(true) + "\n";
  expect_error(Errc::kInput, "line 1: the header lacks the column idx",
               [] { parse_cohen_log("0\t1\t1\t0.5\t1\t3\n"); });
  expect_error(Errc::kInput, "line 2 has 3 columns, expected 6", [&] { parse_cohen_log(header + "0\t1\t2\n"); });
  expect_error(Errc::kInput, "line 3: 'x' is not a number",
               [&] { parse_cohen_log(header + "0\t1\t1\t0.5\t1\t3\n1\tx\t1\t0.5\t1\t3\n"); });
}

TEST(CohenLog, WritesEveryTimeAsItCame) {
  // Rows as in published logs: with plain seconds, with and without a fraction, and of predictions.
  for (const std::string text :
       {"idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t3\t3\t0.378\t1\t15.4\n20\t7\t-1\t0.0\t0\t17.0\n",
        "idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t3\t3\t0.3\t1\t0:02:30.120000\n1\t7\t7\t0.000998\t1\t0:00:14\n",
        // with five digits, as SmoothAdv's
        "idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t3\t3\t0.97845\t1\t0:00:14\n1\t7\t7\t1.25\t1\t0:00:14\n"
        "2\t7\t7\t3.8e-05\t1\t0:00:14\n3\t7\t7\t1.2346e+04\t1\t0:00:14\n",
        "idx\tlabel\tpredict\tcorrect\ttime\n0\t0\t395\t0\t0:00:01.737771\n"}) {
    const CohenLog log = parse_cohen_log(text);
    std::string again = cohen_header(log.rows[0].radius.has_value()) + "\n";
    for (const CohenRow& row : log.rows) again += cohen_line(row) + "\n";
    EXPECT_EQ(again, text);
  }
}

TEST(CohenLog, RefusesWhatCannotBe) {
  const std::string header = cohen_header(true) + "\n", row = "0\t1\t1\t0.5\t1\t0:00:15.8\n";
  const auto refuses = [&](const std::string& text, const std::string& message) {
    expect_error(Errc::kInput, message, [&] { parse_cohen_log(text); });
  };
  refuses(header + row + "1\t1\t1\t0.5\t1\t0:00:1", "line 3 has no end: the file was cut in the middle of it");
  refuses(header.substr(0, 9), "line 1 has no end");
  refuses("", "line 1");
  refuses(header + row + row, "line 3: image 0 is on line 2 too");
  refuses(header + "0\t1\t1\tnan\t1\t3\n", "line 2: radius must be a number of 0 or more, got nan");
  refuses(header + "0\t1\t1\t-0.5\t1\t3\n", "line 2: radius must be");
  refuses(header + "0\t1\t1\t0.5\t1\tinf\n", "line 2: time must be");
  refuses(header + "0\t1\t1\t0.5\t1\t1e300:00\n", "line 2: a time of");
}

TEST(CohenLog, KeepsTheTrapOfMax) {
  EXPECT_EQ(cohen_subset(8, 2, 6), (std::vector<std::int64_t>{0, 2, 4}));
  EXPECT_EQ(cohen_subset(8, 3, 5), (std::vector<std::int64_t>{0, 3, 6}));
  EXPECT_EQ(cohen_subset(3, 1, -1), (std::vector<std::int64_t>{0, 1, 2}));
}

}  // namespace
}  // namespace reseda::tests
