#include "modules/core/allocation_limit.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/expect_error.hpp"

namespace reseda {
namespace {

using tests::expect_error;

TEST(AllocationLimit, StopsWhatGoesBeyond) {
  const AllocationLimit limit(1000, Errc::kCheckpoint, "the file describes too much");
  const at::Tensor fits = at::empty({100});
  EXPECT_EQ(limit.left(), 600U);
  // Never touched, so the machine would grant it.
  expect_error(Errc::kCheckpoint, "the file describes too much", [] { at::empty({std::int64_t{1} << 40}); });
  expect_error(Errc::kCheckpoint, "too much", [] { at::zeros({151}); });
  EXPECT_EQ(at::ones({140}).sum().item<float>(), 140.0F);
}

TEST(AllocationLimit, CountsWhatWasFreed) {
  const AllocationLimit limit(1000, Errc::kCheckpoint, "too much");
  for (int i = 0; i < 2; ++i) at::empty({100});
  expect_error(Errc::kCheckpoint, "too much", [] { at::empty({100}); });
}

TEST(AllocationLimit, EndsWithItsScopeAndLeavesOtherThreadsAlone) {
  at::Tensor kept;
  {
    const AllocationLimit outer(1000, Errc::kUsage, "outer");
    {
      const AllocationLimit inner(100, Errc::kCheckpoint, "inner");
      expect_error(Errc::kCheckpoint, "inner", [] { at::empty({100}); });
    }
    expect_error(Errc::kUsage, "outer", [] { at::empty({1000}); });
    kept = at::arange(10, at::kFloat);
    std::thread([] { EXPECT_EQ(at::ones({10000}).numel(), 10000); }).join();
  }
  EXPECT_EQ(at::empty({100000}).numel(), 100000);
  kept.resize_({1000});
  EXPECT_EQ(kept[9].item<float>(), 9.0F);
}

}  // namespace
}  // namespace reseda
