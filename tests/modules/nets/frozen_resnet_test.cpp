#include "modules/nets/frozen_resnet.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "tests/modules/nets/network_fixture.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::nets {
namespace {

void randomise_floats(Network& network) {
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : network.tensors()) {
    if (!tensor.is_floating_point()) continue;
    if (name.ends_with("running_var"))
      tensor.uniform_(0.5, 2);
    else
      tensor.normal_(tensor.dim() == 1 && name.ends_with("weight") ? 1 : 0, 0.15);
  }
}

/// Depth 14 has blocks with and without a shortcut in every stage but the first.
std::shared_ptr<Network> small_resnet(const char* channels = "3") {
  at::manual_seed(5);
  auto network = make_network(settings("cifar_resnet", {{"depth", "14"}, {"classes", "7"}, {"in_channels", channels}}));
  randomise_floats(*network);
  return network;
}

class FrozenResnetTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!kernels::FusedConv::supported()) GTEST_SKIP() << "this machine has no AVX2";
  }
};

TEST_F(FrozenResnetTest, IsTheNetworkUpToRounding) {
  const auto network = small_resnet();
  const FrozenResnet frozen(*network);
  for (const std::int64_t size : {32, 8, 10}) {
    const c10::InferenceMode inference;
    const at::Tensor x = at::randn({5, 3, size, size}), expected = network->forward(x, {}, {});
    EXPECT_GT(expected.std().item<double>(), 0.1);
    const double scale = expected.abs().max().item<double>();
    EXPECT_LT((frozen.forward(x) - expected).abs().max().item<double>(), 2e-5 * scale) << size;
  }
}

TEST_F(FrozenResnetTest, TakesGreyImages) {
  const auto network = small_resnet("1");
  const FrozenResnet frozen(*network);
  const c10::InferenceMode inference;
  const at::Tensor x = at::randn({3, 1, 28, 28}), expected = network->forward(x, {}, {});
  EXPECT_LT((frozen.forward(x) - expected).abs().max().item<double>(), 2e-5 * expected.abs().max().item<double>());
  EXPECT_GT((expected[0] - expected[1]).abs().max().item<double>(), 1e-3);
}

TEST_F(FrozenResnetTest, GivesAnImageTheSameLogitsInEveryBatchAndOnEveryNumberOfThreads) {
  const auto network = small_resnet();
  const FrozenResnet frozen(*network);
  const at::Tensor x = at::randn({37, 3, 32, 32}), all = frozen.forward(x);
  EXPECT_TRUE(at::equal(frozen.forward(x.slice(0, 15, 18)), all.slice(0, 15, 18)));
  const int threads = at::get_num_threads();
  at::set_num_threads(3);
  EXPECT_TRUE(at::equal(frozen.forward(x), all));
  at::set_num_threads(threads);
}

TEST_F(FrozenResnetTest, KeepsItsWeights) {
  const auto network = small_resnet();
  const FrozenResnet frozen(*network);
  const at::Tensor x = at::randn({1, 3, 32, 32}), before = frozen.forward(x);
  randomise_floats(*network);
  EXPECT_TRUE(at::equal(frozen.forward(x), before));
}

TEST_F(FrozenResnetTest, StandsForFloat32CifarResnetsAlone) {
  const auto network = small_resnet();
  EXPECT_TRUE(FrozenResnet::takes(*network));
  tests::expect_error(Errc::kUsage, "images must be float32 [B,3,H,W], got [1, 1, 8, 8]", [&] {
    FrozenResnet(*network).forward(at::zeros({1, 1, 8, 8}));
  });
  network->set_compute_type(at::kBFloat16);
  EXPECT_FALSE(FrozenResnet::takes(*network));
  EXPECT_FALSE(FrozenResnet::takes(*make_network(settings("ncsnpp_lite"))));
}

}  // namespace
}  // namespace reseda::nets
