#include "modules/nets/sr_resnet.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "modules/nets/fused_sr_resnet.hpp"
#include "tests/modules/nets/network_fixture.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::nets {
namespace {

using tests::expect_error;

const Keys kTiny = {{"in_channels", "2"},  {"condition_channels", "3"}, {"out_channels", "4"},
                    {"channels", "4"},     {"expansion", "2"},          {"blocks", "1"},
                    {"time_channels", "4"}};

/// The value of a network with weights that leave one path open, at the middle of a constant image.
double middle(Network& network, double x, double y, double t) {
  const at::Tensor out = network.forward(at::full({1, 2, 9, 9}, x), at::full({1, 3, 9, 9}, y),
                                         at::full({1}, t, at::TensorOptions(at::kFloat)));
  EXPECT_EQ(out.sizes(), (std::vector<std::int64_t>{1, 4, 9, 9}));
  return out[0][1][4][4].item<double>();
}

TEST(SrResnet, AddsBlocksToTheFirstConvolutionAndASkipToTheResult) {
  const at::NoGradGuard no_grad;
  const auto network = make_network(settings("sr_resnet", kTiny));
  for (auto& [name, tensor] : network->tensors()) tensor.zero_();
  for (auto& [name, tensor] : network->tensors()) {
    if (name == "first.weight") tensor[0][0][1][1] = 2.0;             // h0 = 2 x
    if (name == "blocks.0.widen.weight") tensor[5][0][1][1] = 3.0;    // wide = 3 h0 = 6 x
    if (name == "blocks.0.modulate.bias") tensor[5] = 0.5;            // (1 + 0.5) wide
    if (name == "blocks.0.modulate.bias") tensor[8 + 5] = -1.0;       // - 1
    if (name == "blocks.0.narrow.weight") tensor[0][5][1][1] = -1.0;  // h = h0 - relu(9 x - 1)
    if (name == "last.weight") tensor[1][0][1][1] = 10.0;
    if (name == "skip.weight") tensor[1][2][1][1] = 7.0;  // 7 y
  }
  EXPECT_NEAR(middle(*network, 1.0, 0.5, 0.0), 10 * (2.0 - 8.0) + 3.5, 1e-5);
  EXPECT_NEAR(middle(*network, -1.0, 0.5, 0.0), 10 * (-2.0 - 0.0) + 3.5, 1e-5);
}

TEST(SrResnet, IsToldTheTime) {
  const at::NoGradGuard no_grad;
  const auto network = make_network(settings("sr_resnet", kTiny));
  at::manual_seed(1);
  randomise(*network);
  EXPECT_GT(std::abs(middle(*network, 0.3, 0.2, 0.0) - middle(*network, 0.3, 0.2, 3.0)), 1e-4);
}

TEST(SrResnet, SeesTwoPixelsPerBlockAndTwoMore) {
  const at::NoGradGuard no_grad;
  const auto network = make_network(settings("sr_resnet", kTiny));
  randomise(*network);
  const at::Tensor t = at::zeros({1}), y = at::zeros({1, 3, 21, 21});
  at::Tensor x = at::randn({1, 2, 21, 21});
  const at::Tensor before = network->forward(x, y, t);
  x[0][0][10][10] += 1.0;
  const at::Tensor change = (network->forward(x, y, t) - before).abs().amax({0, 1});
  EXPECT_GT(change[10][14].item<double>(), 0.0);  // 2 x 1 + 2
  EXPECT_EQ(change[10][15].item<double>(), 0.0);
  EXPECT_EQ(change[5].max().item<double>(), 0.0);
}

TEST(SrResnet, IsTheSameWithAndWithoutGradientsAndWhateverTheTimesBesideIt) {
  const auto network = make_network(settings("sr_resnet", kTiny));
  {
    const at::NoGradGuard no_grad;
    randomise(*network);
  }
  const at::Tensor x = at::randn({2, 2, 11, 9}), y = at::randn({2, 3, 11, 9}), t = at::full({2}, 3.0F);
  at::Tensor other = t.clone();
  other[1] = 7.0F;
  const at::Tensor trained = network->forward(x, y, t).detach();
  EXPECT_FALSE(at::allclose(trained[1], network->forward(x, y, other).detach()[1], 1e-3, 1e-4));
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(at::allclose(network->forward(x, y, t), trained, 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(network->forward(x, y, other)[0], trained[0], 1e-5, 1e-5));
  network->set_compute_type(at::kBFloat16);
  const at::Tensor coarse = network->forward(x, y, t);
  EXPECT_EQ(coarse.scalar_type(), at::kFloat);
  EXPECT_LT((coarse - trained).abs().max().item<double>(), 0.05 * trained.abs().max().item<double>());
  EXPECT_FALSE(coarse.equal(trained));
}

TEST(SrResnet, StripsOfALargeImageAreTheWhole) {
  const auto network = make_network(settings("sr_resnet", kTiny, {{"channels", "16"}, {"expansion", "8"}}));
  const at::NoGradGuard no_grad;
  randomise(*network);
  const at::Tensor x = at::randn({2, 2, 70, 900}), y = at::randn({2, 3, 70, 900}), t = at::full({2}, 3.0F);
  const at::Tensor strips = network->forward(x, y, t);  // of 18 rows
  const at::AutoGradMode gradients(true);
  const at::Tensor whole = network->forward(x, y, t).detach();
  EXPECT_LT((strips - whole).abs().max().item<double>(), 1e-5 * whole.abs().max().item<double>());
}

TEST(SrResnet, FusedOnSmallImagesItIsTheNetworkUpToRounding) {
  if (!kernels::FusedConv::supported()) GTEST_SKIP() << "this machine has no AVX2";
  const auto network = make_network(settings("sr_resnet", kTiny, {{"channels", "16"}, {"blocks", "3"}}));
  {
    const at::NoGradGuard no_grad;
    randomise(*network);
  }
  EXPECT_TRUE(FusedSrResnet::stands_for(*network, 32, 32));
  EXPECT_FALSE(FusedSrResnet::stands_for(*network, 32, 33));
  EXPECT_FALSE(FusedSrResnet::stands_for(*make_network(settings("sr_resnet", kTiny)), 8, 8));
  const at::Tensor x = at::randn({19, 2, 16, 13}), y = at::randn({19, 3, 16, 13}), t = at::full({19}, 3.0F);
  const at::Tensor plain = network->forward(x, y, t).detach();
  const at::NoGradGuard no_grad;
  const at::Tensor fused = network->forward(x, y, t);
  EXPECT_FALSE(fused.equal(plain));  // it did go the other way
  EXPECT_LT((fused - plain).abs().max().item<double>(), 5e-5 * plain.abs().max().item<double>());
  // An image's result is its own, whatever the batch and the threads.
  EXPECT_TRUE(
      at::equal(network->forward(x.slice(0, 14, 17), y.slice(0, 14, 17), t.slice(0, 14, 17)), fused.slice(0, 14, 17)));
  const int threads = at::get_num_threads();
  at::set_num_threads(3);
  EXPECT_TRUE(at::equal(network->forward(x, y, t), fused));
  at::set_num_threads(threads);
  network->set_compute_type(at::kBFloat16);
  EXPECT_FALSE(FusedSrResnet::stands_for(*network, 32, 32));
}

TEST(SrResnet, RefusesOtherChannels) {
  const auto network = make_network(settings("sr_resnet", kTiny));
  expect_error(Errc::kUsage, "3 of a condition, got 2 and 0", [&] {
    network->forward(at::zeros({1, 2, 4, 4}), {}, at::zeros({1}));
  });
  expect_error(Errc::kUsage, "network.blocks must be 1 to 256", [] {
    make_network(settings("sr_resnet", kTiny, {{"blocks", "0"}}));
  });
}

}  // namespace
}  // namespace reseda::nets
