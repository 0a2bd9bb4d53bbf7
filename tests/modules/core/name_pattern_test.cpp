#include "modules/core/name_pattern.hpp"

#include <gtest/gtest.h>

namespace reseda {
namespace {

TEST(NamePattern, StandsForWholeNames) {
  EXPECT_TRUE(matches_pattern("a.b", "a.b"));
  EXPECT_FALSE(matches_pattern("a.b", "a.b.c"));
  EXPECT_FALSE(matches_pattern("a.b", "x.a.b"));
  EXPECT_TRUE(matches_pattern("", ""));
  EXPECT_FALSE(matches_pattern("", "a"));
}

TEST(NamePattern, StarTakesAnyTextAndMarkOneByte) {
  EXPECT_TRUE(matches_pattern("pesq_loss.*", "pesq_loss.fbank.fbank"));
  EXPECT_TRUE(matches_pattern("pesq_loss.*", "pesq_loss."));
  EXPECT_FALSE(matches_pattern("pesq_loss.*", "pesq_loss"));
  EXPECT_TRUE(matches_pattern("*.0.W", "dnn.all_modules.0.W"));
  EXPECT_FALSE(matches_pattern("*.0.W", "dnn.all_modules.10.W"));
  EXPECT_TRUE(matches_pattern("a*b*c", "a.b.b.c"));
  EXPECT_TRUE(matches_pattern("**", "x"));
  EXPECT_TRUE(matches_pattern("opt?", "opt0"));
  EXPECT_FALSE(matches_pattern("opt?", "opt"));
  EXPECT_TRUE(matches_any({"x", "a*"}, "abc"));
  EXPECT_FALSE(matches_any({}, "abc"));
}

TEST(NamePattern, EndsSoonOnNamesMadeToBeSlow) {
  EXPECT_FALSE(matches_pattern("*a*a*a*a*a*a*a*a*a*b", std::string(20000, 'a')));
}

}  // namespace
}  // namespace reseda
