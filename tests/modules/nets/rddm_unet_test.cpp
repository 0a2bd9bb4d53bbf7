#include "modules/nets/rddm_unet.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "tests/modules/nets/network_fixture.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::nets {
namespace {

using tests::expect_error;

const Keys kTiny = {{"dim", "8"}, {"dim_mults", "[1, 2]"}, {"resnet_block_groups", "4"}};

std::shared_ptr<Network> tiny(const std::string& name, const Keys& more = {}) {
  auto network = make_network(settings(name, kTiny, more));
  randomise(*network);
  return network;
}

struct Batch {
  at::Tensor x = at::randn({2, 3, 6, 10}), y = at::randn({2, 3, 6, 10}), t = at::tensor({3.F, 977.F});
};

TEST(ResfusionUnet, HasTheOfficialNumberOfParameters) {
  const auto restore = make_network(settings("resfusion_unet"));
  EXPECT_EQ(restore->tensors().size(), 276U);
  EXPECT_EQ(scalars(*restore), 36261187);
  EXPECT_EQ(restore->time_multiple(), 8);
  EXPECT_EQ(restore->heads(), 1);
  EXPECT_EQ(scalars(*make_network(settings("resfusion_unet", {{"condition_channels", "5"}}))), 36267459);
}

TEST(RddmUnet, HasTheOfficialNumberOfParameters) {
  const auto generate = make_network(settings("rddm_unet", {{"nets", "one"}, {"condition_channels", "0"}}));
  EXPECT_EQ(scalars(*generate), 36251779);
  const auto mask = make_network(settings("rddm_unet", {{"nets", "one"}, {"condition_channels", "6"}}));
  EXPECT_EQ(scalars(*mask), 36270595);
  EXPECT_EQ(names(*mask).front(), "unet0.init_conv.weight");
}

TEST(RddmUnet, OrdersItsParametersAsOfficialOptimisersDo) {
  const auto all = names(*make_network(settings("resfusion_unet", kTiny)));
  ASSERT_EQ(all.size(), 160U);
  EXPECT_EQ(all[0], "init_conv.weight");
  EXPECT_EQ(all[2], "time_mlp.1.weight");
  EXPECT_EQ(all[6], "downs.0.0.mlp.1.weight");
  EXPECT_EQ(all[26], "downs.0.2.fn.fn.to_qkv.weight");
  EXPECT_EQ(all[30], "downs.0.2.fn.norm.g");
  EXPECT_EQ(all[31], "downs.0.3.weight");
  EXPECT_EQ(all[60], "ups.0.0.mlp.1.weight");
  EXPECT_EQ(all[89], "ups.0.3.1.weight");
  EXPECT_EQ(all[120], "ups.1.3.weight");
  EXPECT_EQ(all[122], "mid_block1.mlp.1.weight");
  EXPECT_EQ(all[132], "mid_attn.fn.fn.to_qkv.weight");
  EXPECT_EQ(all[146], "final_res_block.mlp.1.weight");
  EXPECT_EQ(all[159], "final_conv.bias");
}

TEST(RddmUnet, NamesTheSharedFormWithoutAPrefix) {
  const auto shared = make_network(settings("rddm_unet", kTiny, {{"nets", "shared"}, {"condition_channels", "6"}}));
  EXPECT_EQ(shared->tensors().size(), 226U);
  EXPECT_EQ(scalars(*shared), 108886);
  EXPECT_TRUE(has(*shared, "init_conv.weight"));
  EXPECT_TRUE(has(*shared, "ups_no_skip.0.3.1.weight"));
  EXPECT_TRUE(has(*shared, "final_conv_2.bias"));
  EXPECT_FALSE(has(*shared, "final_conv.bias"));
  const auto two = make_network(settings("rddm_unet", kTiny));
  EXPECT_EQ(two->tensors().size(), 320U);
  EXPECT_EQ(names(*two)[160], "unet1.init_conv.weight");
}

TEST(RddmUnet, GivesEachPredictionItsOwnTime) {
  const auto network = tiny("rddm_unet");
  auto& rddm = dynamic_cast<RddmUnet&>(*network);
  EXPECT_EQ(rddm.heads(), 2);
  const at::InferenceMode inference;
  const Batch in;
  const at::Tensor other = at::tensor({40.5F, 500.F}), pair = at::stack({in.t, other}, 1);
  const at::Tensor both = network->forward(in.x, in.y, pair);
  ASSERT_EQ(both.sizes(), (std::vector<std::int64_t>{2, 6, 6, 10}));
  rddm.set_heads(Heads::kFirst);
  EXPECT_EQ(rddm.heads(), 1);
  const at::Tensor first = network->forward(in.x, in.y, in.t);
  EXPECT_TRUE(at::equal(first, network->forward(in.x, in.y, pair)));
  rddm.set_heads(Heads::kSecond);
  const at::Tensor second = network->forward(in.x, in.y, other);
  EXPECT_TRUE(at::equal(second, network->forward(in.x, in.y, pair)));
  EXPECT_TRUE(at::equal(both, at::cat({first, second}, 1)));
  EXPECT_GT(rms(network->forward(in.x, in.y, in.t) - second), 1e-3);
}

TEST(RddmUnet, ComputesOneOfTheSharedPredictionsAlone) {
  const auto network = tiny("rddm_unet", {{"nets", "shared"}});
  auto& rddm = dynamic_cast<RddmUnet&>(*network);
  const at::InferenceMode inference;
  const Batch in;
  const auto parts = network->forward(in.x, in.y, in.t).chunk(2, 1);
  rddm.set_heads(Heads::kFirst);
  EXPECT_TRUE(at::equal(network->forward(in.x, in.y, in.t), parts[0]));
  rddm.set_heads(Heads::kSecond);
  EXPECT_TRUE(at::equal(network->forward(in.x, in.y, in.t), parts[1]));
  EXPECT_GT(rms(parts[0] - parts[1]), 1e-2);
}

TEST(RddmUnet, TakesTheTimeOfTheOnePredictionItMakes) {
  const auto first = tiny("rddm_unet", {{"nets", "one"}, {"evaluate", "first"}});
  auto& rddm = dynamic_cast<RddmUnet&>(*first);
  const at::InferenceMode inference;
  const Batch in;
  const at::Tensor other = at::tensor({40.5F, 500.F}), pair = at::stack({in.t, other}, 1);
  EXPECT_TRUE(at::equal(first->forward(in.x, in.y, pair), first->forward(in.x, in.y, in.t)));
  rddm.set_heads(Heads::kSecond);
  EXPECT_TRUE(at::equal(first->forward(in.x, in.y, pair), first->forward(in.x, in.y, other)));
  rddm.set_heads(Heads::kBoth);
  expect_error(Errc::kUsage, "network.evaluate must be first or second where network.nets is one",
               [&] { first->forward(in.x, in.y, pair); });
}

TEST(RddmUnet, PutsTheEstimateInFrontAndTakesZerosWithoutOne) {
  const auto network = tiny("resfusion_unet", {{"self_condition", "true"}});
  EXPECT_TRUE(network->self_conditioned());
  const at::InferenceMode inference;
  const Batch in;
  const at::Tensor without = network->forward(in.x, in.y, in.t), zeros = at::zeros_like(in.x);
  EXPECT_TRUE(at::equal(network->forward_given(in.x, in.y, in.t, zeros), without));
  EXPECT_GT(rms(network->forward_given(in.x, in.y, in.t, in.y) - without), 1e-3);
  // The first input channels belong to the estimate, the last to the condition.
  for (auto& [name, tensor] : network->tensors())
    if (name == "init_conv.weight") tensor.narrow(1, 0, 3).zero_();
  EXPECT_TRUE(at::equal(network->forward_given(in.x, in.y, in.t, in.y), network->forward(in.x, in.y, in.t)));
  EXPECT_GT(rms(network->forward(in.x, zeros, in.t) - network->forward(in.x, in.y, in.t)), 1e-3);
}

TEST(RddmUnet, IgnoresAConditionItHasNoChannelsFor) {
  const auto network = tiny("rddm_unet", {{"condition_channels", "0"}});
  const at::InferenceMode inference;
  const Batch in;
  EXPECT_TRUE(at::equal(network->forward(in.x, in.y, in.t), network->forward(in.x, {}, in.t)));
}

TEST(RddmUnet, HasAsManyOutputChannelsAsAsked) {
  const auto network = tiny("rddm_unet", {{"channels", "1"}, {"condition_channels", "2"}, {"out_dim", "5"}});
  const at::InferenceMode inference;
  const at::Tensor out = network->forward(at::randn({1, 1, 4, 2}), at::randn({1, 2, 4, 2}), at::tensor({1.F}));
  EXPECT_EQ(out.sizes(), (std::vector<std::int64_t>{1, 10, 4, 2}));
  EXPECT_TRUE(out.is_contiguous());
}

TEST(RddmUnet, GivesAnItemTheSameAloneAsInABatch) {
  const auto network = tiny("rddm_unet", {{"nets", "shared"}});
  const Batch in;
  const at::Tensor together = network->forward(in.x, in.y, in.t).detach();
  const at::InferenceMode inference;
  for (std::int64_t item = 0; item < 2; ++item) {
    const auto one = [item](const at::Tensor& all) { return all.slice(0, item, item + 1); };
    EXPECT_LT(rms(network->forward(one(in.x), one(in.y), one(in.t)) - one(together)), 1e-4 * rms(together));
  }
}

TEST(RddmUnet, GivesEveryParameterAGradient) {
  for (const char* nets : {"two", "shared"}) {
    const auto network = tiny("rddm_unet", {{"nets", nets}});
    const Batch in;
    network->forward(in.x, in.y, in.t).square().sum().backward();
    for (const auto& [name, tensor] : network->tensors()) {
      ASSERT_TRUE(tensor.grad().defined()) << nets << " " << name;
      EXPECT_TRUE(tensor.grad().isfinite().all().item<bool>()) << nets << " " << name;
      EXPECT_GT(tensor.grad().abs().max().item<double>(), 0) << nets << " " << name;
    }
  }
}

TEST(RddmUnet, ComputesInBfloat16CloseToFloat32) {
  const auto network = tiny("rddm_unet");
  const at::InferenceMode inference;
  const Batch in;
  const at::Tensor exact = network->forward(in.x, in.y, in.t);
  network->set_compute_type(at::kBFloat16);
  const at::Tensor rounded = network->forward(in.x, in.y, in.t);
  EXPECT_EQ(rounded.scalar_type(), at::kFloat);
  EXPECT_LT(rms(rounded - exact), 0.05 * rms(exact));
  EXPECT_GT(rms(rounded - exact), 0);
}

TEST(RddmUnet, RefusesSettingsByName) {
  const auto refuses = [](const Keys& keys, const std::string& message) {
    expect_error(Errc::kUsage, message, [&] { make_network(settings("rddm_unet", kTiny, keys)); });
  };
  refuses({{"nets", "three"}}, "network.nets must be two, one or shared, got 'three'");
  refuses({{"evaluate", "third"}}, "network.evaluate must be both, first or second, got 'third'");
  refuses({{"dim", "7"}}, "network.dim must be even, 4 to 4096, got 7");
  refuses({{"dim_mults", "[]"}}, "network.dim_mults must have 1 to 10 levels, got 0");
  refuses({{"dim_mults", "[1, 0]"}}, "network.dim_mults must be positive and give at most 8192 channels, got 0");
  refuses({{"resnet_block_groups", "3"}}, "network.resnet_block_groups must divide network.dim (8), got 3");
  refuses({{"resnet_block_groups", "0"}}, "network.resnet_block_groups must divide network.dim (8), got 0");
  refuses({{"channels", "0"}}, "network.channels must be 1 to 1024, got 0");
  refuses({{"condition_channels", "-1"}}, "network.condition_channels must be 0 to 1024, got -1");
  refuses({{"out_dim", "-1"}}, "network.out_dim must be 0 to 1024, got -1");
  refuses({{"dim_mult", "[1]"}}, "did you mean 'network.dim_mults'?");
}

TEST(RddmUnet, RefusesInputsThatDoNotFit) {
  const auto network = tiny("rddm_unet", {{"nets", "shared"}});
  const Batch in;
  const auto refuses = [&](Errc code, const std::string& message, const at::Tensor& x, const at::Tensor& y,
                           const at::Tensor& t) { expect_error(code, message, [&] { network->forward(x, y, t); }); };
  refuses(Errc::kUsage, "network.channels is 3, but the state has 1", in.x.narrow(1, 0, 1), in.y, in.t);
  refuses(Errc::kUsage, "network.condition_channels is 3, but the condition has 0", in.x, {}, in.t);
  refuses(Errc::kUsage, "network.condition_channels is 3, but the condition has 6", in.x, at::cat({in.y, in.y}, 1),
          in.t);
  refuses(Errc::kInternal, "height and width must be multiples of 2, got 5 x 10", in.x.narrow(2, 0, 5),
          in.y.narrow(2, 0, 5), in.t);
  refuses(Errc::kInternal, "the condition must have the batch, height and width of the state", in.x,
          in.y.narrow(2, 0, 4), in.t);
  refuses(Errc::kInternal, "t must be [B]", in.x, in.y, at::tensor({1.F}));
  refuses(Errc::kInternal, "t must be [B]", in.x, in.y, at::ones({2, 2}));
  expect_error(Errc::kUsage, "network.self_condition is false, but an estimate of x0 is given",
               [&] { network->forward_given(in.x, in.y, in.t, in.x); });
  const auto two = tiny("rddm_unet");
  expect_error(Errc::kInternal, "t must be [B] or [B,2]", [&] { two->forward(in.x, in.y, at::ones({2, 3})); });
}

TEST(Network, TakesNoEstimateUnlessItSaysSo) {
  const auto network = make_network(settings("resfusion_ddim_unet", {{"ch", "32"}, {"ch_mult", "[1]"}}));
  EXPECT_FALSE(network->self_conditioned());
  const at::Tensor x = at::randn({1, 3, 4, 4});
  expect_error(Errc::kUsage, "this network takes no earlier estimate of x0",
               [&] { network->forward_given(x, {}, at::ones({1}), x); });
}

}  // namespace
}  // namespace reseda::nets
