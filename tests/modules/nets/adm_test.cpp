#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <map>

#include "modules/nets/adm_classifier.hpp"
#include "modules/nets/adm_unet.hpp"
#include "tests/modules/nets/network_fixture.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::nets {
namespace {

using tests::expect_error;
using Shape = std::vector<std::int64_t>;

const Keys kTiny = {{"image_size", "16"},    {"model_channels", "64"},         {"out_channels", "6"},
                    {"num_res_blocks", "1"}, {"attention_resolutions", "[2]"}, {"channel_mult", "[1, 0.5]"},
                    {"num_heads", "2"}};
const Keys kReleased = {{"use_scale_shift_norm", "true"}, {"resblock_updown", "true"}, {"num_head_channels", "32"}};

std::shared_ptr<Network> tiny(const Keys& more = {}) {
  auto network = make_network(settings("adm_unet", kTiny, more));
  randomise(*network, 0.1);
  return network;
}

std::shared_ptr<Network> tiny_classifier(const Keys& more = {}) {
  auto network = make_network(settings("adm_classifier", kTiny, more));
  randomise(*network, 0.1);
  return network;
}

TEST(AdmUnet, HasTheTensorsOfTheReleasedModelOfFaces) {
  const auto network = make_network(settings("adm_unet", {{"image_size", "256"},
                                                          {"out_channels", "6"},
                                                          {"num_res_blocks", "1"},
                                                          {"attention_resolutions", "[16]"},
                                                          {"channel_mult", "[1, 1, 2, 2, 4, 4]"},
                                                          {"num_head_channels", "64"},
                                                          {"use_scale_shift_norm", "true"},
                                                          {"resblock_updown", "true"}}));
  EXPECT_EQ(scalars(*network), 93563910);
  EXPECT_EQ(names(*network).size(), 362U);
  EXPECT_EQ(network->time_multiple(), 32);
  EXPECT_EQ(network->heads(), 2);
  for (const char* name :
       {"time_embed.2.bias", "input_blocks.0.0.weight", "input_blocks.9.1.qkv.weight",
        "input_blocks.10.0.in_layers.2.bias", "middle_block.1.proj_out.bias", "output_blocks.3.2.out_layers.3.weight",
        "output_blocks.1.1.emb_layers.1.weight", "out.0.weight"})
    EXPECT_TRUE(has(*network, name)) << name;
  EXPECT_FALSE(has(*network, "input_blocks.7.1.qkv.weight"));
  EXPECT_EQ(names(*network).back(), "out.2.bias");
}

TEST(AdmUnet, StartsWithPredictionsOfZero) {
  const auto network = make_network(settings("adm_unet", kTiny));
  const at::Tensor out = network->forward(at::randn({1, 3, 16, 8}), {}, at::tensor({5.F}));
  EXPECT_EQ(out.sizes(), (Shape{1, 6, 16, 8}));
  EXPECT_EQ(out.abs().max().item<double>(), 0);
}

TEST(AdmUnet, SeesItsTimeWhetherAddedOrScaling) {
  const at::InferenceMode inference;
  const at::Tensor x = at::randn({1, 3, 8, 12});
  for (const char* scales : {"true", "false"}) {
    const auto network = tiny({{"use_scale_shift_norm", scales}});
    const at::Tensor early = network->forward(x, {}, at::tensor({1.F}));
    EXPECT_GT(rms(network->forward(x, {}, at::tensor({200.F})) - early), 1e-3 * rms(early)) << scales;
  }
}

TEST(AdmUnet, SeesItsClass) {
  const auto network = tiny({{"num_classes", "4"}});
  const at::InferenceMode inference;
  const at::Tensor x = at::randn({1, 3, 8, 8}), t = at::tensor({3.F});
  const auto label = [](std::int64_t value) { return at::tensor({value}, at::kLong); };
  const at::Tensor first = network->forward_labelled(x, {}, t, label(0));
  EXPECT_GT(rms(network->forward_labelled(x, {}, t, label(3)) - first), 1e-3 * rms(first));
  EXPECT_EQ(names(*network)[4], "label_emb.weight");
  expect_error(Errc::kUsage, "network.num_classes is 4: classes must be 0 to one less",
               [&] { network->forward_labelled(x, {}, t, label(4)); });
  expect_error(Errc::kUsage, "network.num_classes is 4, but no class is given", [&] { network->forward(x, {}, t); });
  expect_error(Errc::kUsage, "network.num_classes is 0, but a class is given",
               [&] { tiny()->forward_labelled(x, {}, t, label(0)); });
}

TEST(AdmUnet, EnlargesASmallerImage) {
  const auto network = tiny({{"condition_channels", "2"}});
  const at::InferenceMode inference;
  const at::Tensor x = at::randn({1, 3, 8, 16}), t = at::tensor({3.F}), small = at::randn({1, 2, 4, 4});
  const at::Tensor out = network->forward(x, small, t);
  const at::Tensor large = at::upsample_bilinear2d(small, {8, 16}, /*align_corners=*/false);
  EXPECT_TRUE(at::equal(network->forward(x, large, t), out));
  EXPECT_GT(rms(network->forward(x, -small, t) - out), 1e-3 * rms(out));
  expect_error(Errc::kUsage, "network.condition_channels is 2, but the condition has 0",
               [&] { network->forward(x, {}, t); });
}

TEST(AdmUnet, HalvesAndDoublesWithAndWithoutParameters) {
  EXPECT_TRUE(has(*tiny(), "input_blocks.2.0.op.weight"));
  EXPECT_TRUE(has(*tiny(), "output_blocks.1.2.conv.weight"));
  const auto plain = tiny({{"conv_resample", "false"}});
  EXPECT_FALSE(has(*plain, "input_blocks.2.0.op.weight"));
  EXPECT_FALSE(has(*plain, "output_blocks.1.2.conv.weight"));
  EXPECT_EQ(plain->forward(at::randn({1, 3, 8, 4}), {}, at::tensor({1.F})).sizes(), (Shape{1, 6, 8, 4}));
  EXPECT_TRUE(has(*tiny(kReleased), "output_blocks.1.2.in_layers.2.weight"));
}

TEST(AdmUnet, ComputesInBfloat16AndHalfCloseToFloat32) {
  const at::Tensor x = at::randn({2, 3, 16, 8}), t = at::tensor({1.F, 99.F});
  const auto network = tiny(kReleased);
  Keys half_keys = kReleased;
  half_keys.emplace_back("torso", "f16");
  const auto half = tiny(half_keys);
  StateDict weights;
  for (const auto& [name, tensor] : network->tensors()) weights.add(name, tensor);
  half->load(weights);
  const at::InferenceMode inference;
  const at::Tensor exact = network->forward(x, {}, t);
  const double half_error = rms(half->forward(x, {}, t) - exact);
  network->set_compute_type(at::kBFloat16);
  const double error = rms(network->forward(x, {}, t) - exact);
  EXPECT_LT(error, 0.05 * rms(exact));
  EXPECT_GT(error, 0);
  EXPECT_LT(half_error, 0.01 * rms(exact));
  EXPECT_GT(half_error, 0);
}

TEST(AdmUnet, GivesEveryParameterAGradient) {
  for (const Keys& keys : {Keys{}, kReleased}) {
    const auto network = tiny(keys);
    network->forward(at::randn({2, 3, 8, 8}), {}, at::tensor({1.F, 99.F})).square().sum().backward();
    for (const auto& [name, tensor] : network->tensors()) {
      ASSERT_TRUE(tensor.grad().defined()) << name;
      EXPECT_GT(tensor.grad().abs().max().item<double>(), 0) << name;
    }
  }
}

TEST(AdmUnet, RefusesSettingsByName) {
  const auto refuses = [](const Keys& keys, const std::string& message) {
    expect_error(Errc::kUsage, message, [&] { make_network(settings("adm_unet", kTiny, keys)); });
  };
  refuses({{"channel_mult", "[]"}}, "network.channel_mult must have 1 to 10 levels, got 0");
  refuses({{"channel_mult", "[1, 0.7]"}},
          "network.channel_mult must make multiples of 32 up to 8192 of 64 channels, got 0.7");
  refuses({{"model_channels", "16"}}, "network.model_channels must be 32 to 4096, got 16");
  refuses({{"num_head_channels", "48"}},
          "network.num_head_channels must divide the 32 channels that attention stands on, got 48");
  refuses({{"num_heads", "3"}}, "attention over 32 channels cannot have 3 heads");
  refuses({{"num_heads_upsample", "0"}}, "network.num_heads_upsample must be -1 or 1 to 4096, got 0");
  refuses({{"torso", "bf16"}}, "network.torso must be f32 or f16, got 'bf16'");
  refuses({{"num_res_blocks", "0"}}, "network.num_res_blocks must be 1 to 64, got 0");
  refuses({{"image_size", "1"}}, "network.image_size must be at least 2 for 2 levels, got 1");
  refuses({{"dropout", "1"}}, "network.dropout must be in [0, 1), got 1");
  expect_error(Errc::kInternal, "height and width must be multiples of 2, got 9 x 8", [] {
    tiny()->forward(at::zeros({1, 3, 9, 8}), {}, at::zeros({1}));
  });
}

TEST(AdmClassifier, HasTheNumberOfParametersOfTheReleasedOne) {
  const auto network = make_network(settings("adm_classifier", {{"image_size", "256"},
                                                                {"out_channels", "1000"},
                                                                {"attention_resolutions", "[8, 16, 32]"},
                                                                {"channel_mult", "[1, 1, 2, 2, 4, 4]"},
                                                                {"num_head_channels", "64"},
                                                                {"use_scale_shift_norm", "true"},
                                                                {"resblock_updown", "true"},
                                                                {"pool", "attention"}}));
  EXPECT_EQ(scalars(*network), 54096360);
  EXPECT_EQ(names(*network).size(), 249U);
  EXPECT_TRUE(has(*network, "out.2.positional_embedding"));
}

TEST(AdmClassifier, GivesLogitsOfEveryItem) {
  const at::Tensor x = at::randn({2, 3, 16, 16}), t = at::tensor({1.F, 99.F});
  for (const char* pool : {"attention", "adaptive"}) {
    const auto network = tiny_classifier({{"pool", pool}});
    const at::Tensor image = x.clone().requires_grad_();
    const at::Tensor logits = network->forward(image, {}, t);
    EXPECT_EQ(logits.sizes(), (Shape{2, 6})) << pool;
    logits[0].square().sum().backward();
    EXPECT_GT(image.grad()[0].abs().max().item<double>(), 0) << pool;
    EXPECT_EQ(image.grad()[1].abs().max().item<double>(), 0) << pool;
  }
  EXPECT_TRUE(has(*tiny_classifier({{"pool", "adaptive"}}), "out.3.weight"));
  const auto fresh = make_network(settings("adm_classifier", kTiny, {{"pool", "adaptive"}}));
  EXPECT_EQ(fresh->forward(at::randn({1, 3, 8, 4}), {}, at::tensor({5.F})).abs().max().item<double>(), 0);
}

TEST(AdmClassifier, RefusesOtherPoolsAndSizes) {
  expect_error(Errc::kUsage, "network.pool must be attention or adaptive, got 'spatial'", [] {
    make_network(settings("adm_classifier", kTiny, {{"pool", "spatial"}}));
  });
  expect_error(Errc::kUsage, "attention pooling takes 64 pixels, network.image_size's, but the map has 32", [] {
    tiny_classifier({{"pool", "attention"}})->forward(at::zeros({1, 3, 16, 8}), {}, at::zeros({1}));
  });
}

}  // namespace
}  // namespace reseda::nets
