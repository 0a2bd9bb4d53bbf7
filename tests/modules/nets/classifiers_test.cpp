#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "modules/nets/cifar_resnet.hpp"
#include "modules/nets/rrcm_vit.hpp"
#include "tests/modules/nets/network_fixture.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::nets {
namespace {

using tests::expect_error;

const Keys kTinyVit = {{"image_size", "8"}, {"patch_size", "4"}, {"embed_dim", "24"}, {"hidden_dim", "20"},
                       {"output_dim", "6"}, {"depth", "2"},      {"num_heads", "3"}};

TEST(CifarResnet, HasTheOfficialParameters) {
  const auto network = make_network(settings("cifar_resnet"));
  std::int64_t count = 0;
  for (const auto& [name, tensor] : network->tensors()) count += tensor.requires_grad() ? tensor.numel() : 0;
  EXPECT_EQ(count, 1730714);  // 1.73 million, of which 2752 are in the two shortcuts
  EXPECT_TRUE(has(*network, "layer1.17.bn2.running_var"));
  EXPECT_TRUE(has(*network, "layer2.0.downsample.1.num_batches_tracked"));
  EXPECT_FALSE(has(*network, "layer1.0.downsample.0.weight"));
  expect_error(Errc::kUsage, "network.depth must be 6 n + 2", [] {
    make_network(settings("cifar_resnet", {{"depth", "51"}}));
  });
}

TEST(CifarResnet, JudgesImagesOneByOneUnlessItTrains) {
  const auto network = make_network(settings("cifar_resnet", {{"depth", "8"}}));
  const at::Tensor x = at::randn({3, 3, 32, 32});
  const auto differs = [&] {
    const c10::InferenceMode inference;
    return (network->forward(x, {}, {})[0] - network->forward(x.slice(0, 0, 1), {}, {})[0]).abs().max().item<double>();
  };
  EXPECT_LT(differs(), 1e-5);
  dynamic_cast<Resnet&>(*network).train();
  EXPECT_GT(differs(), 1e-3);
  expect_error(Errc::kUsage, "images must be [B,3,H,W]", [&] { network->forward(at::zeros({1, 1, 32, 32}), {}, {}); });
}

TEST(ImagenetResnet50, HasTheOfficialParameters) {
  const auto network = make_network(settings("imagenet_resnet50"));
  std::int64_t count = 0;
  for (const auto& [name, tensor] : network->tensors()) count += tensor.requires_grad() ? tensor.numel() : 0;
  EXPECT_EQ(count, 25557032);
}

TEST(RrcmVit, WrapsTheEncoderOfAClassifier) {
  const auto bare = make_network(settings("rrcm_vit", kTinyVit));
  const auto wrapped = make_network(settings("rrcm_vit", kTinyVit, {{"classes", "5"}}));
  EXPECT_EQ(names(*bare).front(), "cls_token");
  EXPECT_TRUE(has(*bare, "projection_head.4.running_mean"));
  EXPECT_FALSE(has(*bare, "blocks.0.attn.qkv.bias"));
  EXPECT_TRUE(has(*wrapped, "base_model.blocks.1.mlp.fc2.weight"));
  EXPECT_TRUE(has(*wrapped, "linear_head.bias"));
  EXPECT_EQ(scalars(*wrapped), scalars(*bare) + 24 * 5 + 5);
  const at::Tensor x = at::randn({2, 3, 8, 8}), t = at::tensor({-100.F, 30.F});
  EXPECT_EQ(bare->forward(x, {}, t).sizes(), at::IntArrayRef({2, 6}));
  EXPECT_EQ(wrapped->forward(x, {}, t).sizes(), at::IntArrayRef({2, 5}));
}

TEST(RrcmVit, SeesItsTimeAndThePlaceOfPatches) {
  const auto network = make_network(settings("rrcm_vit", kTinyVit));
  auto& vit = dynamic_cast<RrcmVit&>(*network);
  const c10::InferenceMode inference;
  const at::Tensor x = at::randn({1, 3, 8, 8}), t = at::tensor({10.F});
  const auto seen = [&](const at::Tensor& image, float time) {
    return vit.features(image, at::tensor({time})).representation;
  };
  const double scale = rms(seen(x, 10));
  EXPECT_GT(rms(seen(x, 11) - seen(x, 10)), 1e-3 * scale);
  // The 0.02 of places is small beside the patches, yet seen.
  EXPECT_GT(rms(seen(x.roll({4}, {3}), 10) - seen(x, 10)), 1e-5 * scale);
  expect_error(Errc::kUsage, "network.image_size is 8, but the image has 8 x 16", [&] {
    network->forward(at::randn({1, 3, 8, 16}), {}, t);
  });
  expect_error(Errc::kUsage, "network.num_heads must be a divisor of network.embed_dim, got 5", [] {
    make_network(settings("rrcm_vit", kTinyVit, {{"num_heads", "5"}}));
  });
}

}  // namespace
}  // namespace reseda::nets
