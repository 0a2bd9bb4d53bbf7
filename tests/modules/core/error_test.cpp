#include "modules/core/error.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "modules/core/log.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda {
namespace {

using tests::expect_error;

TEST(Error, CodesAreTheExitCodes) {
  EXPECT_EQ(Error(Errc::kUsage, "").exit_code(), 2);
  EXPECT_EQ(Error(Errc::kInput, "").exit_code(), 3);
  EXPECT_EQ(Error(Errc::kCheckpoint, "").exit_code(), 4);
  EXPECT_EQ(Error(Errc::kOutput, "").exit_code(), 5);
  EXPECT_EQ(Error(Errc::kDevice, "").exit_code(), 6);
  EXPECT_EQ(Error(Errc::kNumeric, "").exit_code(), 7);
  EXPECT_EQ(Error(Errc::kInternal, "").exit_code(), 70);
  EXPECT_EQ(Error(Errc::kInterrupted, "").exit_code(), 130);
  EXPECT_STREQ(errc_name(Errc::kCheckpoint), "checkpoint");
  EXPECT_STREQ(errc_name(Errc::kInterrupted), "interrupted");
}

TEST(Error, RequireStreamsItsParts) {
  expect_error(Errc::kUsage, "steps must be >= 1, got -2",
               [] { RESEDA_REQUIRE(false, Errc::kUsage, "steps must be >= ", 1, ", got ", -2); });
  EXPECT_NO_THROW(RESEDA_REQUIRE(true, Errc::kUsage, "never"));
}

TEST(Error, InvariantNamesConditionFileAndLine) {
  expect_error(Errc::kInternal, "1 == 2 does not hold at error_test.cpp:", [] { RESEDA_INVARIANT(1 == 2); });
}

std::vector<std::string> captured;
void capture(log::Level, const std::string& message) { captured.push_back(message); }

TEST(Log, FiltersByLevelAndGoesToTheSink) {
  captured.clear();
  log::set_sink(&capture);
  log::set_level(log::Level::kWarning);
  log::info("no");
  log::warning("a", 1);
  log::error("b");
  log::set_level(log::Level::kOff);
  log::error("no");
  log::set_level(log::Level::kInfo);
  EXPECT_EQ(captured, (std::vector<std::string>{"a1", "b"}));
}

}  // namespace
}  // namespace reseda
