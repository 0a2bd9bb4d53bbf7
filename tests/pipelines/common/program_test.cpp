// Failures, queues, durations: what a program needs besides its flags.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <new>
#include <stdexcept>
#include <thread>

#include "pipelines/common/batch_progress.hpp"
#include "pipelines/common/bounded_queue.hpp"
#include "pipelines/common/failure.hpp"
#include "pipelines/common/terminal.hpp"

namespace reseda::app {
namespace {

template <class Function>
Failure failure_of(Function&& function) {
  try {
    function();
  } catch (...) {
    return describe_exception(std::current_exception());
  }
  return {};
}

TEST(Failure, TranslatesEveryException) {
  const Failure ours = failure_of([] { throw Error(Errc::kNumeric, "two\nlines"); });
  EXPECT_EQ(ours.code, Errc::kNumeric);
  EXPECT_EQ(ours.message, "two lines");
  EXPECT_EQ(failure_of([] { throw std::bad_alloc(); }).code, Errc::kDevice);
  EXPECT_EQ(failure_of([] { throw std::runtime_error("x"); }).code, Errc::kInternal);
  EXPECT_EQ(failure_of([] { throw 1; }).message, "an exception of unknown type");
  const Failure file = failure_of([] { std::filesystem::create_directory("/none/x"); });
  EXPECT_EQ(file.code, Errc::kInput);
  EXPECT_EQ(file.message, "/none/x: No such file or directory");
}

TEST(Failure, KeepsTheTraceOfLibTorchToItself) {
  const Failure shapes = failure_of([] { at::ones({2, 3}).matmul(at::ones({2, 3})); });
  EXPECT_EQ(shapes.code, Errc::kInternal);
  EXPECT_NE(shapes.message.find("shapes cannot be multiplied"), std::string::npos);
  EXPECT_EQ(shapes.message.find("frame #"), std::string::npos);
  EXPECT_EQ(shapes.message.find('\n'), std::string::npos);
  const Failure memory = failure_of([] { at::empty({1LL << 50}); });
  EXPECT_EQ(memory.code, Errc::kDevice);
  EXPECT_EQ(memory.message.rfind("out of memory", 0), 0U);
}

TEST(BoundedQueue, HandsOverInOrderAndCloses) {
  BoundedQueue<int> queue(2);
  std::thread producer([&] {
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(queue.push(i));
    queue.close();
  });
  for (int i = 0; i < 100; ++i) EXPECT_EQ(queue.pop(), i);
  EXPECT_EQ(queue.pop(), std::nullopt);
  producer.join();
  EXPECT_FALSE(queue.push(1));
}

TEST(BoundedQueue, CloseWakesAWaitingProducer) {
  BoundedQueue<int> queue(1);
  queue.push(0);
  std::thread producer([&] { EXPECT_FALSE(queue.push(1)); });
  queue.close();
  producer.join();
  EXPECT_EQ(queue.pop(), 0);
}

TEST(Duration, IsShort) {
  EXPECT_EQ(duration_text(0.0404), "40 ms");
  EXPECT_EQ(duration_text(1.44), "1.4 s");
  EXPECT_EQ(duration_text(75.2), "75 s");
  EXPECT_EQ(duration_text(700), "12 min");
  EXPECT_EQ(duration_text(3600 * 3 + 60 * 20), "3 h 20 min");
}

TEST(OneLine, RemovesControlCharacters) { EXPECT_EQ(one_line("a\nb\t\x1b[31mc\r\n"), "a b  [31mc "); }

}  // namespace
}  // namespace reseda::app
