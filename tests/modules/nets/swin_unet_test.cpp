#include "modules/nets/swin_unet.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "tests/modules/nets/network_fixture.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::nets {
namespace {

using tests::expect_error;
using Shape = std::vector<std::int64_t>;

// Two channels per group, so that nothing cancels in the norms; windows of 4, moved at the first level alone.
const Keys kTiny = {{"image_size", "8"},          {"lq_size", "8"},
                    {"model_channels", "64"},     {"channel_mult", "[1, 1]"},
                    {"num_res_blocks", "[1, 2]"}, {"attention_resolutions", "[8, 4]"},
                    {"window_size", "4"},         {"swin_embed_dim", "64"},
                    {"num_head_channels", "16"}};

std::shared_ptr<Network> tiny(const std::string& name, const Keys& more = {}) {
  auto network = make_network(settings(name, kTiny, more));
  randomise(*network, 0.1);
  return network;
}

/// A state, an image in low resolution and times as a network takes them.
struct Batch {
  explicit Batch(std::int64_t channels = 3, std::int64_t lq_channels = 3)
      : x(at::randn({2, channels, 16, 8})), lq(at::randn({2, lq_channels, 16, 8})) {}
  at::Tensor x, lq, t = at::tensor({3.F, 14.F});
};

TEST(SwinUnet, HasTheTensorsOfTheOfficialNetwork) {
  const auto network = tiny("swin_unet");
  for (const char* name :
       {"time_embed.2.bias", "input_blocks.0.0.weight", "input_blocks.1.0.emb_layers.1.weight",
        "input_blocks.1.1.patch_embed.proj.weight", "input_blocks.1.1.blocks.1.attn.relative_position_bias_table",
        "input_blocks.2.0.op.weight", "input_blocks.3.1.blocks.0.mlp.fc1.weight", "middle_block.1.blocks.0.norm2.bias",
        "middle_block.2.out_layers.3.weight", "output_blocks.0.1.patch_unembed.proj.bias",
        "output_blocks.2.1.conv.weight", "output_blocks.3.1.blocks.0.attn.qkv.bias", "out.0.weight"})
    EXPECT_TRUE(has(*network, name)) << name;
  EXPECT_FALSE(has(*network, "input_blocks.4.1.patch_embed.proj.weight"));
  EXPECT_EQ(names(*network).front(), "time_embed.0.weight");
  EXPECT_EQ(names(*network).back(), "out.2.bias");
  EXPECT_EQ(network->time_multiple(), 8);
}

TEST(SwinUnet, NeedsWholeWindowsAtEveryLevel) {
  const auto multiple = [](const Keys& more) {
    return make_network(settings("swin_unet", kTiny, more))->time_multiple();
  };
  // A nominal height below the window makes a smaller window.
  EXPECT_EQ(multiple({{"window_size", "8"}}), 8);
  EXPECT_EQ(multiple({{"image_size", "32"}, {"lq_size", "32"}, {"attention_resolutions", "[32]"}}), 8);
  EXPECT_EQ(multiple({{"image_size", "16"}, {"lq_size", "16"}, {"window_size", "3"}}), 6);
  expect_error(Errc::kInternal, "height and width must be multiples of 8, got 12 x 8", [] {
    tiny("swin_unet")->forward(at::zeros({1, 3, 12, 8}), at::zeros({1, 3, 12, 8}), at::zeros({1}));
  });
}

TEST(SwinUnet, SeesItsTimeAndItsImage) {
  const auto network = tiny("swin_unet");
  const at::InferenceMode inference;
  const Batch in;
  const at::Tensor out = network->forward(in.x, in.lq, in.t);
  EXPECT_EQ(out.sizes(), in.x.sizes());
  EXPECT_GT(rms(network->forward(in.x, in.lq, in.t + 1) - out), 1e-3 * rms(out));
  EXPECT_GT(rms(network->forward(in.x, -in.lq, in.t) - out), 1e-3 * rms(out));
  const auto blind = tiny("swin_unet", {{"cond_lq", "false"}});
  EXPECT_EQ(blind->forward(in.x, {}, in.t).sizes(), in.x.sizes());
}

TEST(SwinUnet, TreatsItemsAlone) {
  const auto network = tiny("swin_unet");
  const at::InferenceMode inference;
  const Batch in;
  const at::Tensor out = network->forward(in.x, in.lq, in.t);
  const auto second = [](const at::Tensor& all) { return all.slice(0, 1, 2); };
  EXPECT_TRUE(at::allclose(network->forward(second(in.x), second(in.lq), second(in.t)), second(out), 1e-4, 1e-4));
}

TEST(SwinUnet, TakesALargerImageAndAMask) {
  const auto network = tiny("swin_unet", {{"lq_size", "32"}, {"cond_mask", "true"}});
  EXPECT_TRUE(has(*network, "feature_extractor.5.op.weight"));
  const at::InferenceMode inference;
  const Batch in;
  EXPECT_EQ(network->forward(in.x, at::randn({2, 4, 64, 32}), in.t).sizes(), in.x.sizes());
  expect_error(Errc::kUsage, "the image in low resolution must have 4 channels (network.lq_channels and a mask), got 3",
               [&] {
                 network->forward(in.x, at::randn({2, 3, 64, 32}), in.t);
               });
  expect_error(Errc::kInternal, "4 times its height and width (network.lq_size / network.image_size)", [&] {
    network->forward(in.x, at::randn({2, 4, 16, 8}), in.t);
  });
}

TEST(SwinUnet, KnowsBothMasks) {
  const auto network = tiny("swin_unet"), swin = tiny("swin_unet", {{"window_mask", "swin"}});
  StateDict weights;
  for (const auto& [name, tensor] : network->tensors()) weights.add(name, tensor);
  swin->load(weights);
  const at::InferenceMode inference;
  const Batch in;
  const at::Tensor out = network->forward(in.x, in.lq, in.t);
  EXPECT_GT(rms(swin->forward(in.x, in.lq, in.t) - out), 1e-4 * rms(out));
}

TEST(SwinUnet, ComputesInBfloat16CloseToFloat32) {
  for (const char* name : {"swin_unet", "upsr_unet"}) {
    const auto network = tiny(name);
    const at::InferenceMode inference;
    const bool upsr = std::string(name) == "upsr_unet";
    const Batch in = upsr ? Batch(48, 96) : Batch();
    const at::Tensor exact = network->forward(in.x, in.lq, in.t);
    network->set_compute_type(at::kBFloat16);
    const at::Tensor rounded = network->forward(in.x, in.lq, in.t);
    EXPECT_EQ(rounded.scalar_type(), at::kFloat);
    EXPECT_LT(rms(rounded - exact), 0.05 * rms(exact)) << name;
    EXPECT_GT(rms(rounded - exact), 0) << name;
  }
}

TEST(SwinUnet, GivesEveryParameterAGradient) {
  for (const Keys& keys :
       {Keys{}, Keys{{"window_mask", "swin"}, {"patch_norm", "true"}, {"resblock_updown", "true"}}}) {
    const auto network = tiny("swin_unet", keys);
    const Batch in;
    network->forward(in.x, in.lq, in.t).square().sum().backward();
    for (const auto& [name, tensor] : network->tensors()) {
      ASSERT_TRUE(tensor.grad().defined()) << name;
      EXPECT_GT(tensor.grad().abs().max().item<double>(), 0) << name;
    }
  }
}

TEST(SwinUnet, RefusesSettingsByName) {
  const auto refuses = [](const Keys& keys, const std::string& message) {
    expect_error(Errc::kUsage, message, [&] { make_network(settings("swin_unet", kTiny, keys)); });
  };
  refuses({{"channel_mult", "[]"}}, "network.channel_mult must have 1 to 10 levels, got 0");
  refuses({{"num_res_blocks", "[2]"}}, "network.num_res_blocks must have 2 numbers as network.channel_mult has, got 1");
  refuses({{"channel_mult", "[1, 0.7]"}},
          "network.channel_mult must make multiples of 32 up to 8192 of 64 channels, got 0.7");
  refuses({{"image_size", "3"}}, "network.image_size must be at least 4 for 2 levels, got 3");
  refuses({{"swin_embed_dim", "48"}}, "network.swin_embed_dim must be a multiple of 32 up to 4096, got 48");
  refuses({{"num_head_channels", "24"}}, "network.num_head_channels must divide the 64 of swin_embed_dim, got 24");
  refuses({{"window_size", "1"}}, "network.window_size must be 2 to 64, got 1");
  refuses({{"lq_size", "24"}}, "network.lq_size must be image_size (8) times a power of two up to 256, got 24");
  refuses({{"lq_size", "4"}}, "network.lq_size must be image_size (8) times a power of two up to 256, got 4");
  refuses({{"window_mask", "none"}}, "network.window_mask must be resshift or swin, got 'none'");
  refuses({{"mlp_ratio", "0"}}, "network.mlp_ratio must be positive and at most 64, got 0");
}

TEST(UpsrUnet, EnlargesFourTimes) {
  const auto network = tiny("upsr_unet", {{"num_feat", "12"}});
  const at::InferenceMode inference;
  const Batch in(48, 96);
  EXPECT_EQ(network->forward(in.x, in.lq, in.t).sizes(), (Shape{2, 3, 64, 32}));
  for (const char* name : {"conv_before_upsample.0.weight", "conv_up1.bias", "conv_up2.weight", "conv_hr.weight"})
    EXPECT_TRUE(has(*network, name)) << name;
  EXPECT_FALSE(has(*network, "out.2.weight"));
  EXPECT_EQ(names(*network).back(), "conv_last.bias");
  expect_error(Errc::kUsage, "network.num_feat must be 1 to 4096, got 0", [] {
    tiny("upsr_unet", {{"num_feat", "0"}});
  });
}

}  // namespace
}  // namespace reseda::nets
