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

TEST(LoadInto, NamesTheNearestAmongTheUnexpected) {
  StateDict weights;
  for (const char* name : {"head.bais", "w.a", "w.b", "w.c"}) weights.add(name, at::ones({1}));
  std::vector<StateDict::Entry> targets;
  for (const char* name : {"head.bias", "x", "y", "z"}) targets.emplace_back(name, at::zeros({1}));
  expect_error(Errc::kCheckpoint,
               "the weights are not for this network: 0 tensors match; 4 missing: head.bias (nearest in the file: "
               "head.bais), x, y, ...; 4 unexpected: head.bais, w.a, w.b, ...",
               [&] { load_into(weights, targets); });
}

TEST(LoadInto, AllowsWhatTheRulesName) {
  StateDict weights;
  weights.add("w", at::ones({2}));
  weights.add("pesq_loss.fbank", at::ones({3}));
  const at::Tensor w = at::zeros({2}), extra = at::full({1}, 4.0F);
  const std::vector<StateDict::Entry> targets = {{"w", w}, {"extra.bias", extra}};
  const LoadReport report = load_into(weights, targets, {.allow_missing = {"extra.*"}, .allow_unexpected = {"pesq*"}});
  EXPECT_TRUE(report.clean());
  EXPECT_EQ(report.kept, std::vector<std::string>{"extra.bias"});
  EXPECT_EQ(report.unused, std::vector<std::string>{"pesq_loss.fbank"});
  EXPECT_EQ(report.summary(), "1 tensors match; 1 kept as they are: extra.bias; 1 unused: pesq_loss.fbank");
  EXPECT_TRUE(at::equal(w, at::ones({2})));
  EXPECT_EQ(extra.item<float>(), 4.0F);
  expect_error(Errc::kCheckpoint, "1 missing: extra.bias; 1 unused: pesq_loss.fbank",
               [&] { load_into(weights, targets, LoadRules{.allow_missing = {}, .allow_unexpected = {"*"}}); });
}

TEST(LoadInto, RefusesComplexValuesForRealTensors) {
  StateDict weights;
  weights.add("w", at::ones({2}, at::kComplexFloat));
  expect_error(Errc::kCheckpoint, "1 of another shape: w (file ComplexFloat, network Float)", [&] {
    load_into(weights, {{"w", at::zeros({2})}});
  });
}

TEST(LoadInto, ShowsNamesOfFilesOnOneLine) {
  StateDict weights;
  weights.add("w\n" + std::string(100, 'x'), at::ones({2}));
  const std::string shown = "unexpected: w?" + std::string(78, 'x') + "...";
  expect_error(Errc::kCheckpoint, shown, [&] { load_into(weights, {{"w", at::zeros({2})}}); });
  StateDict twice;
  twice.add("a\nb", at::ones({1}));
  expect_error(Errc::kCheckpoint, "tensor 'a?b' appears twice", [&] { twice.add("a\nb", at::ones({1})); });
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
