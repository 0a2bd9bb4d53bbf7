#include "modules/core/state_dict.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"

namespace reseda {
namespace {

using tests::expect_error;

StateDict example() {
  StateDict weights;
  weights.add("net.b", at::full({2}, 2.0F));
  weights.add("net.a", at::full({3}, 1.0F));
  weights.add("ema.a", at::full({3}, 9.0F));
  weights.metadata["k"] = "v";
  return weights;
}

TEST(StateDict, KeepsOrderAndNamesTheNearest) {
  StateDict weights = example();
  EXPECT_EQ(weights.size(), 3U);
  EXPECT_EQ(weights.entries()[0].first, "net.b");
  EXPECT_EQ(weights.at("net.a").numel(), 3);
  expect_error(Errc::kCheckpoint, "tensor 'net.c' is missing (nearest: 'net.", [&] { weights.at("net.c"); });
  expect_error(Errc::kCheckpoint, "tensor 'net.a' appears twice", [&] { weights.add("net.a", at::ones({1})); });
}

TEST(StateDict, WithPrefixStripsIt) {
  const StateDict net = example().with_prefix("net.");
  EXPECT_EQ(net.size(), 2U);
  EXPECT_TRUE(net.contains("a"));
  EXPECT_FALSE(net.contains("ema.a"));
  EXPECT_EQ(net.metadata.at("k"), "v");
}

TEST(LoadInto, CopiesAndConverts) {
  StateDict weights;
  weights.add("w", at::full({2}, 0.5, at::kDouble));
  const at::Tensor target = at::zeros({2});
  const LoadReport report = load_into(weights, {{"w", target}});
  EXPECT_TRUE(report.clean());
  EXPECT_TRUE(at::equal(target, at::full({2}, 0.5F)));
}

TEST(LoadInto, ReportsEveryDifferenceAndChangesNothing) {
  StateDict weights;
  weights.add("w", at::ones({2}));
  weights.add("shape", at::ones({2, 3}));
  weights.add("extra", at::ones({1}));
  const at::Tensor w = at::zeros({2}), shape = at::zeros({3, 2}), missing = at::zeros({1});
  const std::vector<StateDict::Entry> targets = {{"w", w}, {"shape", shape}, {"missing", missing}};
  expect_error(
      Errc::kCheckpoint,
      "the weights are not for this network: 1 tensors match; 1 missing: missing; 1 unexpected: extra; 1 of another "
      "shape: shape (file [2, 3], network [3, 2])",
      [&] { load_into(weights, targets); });
  EXPECT_TRUE(at::equal(w, at::zeros({2})));
  const LoadReport report = load_into(weights, targets, true);
  EXPECT_FALSE(report.clean());
  EXPECT_TRUE(at::equal(w, at::ones({2})));
}

TEST(LoadInto, WorksOnParametersThatNeedGradients) {
  StateDict weights;
  weights.add("w", at::ones({2}));
  const at::Tensor target = at::zeros({2}).requires_grad_(true);
  load_into(weights, {{"w", target}});
  EXPECT_TRUE(at::equal(target.detach(), at::ones({2})));
  EXPECT_TRUE(target.is_leaf());
}

}  // namespace
}  // namespace reseda
