#include "pipelines/tools/rounding.hpp"

#include <ATen/ATen.h>

#include <limits>

#include "tests/support/expect_error.hpp"

namespace reseda::tools {
namespace {

StateDict one(const at::Tensor& tensor) {
  StateDict out;
  out.add("w", tensor);
  return out;
}

TEST(Rounding, ErrorByHand) {
  Rounding rounding;
  // Half precision has steps of 2^-10 from 1 to 2: 1 + 2^-12 falls to 1. 2^-12 / (1 + 2^-12) of the largest value.
  const StateDict out = round_weights(one(at::tensor({1.0F + 0x1p-12F, -0.5F})), at::kHalf, rounding);
  EXPECT_EQ(out.at("w").scalar_type(), at::kHalf);
  EXPECT_EQ(out.at("w")[0].item<float>(), 1.0F);
  EXPECT_DOUBLE_EQ(rounding.largest, 0x1p-12);
  EXPECT_DOUBLE_EQ(rounding.relative, 0x1p-12 / (1 + 0x1p-12));
  EXPECT_EQ(rounding.tensor, "w");
}

TEST(Rounding, NamesTheTensorThatLosesMostOfItself) {
  StateDict weights;
  weights.add("large", at::tensor({1000.0F + 0x1p-3F, 1.0F}));  // moves by 2^-3
  weights.add("tiny", at::tensor({1e-9F}));                     // becomes 0
  Rounding rounding;
  round_weights(weights, at::kHalf, rounding);
  EXPECT_EQ(rounding.tensor, "tiny");
  EXPECT_EQ(rounding.relative, 1.0);
  EXPECT_EQ(rounding.largest, 0.125);
}

TEST(Rounding, LeavesOtherTypesAndKeepsShapesAndMetadata) {
  StateDict weights;
  weights.add("n", at::tensor({1, 2}, at::kLong));
  weights.add("z", at::ones({2}, at::kComplexFloat));
  weights.add("w", at::arange(6).to(at::kFloat).view({2, 3}).t());
  weights.add("empty", at::empty({0, 4}));
  weights.add("scalar", at::scalar_tensor(2.0));
  weights.metadata["reseda.name"] = "x";
  Rounding rounding;
  const StateDict out = round_weights(weights, at::kBFloat16, rounding);
  EXPECT_EQ(out.at("n").scalar_type(), at::kLong);
  EXPECT_EQ(out.at("z").scalar_type(), at::kComplexFloat);
  EXPECT_EQ(out.at("w").sizes(), (at::IntArrayRef{3, 2}));
  EXPECT_EQ(out.at("w")[2][0].item<float>(), 2.0F);
  EXPECT_EQ(out.at("empty").sizes(), (at::IntArrayRef{0, 4}));
  EXPECT_EQ(out.at("scalar").dim(), 0);
  EXPECT_EQ(out.metadata.at("reseda.name"), "x");
  EXPECT_EQ(rounding.largest, 0);
  EXPECT_EQ(rounding.tensor, "");
}

TEST(Rounding, ValuesThatAreNotFiniteStay) {
  const float inf = std::numeric_limits<float>::infinity();
  Rounding rounding;
  const StateDict out = round_weights(one(at::tensor({inf, -inf, std::nanf("")})), at::kHalf, rounding);
  EXPECT_EQ(out.at("w")[1].item<float>(), -inf);
  EXPECT_TRUE(out.at("w")[2].isnan().item<bool>());
  EXPECT_EQ(rounding.largest, 0);
}

TEST(Rounding, RefusesOverflow) {
  Rounding rounding;
  tests::expect_error(Errc::kNumeric, "tensor 'w' holds values up to 100000, beyond the range of float16",
                      [&] { round_weights(one(at::tensor({-1e5F})), at::kHalf, rounding); });
  round_weights(one(at::tensor({-1e5F})), at::kBFloat16, rounding);
}

}  // namespace
}  // namespace reseda::tools
