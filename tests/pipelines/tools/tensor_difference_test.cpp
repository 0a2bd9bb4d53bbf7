#include "pipelines/tools/tensor_difference.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <complex>
#include <limits>

namespace reseda::tools {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

TEST(TensorDifference, FiguresByHand) {
  const TensorDifference got = difference_of(at::tensor({1.0F, 2.0F, -4.0F}), at::tensor({1.0F, 2.5F, -3.0F}), {});
  EXPECT_EQ(got.differing, 2);
  EXPECT_EQ(got.largest, 1.0);
  EXPECT_EQ(got.relative, 0.25);  // 1 / max(4, 3); 0.5 / 2.5 is less
  EXPECT_EQ(got.at, 2);
}

TEST(TensorDifference, SignMatters) {
  const TensorDifference got = difference_of(at::tensor({1.0F}), at::tensor({-1.0F}), {});
  EXPECT_EQ(got.largest, 2.0);
  EXPECT_EQ(got.relative, 2.0);
}

TEST(TensorDifference, EqualIsEqual) {
  for (const at::Tensor& same :
       {at::tensor({1.0F, kNan, kInf, -kInf}), at::empty({0}), at::tensor({1, 0}).to(at::kBool)}) {
    const TensorDifference got = difference_of(same, same.clone(), {});
    EXPECT_EQ(got.differing, 0);
    EXPECT_EQ(got.at, -1);
  }
  EXPECT_EQ(difference_of(at::tensor({0.0F, kNan}), at::tensor({-0.0F, -kNan}), {}).differing, 0);
}

TEST(TensorDifference, NotFiniteAgainstFinite) {
  for (const float other : {kNan, kInf}) {
    const TensorDifference got = difference_of(at::tensor({1.0F, 5.0F}), at::tensor({1.0F, other}), {.absolute = 1e30});
    EXPECT_EQ(got.differing, 1) << other;
    EXPECT_EQ(got.largest, std::numeric_limits<double>::infinity());
    EXPECT_EQ(got.at, 1);
  }
  EXPECT_EQ(difference_of(at::tensor({kInf}), at::tensor({-kInf}), {.absolute = 1, .relative = 1}).differing, 1);
}

TEST(TensorDifference, ToleranceUsesB) {
  const at::Tensor a = at::tensor({1.0}, at::kDouble), b = at::tensor({1.25}, at::kDouble);
  EXPECT_EQ(difference_of(a, b, {.relative = 0.2}).differing, 0);  // 0.25 <= 0.2 * 1.25
  EXPECT_EQ(difference_of(b, a, {.relative = 0.2}).differing, 1);
  EXPECT_EQ(difference_of(a, b, {.absolute = 0.25}).differing, 0);
  EXPECT_EQ(difference_of(a, b, {.absolute = 0.249}).differing, 1);
}

TEST(TensorDifference, EveryType) {
  const auto differing = [](const at::Tensor& a, const at::Tensor& b) { return difference_of(a, b, {}).differing; };
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16, at::kDouble, at::kInt, at::kShort, at::kChar, at::kByte,
                                    at::kUInt16, at::kUInt32, at::kUInt64, at::kFloat8_e4m3fn, at::kFloat8_e5m2})
    EXPECT_EQ(differing(at::tensor({1.0F, 2.0F}).to(type), at::tensor({1.0F, 3.0F}).to(type)), 1) << type;
  EXPECT_EQ(differing(at::tensor({1, 0}).to(at::kBool), at::tensor({1, 1}).to(at::kBool)), 1);
  const c10::complex<float> z(3, 4);
  EXPECT_EQ(difference_of(at::tensor({z}), at::zeros({1}, at::kComplexFloat), {}).largest, 5.0);
  EXPECT_EQ(
      differing(at::tensor({(std::int64_t{1} << 53) + 1}, at::kLong), at::tensor({std::int64_t{1} << 53}, at::kLong)),
      1);                                                                       // double precision cannot tell
  EXPECT_EQ(differing(at::tensor({0.5F}), at::tensor({0.5}, at::kDouble)), 0);  // types may differ
}

TEST(TensorDifference, LayoutDoesNotMatter) {
  const at::Tensor a = at::arange(6).view({2, 3});
  EXPECT_EQ(difference_of(a.t(), a.t().contiguous(), {}).differing, 0);
  at::Tensor moved = a.t().contiguous();
  moved[2][0] = 9;  // element (0, 2) of a, 2
  const TensorDifference got = difference_of(a.t(), moved, {});
  EXPECT_EQ(got.at, 4);
  EXPECT_EQ(got.largest, 7.0);
}

TEST(TensorDifference, LongTensorsGoInPieces) {
  const std::int64_t length = (std::int64_t{1} << 20) + 5;
  const at::Tensor a = at::zeros({length});
  at::Tensor b = a.clone();
  b[3] = 0.5;
  b[length - 1] = -2;
  const TensorDifference got = difference_of(a, b, {});
  EXPECT_EQ(got.differing, 2);
  EXPECT_EQ(got.largest, 2.0);
  EXPECT_EQ(got.at, length - 1);
}

}  // namespace
}  // namespace reseda::tools
