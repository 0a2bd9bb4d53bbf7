#include "modules/core/parallel.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <vector>

namespace reseda {
namespace {

/// Sets LibTorch's threads for a test.
class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before_); }

 private:
  int before_;
};

/// A place where two threads meet, or do not within ten seconds.
class Meeting {
 public:
  bool both_come() {
    std::unique_lock lock(mutex_);
    ++here_;
    changed_.notify_all();
    return changed_.wait_for(lock, std::chrono::seconds(10), [this] { return here_ >= 2; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int here_ = 0;
};

#ifdef __clang__
#define NEEDS_OPENMP() GTEST_SKIP() << "compiled by clang, without LibTorch's OpenMP: loops run on one thread"
#else
#define NEEDS_OPENMP() static_cast<void>(0)
#endif

TEST(Parallel, PartsAreComputedAtTheSameTimeAndOnce) {
  NEEDS_OPENMP();
  const Threads threads(2);
  Meeting meeting;
  std::vector<int> seen(10, 0);
  std::mutex mutex;
  int met = 0, parts = 0;
  parallel_for(0, 10, 1, [&](std::int64_t first, std::int64_t last) {
    const bool both = meeting.both_come();
    const std::scoped_lock lock(mutex);
    met += both ? 1 : 0;
    ++parts;
    for (std::int64_t i = first; i < last; ++i) ++seen[static_cast<std::size_t>(i)];
  });
  EXPECT_EQ(met, 2);
  EXPECT_EQ(parts, 2);
  EXPECT_EQ(seen, std::vector<int>(10, 1));
}

TEST(Parallel, ItemsRunAtTheSameTimeAsManyAsMay) {
  NEEDS_OPENMP();
  const Threads threads(3);
  Meeting meeting;
  std::mutex mutex;
  std::vector<int> seen(7, 0);
  int running = 0, most = 0, met = 0;
  const auto item = [&](std::int64_t i) {
    {
      const std::scoped_lock lock(mutex);
      most = std::max(most, ++running);
      ++seen[static_cast<std::size_t>(i)];
    }
    const bool both = meeting.both_come();
    const std::scoped_lock lock(mutex);
    met += both ? 1 : 0;
    --running;
  };
  parallel_items(7, 2, item);
  EXPECT_EQ(met, 7);
  EXPECT_EQ(most, 2);
  EXPECT_EQ(seen, std::vector<int>(7, 1));
  most = 0;
  parallel_items(7, 1, item);
  EXPECT_EQ(most, 1);
  parallel_items(0, 4, [](std::int64_t) { FAIL(); });
}

TEST(Parallel, ValuesOfItemsDoNotDependOnThreads) {
  const at::Tensor weight = at::sin(at::arange(24 * 24 * 9, at::kFloat)).view({24, 24, 3, 3}),
                   point = at::sin(at::arange(24 * 24, at::kFloat)).view({24, 24, 1, 1});
  const auto values = [&](int count) {
    const Threads threads(count);
    std::vector<at::Tensor> out(5);
    parallel_items(5, 8, [&](std::int64_t i) {
      parallel_for(0, 4, 1, [](std::int64_t first, std::int64_t last) { EXPECT_EQ(last - first, 4); });
      EXPECT_EQ(at::get_num_threads(), 1);
      at::Tensor x = at::sin(0.01 * at::arange(i, i + 24 * 101 * 97, at::kFloat)).view({1, 24, 101, 97});
      for (int layer = 0; layer < 3; ++layer) x = at::silu(at::conv2d(at::conv2d(x, weight, {}, 1, 1), point));
      out[static_cast<std::size_t>(i)] = at::matmul(x, x.transpose(2, 3)).softmax(3);
    });
    return out;
  };
  const std::vector<at::Tensor> one = values(1), two = values(2), four = values(4);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(one[i].equal(two[i])) << i;
    EXPECT_TRUE(one[i].equal(four[i])) << i;
  }
  const Threads threads(3);
  parallel_items(2, 2, [](std::int64_t) {});
  EXPECT_EQ(at::get_num_threads(), 3) << "outside nothing changes";
}

TEST(Parallel, SumsOnOneThreadAreTheSameForAnyNumber) {
  const at::Tensor x = at::sin(at::arange(1 << 20, at::kFloat));
  std::vector<float> sums;
  for (const int count : {1, 2, 3}) {
    const Threads threads(count);
    on_one_thread([&] { sums.push_back(x.sum().item<float>()); });
  }
  EXPECT_EQ(sums, std::vector<float>(3, sums.front()));
}

TEST(Parallel, ModesAreTheCallersAndWhatIsThrownArrives) {
  const Threads threads(2);
  {
    const c10::NoGradGuard none;
    parallel_items(4, 2, [](std::int64_t) { EXPECT_FALSE(at::GradMode::is_enabled()); });
  }
  parallel_items(4, 2, [](std::int64_t) { EXPECT_TRUE(at::GradMode::is_enabled()); });
  std::mutex mutex;
  std::set<std::int64_t> begun;
  EXPECT_THROW(parallel_items(1000, 2,
                              [&](std::int64_t i) {
                                {
                                  const std::scoped_lock lock(mutex);
                                  begun.insert(i);
                                }
                                if (i == 3) throw std::runtime_error("three");
                              }),
               std::runtime_error);
  EXPECT_LT(begun.size(), 1000U);
  EXPECT_EQ(begun.count(3), 1U);
}

}  // namespace
}  // namespace reseda
