#include "modules/core/device.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "modules/core/error.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda {
namespace {

using tests::expect_error;

TEST(Precision, NamesReadBack) {
  for (const Precision precision : {Precision::kF32, Precision::kTf32, Precision::kBf16})
    EXPECT_EQ(parse_precision(precision_name(precision)), precision);
  expect_error(Errc::kUsage, "precision must be f32, tf32 or bf16, got 'fp16'", [] { parse_precision("fp16"); });
}

TEST(Precision, SwitchesTf32) {
  apply_precision(Precision::kTf32);
  EXPECT_TRUE(at::globalContext().allowTF32CuDNN());
  apply_precision(Precision::kF32);
  EXPECT_FALSE(at::globalContext().allowTF32CuDNN());
}

TEST(Device, CpuAndAutoOpen) {
  EXPECT_TRUE(open_device("cpu").is_cpu());
  EXPECT_EQ(open_device("auto").is_cuda(), cuda_unavailable_reason().empty());
}

TEST(Device, RefusesOtherTextsAndNeverFallsBack) {
  for (const char* text : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:123456", "CPU"})
    expect_error(Errc::kUsage, "device must be auto, cpu, cuda or cuda:N", [&] { open_device(text); });
  if (!cuda_unavailable_reason().empty()) {
    expect_error(Errc::kDevice, "device 'cuda' is not available: ", [] { open_device("cuda"); });
    expect_error(Errc::kDevice, "device 'cuda:1' is not available: ", [] { open_device("cuda:1"); });
  }
}

TEST(Threads, AreSetOrRefused) {
  const int before = at::get_num_threads();
  set_threads(1);
  EXPECT_EQ(at::get_num_threads(), 1);
  expect_error(Errc::kUsage, "threads must be 0 to 1024, got -1", [] { set_threads(-1); });
  expect_error(Errc::kUsage, "got 5000", [] { set_threads(5000); });
  set_threads(before);
}

}  // namespace
}  // namespace reseda
