#include "io/kspace/kspace.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "io/array/npy_writer.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::io {
namespace {

using tests::expect_error;

class KspaceTest : public testing::Test {
 protected:
  std::filesystem::path array(const std::string& name, const at::Tensor& values) const {
    return folder_.write(name, npy_bytes(values));
  }
  tests::TemporaryFolder folder_;
};

at::Tensor ramp(at::IntArrayRef shape) {
  std::int64_t size = 1;
  for (const std::int64_t side : shape) size *= side;
  return at::complex(at::arange(1, size + 1, at::kFloat), at::arange(size, at::kFloat)).reshape(shape);
}

TEST_F(KspaceTest, OneSliceOfNumPyIsReadAndItsZerosAreNotMeasured) {
  at::Tensor values = ramp({2, 16, 18});
  values.select(2, 5).zero_();
  values[0].select(1, 6).zero_();  // of one coil only: measured
  const Kspace read = read_kspace(array("k.npy", values));
  EXPECT_EQ(read.samples.sizes(), at::IntArrayRef({1, 2, 16, 18}));
  EXPECT_TRUE(at::equal(read.samples[0], values));
  EXPECT_EQ(read.mask.sizes(), at::IntArrayRef({1, 16, 18}));
  EXPECT_EQ(read.mask.sum().item<float>(), 16 * 17);
  EXPECT_EQ(read.mask[0][3][5].item<float>(), 0);
  EXPECT_EQ(read.mask[0][3][6].item<float>(), 1);
}

TEST_F(KspaceTest, DoublePrecisionAndSeveralSlicesAreReadToo) {
  const Kspace read = read_kspace(array("k.npy", ramp({3, 2, 16, 16}).to(at::kComplexDouble)));
  EXPECT_EQ(read.samples.sizes(), at::IntArrayRef({3, 2, 16, 16}));
  EXPECT_EQ(read.samples.scalar_type(), at::kComplexFloat);
}

TEST_F(KspaceTest, AMaskOfLinesClearsTheOthers) {
  Kspace read = read_kspace(array("k.npy", ramp({2, 16, 16})));
  at::Tensor lines = at::zeros({16}, at::kBool);
  lines[7] = true;
  apply_mask(read, array("m.npy", lines));
  EXPECT_EQ(read.mask.sum().item<float>(), 16);
  EXPECT_EQ(read.samples.select(3, 6).abs().sum().item<float>(), 0);
  EXPECT_GT(read.samples.select(3, 7).abs().sum().item<float>(), 0);
}

TEST_F(KspaceTest, WhatIsNoKspaceIsRefused) {
  expect_error(Errc::kInput, "must be complex", [&] { read_kspace(array("r.npy", at::zeros({2, 16, 16}))); });
  expect_error(Errc::kInput, "must be complex", [&] { read_kspace(array("p.npy", ramp({16, 16}))); });
  expect_error(Errc::kInput, "16 x 16", [&] { read_kspace(array("s.npy", ramp({2, 4, 16}))); });
  at::Tensor bad = ramp({2, 16, 16});
  at::view_as_real(bad)[1][2][3][1] = std::numeric_limits<float>::quiet_NaN();
  expect_error(Errc::kInput, "not finite", [&] { read_kspace(array("n.npy", bad)); });
  expect_error(Errc::kInput, "limit", [&] { read_kspace(array("l.npy", ramp({2, 16, 16})), {.samples = 100}); });
}

TEST_F(KspaceTest, AMaskMustFitAndHoldZerosAndOnes) {
  Kspace read = read_kspace(array("k.npy", ramp({2, 16, 18})));
  expect_error(Errc::kInput, "a mask for this k-space", [&] { apply_mask(read, array("m.npy", at::ones({16}))); });
  expect_error(Errc::kInput, "0 and 1", [&] { apply_mask(read, array("h.npy", at::full({18}, 0.5))); });
}

}  // namespace
}  // namespace reseda::io
