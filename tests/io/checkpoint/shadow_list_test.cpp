#include "io/checkpoint/shadow_list.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"

namespace reseda::io {
namespace {

using tests::expect_error;

/// Parameters of shapes [2], [3], [2, 2] with a batch norm's buffers between them.
StateDict raw() {
  StateDict out;
  out.add("all_modules.0.W", at::full({2}, 1.0F));
  out.add("norm.running_mean", at::full({3}, 7.0F));
  out.add("norm.bias", at::full({3}, 2.0F));
  out.add("norm.num_batches_tracked", at::full({}, 9, at::kLong));
  out.add("linear.weight", at::full({2, 2}, 3.0F));
  return out;
}

TEST(ShadowList, ReplacesParametersInOrderAndKeepsBuffers) {
  const StateDict out =
      name_shadow_list({at::full({2}, 10.0F), at::full({3}, 20.0F), at::full({2, 2}, 30.0F)}, raw(), {});
  ASSERT_EQ(out.size(), 5U);
  EXPECT_EQ(out.at("all_modules.0.W")[0].item<float>(), 10.0F);
  EXPECT_EQ(out.at("norm.bias")[0].item<float>(), 20.0F);
  EXPECT_EQ(out.at("linear.weight")[1][1].item<float>(), 30.0F);
  EXPECT_EQ(out.at("norm.running_mean")[0].item<float>(), 7.0F);
  EXPECT_EQ(out.at("norm.num_batches_tracked").item<std::int64_t>(), 9);
  EXPECT_EQ(out.entries()[1].first, "norm.running_mean");
}

TEST(ShadowList, PassesOverFrozenParametersOfAShorterList) {
  const std::vector<at::Tensor> shadow = {at::full({3}, 20.0F), at::full({2, 2}, 30.0F)};
  const StateDict out = name_shadow_list(shadow, raw(), {"*.0.W"});
  EXPECT_EQ(out.at("all_modules.0.W")[0].item<float>(), 1.0F);
  EXPECT_EQ(out.at("norm.bias")[0].item<float>(), 20.0F);
  EXPECT_EQ(out.at("linear.weight")[0][0].item<float>(), 30.0F);
  expect_error(Errc::kCheckpoint, "the list of averages has 2 tensors, the weights have 3 parameters",
               [&] { name_shadow_list(shadow, raw(), {}); });
  // The whole list is taken as it is even where some might be frozen.
  const StateDict whole =
      name_shadow_list({at::full({2}, 10.0F), at::full({3}, 20.0F), at::full({2, 2}, 30.0F)}, raw(), {"*.0.W"});
  EXPECT_EQ(whole.at("all_modules.0.W")[0].item<float>(), 10.0F);
}

TEST(ShadowList, RefusesOtherCountsAndShapes) {
  expect_error(Errc::kCheckpoint,
               "the list of averages has 1 tensors, the weights have 3 parameters, or 2 trained ones",
               [] { name_shadow_list({at::ones({3})}, raw(), {"*.0.W"}); });
  expect_error(Errc::kCheckpoint,
               "entry 1 of the list of averages has shape [2, 2], parameter 'norm.bias' in its place has [3]", [] {
                 name_shadow_list({at::ones({2}), at::ones({2, 2}), at::ones({3})}, raw(), {});
               });
}

}  // namespace
}  // namespace reseda::io
