#include "io/kspace/isolated.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <cstring>

#include "tests/support/expect_error.hpp"

namespace reseda::io {
namespace {

using tests::expect_error;

TEST(Isolated, ArraysAndTextsComeOver) {
  const auto handover = run_isolated(
      [](HandoverWriter& writer) {
        const float values[6] = {1, 2, 3, 4, 5, 6};
        std::memcpy(writer.add("numbers", {2, 3}, sizeof(float)), values, sizeof values);
        writer.add_text("title", "a b\nc");
        writer.add("none", {0}, 8);
      },
      "test", {});
  const HandedArray* numbers = handover->find("numbers");
  ASSERT_NE(numbers, nullptr);
  EXPECT_EQ(numbers->shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(reinterpret_cast<const float*>(numbers->bytes.data())[4], 5);
  EXPECT_EQ(handover->text("title"), "a b\nc");
  EXPECT_EQ(handover->find("none")->bytes.size(), 0u);
  EXPECT_EQ(handover->find("other"), nullptr);
}

TEST(Isolated, AnErrorOfTheChildIsThrownHere) {
  expect_error(Errc::kInput, "a rule with spaces", [] {
    run_isolated([](HandoverWriter&) { throw Error(Errc::kInput, "a rule with spaces"); }, "test", {});
  });
}

TEST(Isolated, ACrashIsAnErrorOfTheInput) {
  expect_error(Errc::kInput, "its reader failed on it",
               [] { run_isolated([](HandoverWriter&) { ::raise(SIGSEGV); }, "file.h5", {}); });
  expect_error(Errc::kInput, "file.h5: its reader failed",
               [] { run_isolated([](HandoverWriter&) { throw 1; }, "file.h5", {}); });
}

TEST(Isolated, AbsurdRequestsAreRefused) {
  expect_error(Errc::kInput, "limit of 1000000 bytes", [] {
    run_isolated(
        [](HandoverWriter& writer) {
          writer.add("x", {1 << 20, 1 << 20}, 8);
        },
        "test", {.handed_bytes = 1000000});
  });
}

TEST(Isolated, ALoopWithoutEndIsStopped) {
  expect_error(Errc::kInput, "takes too long", [] {
    run_isolated(
        [](HandoverWriter&) {
          const volatile bool forever = true;
          while (forever) {
          }
        },
        "test", {.cpu_seconds = 1});
  });
}

}  // namespace
}  // namespace reseda::io
