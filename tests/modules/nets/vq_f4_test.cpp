#include "modules/nets/vq_f4.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "tests/modules/nets/network_fixture.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::nets {
namespace {

using tests::expect_error;
using Shape = std::vector<std::int64_t>;

std::shared_ptr<VqF4> tiny() {
  auto network = std::make_shared<VqF4>(VqF4Config{});
  randomise(*network, 0.1);
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : network->tensors())
    if (name == "quantize.embedding.weight") tensor.normal_();
  return network;
}

TEST(VqF4, HasTheTensorsOfTheOfficialNetwork) {
  const auto network = make_network(settings("vq_f4"));
  for (const char* name :
       {"encoder.conv_in.weight", "encoder.down.1.downsample.conv.weight", "encoder.down.2.block.0.nin_shortcut.weight",
        "encoder.mid.attn_1.proj_out.bias", "encoder.norm_out.weight", "decoder.mid.block_2.conv2.weight",
        "decoder.up.2.block.1.norm1.bias", "decoder.up.1.upsample.conv.bias", "decoder.conv_out.bias",
        "quantize.embedding.weight", "quant_conv.weight", "post_quant_conv.bias"})
    EXPECT_TRUE(has(*network, name)) << name;
  EXPECT_FALSE(has(*network, "encoder.down.2.downsample.conv.weight"));
  EXPECT_FALSE(has(*network, "decoder.up.0.upsample.conv.weight"));
  EXPECT_EQ(network->time_multiple(), 4);
}

TEST(VqF4, EncodesToAQuarterAndDecodesBack) {
  const auto network = tiny();
  const at::InferenceMode inference;
  const at::Tensor x = at::rand({2, 3, 20, 12}) * 2 - 1;
  const at::Tensor z = network->encode(x);
  EXPECT_EQ(z.sizes(), (Shape{2, 3, 5, 3}));
  const at::Tensor image = network->decode(z);
  EXPECT_EQ(image.sizes(), x.sizes());
  EXPECT_TRUE(at::equal(network->forward(x, {}, {}), image));
  EXPECT_GT(rms(network->decode(z, Latents::kAsTheyAre) - image), 1e-3 * rms(image));
}

TEST(VqF4, DecodesCodes) {
  const auto network = tiny();
  const at::InferenceMode inference;
  const at::Tensor z = at::randn({1, 3, 4, 6});
  const nn::Quantised quantised = network->quantize(z);
  EXPECT_EQ(quantised.indices.sizes(), (Shape{1, 4, 6}));
  const at::Tensor codes = network->codes(quantised.indices);
  EXPECT_TRUE(at::allclose(codes, quantised.z, 1e-5, 1e-6));
  EXPECT_TRUE(at::equal(network->quantize(codes).indices, quantised.indices));
  EXPECT_TRUE(at::allclose(network->decode(codes, Latents::kAsTheyAre), network->decode(z), 1e-4, 1e-4));
}

TEST(VqF4, PassesTheGradientStraightThrough) {
  const auto network = tiny();
  const at::Tensor z = at::randn({1, 3, 4, 4}).requires_grad_();
  network->decode(z).square().sum().backward();
  const at::Tensor codes = network->quantize(z.detach()).z.requires_grad_();
  network->decode(codes, Latents::kAsTheyAre).square().sum().backward();
  EXPECT_TRUE(at::allclose(z.grad(), codes.grad(), 1e-3, 1e-3 * rms(z.grad())));
}

TEST(VqF4, ComputesInBfloat16CloseToFloat32) {
  const auto network = tiny();
  const at::InferenceMode inference;
  const at::Tensor x = at::rand({1, 3, 16, 16}) * 2 - 1;
  const at::Tensor z = network->encode(x), image = network->decode(z);
  network->set_compute_type(at::kBFloat16);
  const double error = rms(network->decode(z) - image);
  EXPECT_LT(error, 0.05 * rms(image));
  EXPECT_GT(error, 0);
  EXPECT_LT(rms(network->encode(x) - z), 0.05 * rms(z));
}

TEST(VqF4, RefusesByName) {
  const auto network = tiny();
  expect_error(Errc::kInternal, "height and width must be multiples of 4, got 18 x 16", [&] {
    network->encode(at::zeros({1, 3, 18, 16}));
  });
  expect_error(Errc::kUsage, "network.channels is 3, but the state has 4", [&] {
    network->decode(at::zeros({1, 4, 4, 4}));
  });
  const auto refuses = [](const Keys& keys, const std::string& message) {
    expect_error(Errc::kUsage, message, [&] { make_network(settings("vq_f4", keys)); });
  };
  refuses({{"double_z", "true"}}, "network.double_z must be false");
  refuses({{"attn_resolutions", "[16]"}}, "network.attn_resolutions must be empty");
  refuses({{"ch", "40"}}, "network.ch must be a multiple of 32 up to 4096, got 40");
  refuses({{"n_embed", "0"}}, "network.n_embed must be 1 to 1048576, got 0");
}

}  // namespace
}  // namespace reseda::nets
