#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/nets/resfusion_ddim_unet.hpp"
#include "modules/nets/resfusion_dit.hpp"
#include "tests/modules/nets/network_fixture.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::nets {
namespace {

using tests::expect_error;

const Keys kTinyUnet = {
    {"image_size", "8"}, {"ch", "64"}, {"ch_mult", "[1, 1]"}, {"num_res_blocks", "1"}, {"attn_resolutions", "[4]"}};
const Keys kTinyDit = {
    {"input_size", "8"}, {"patch_size", "2"}, {"hidden_size", "16"}, {"depth", "2"}, {"num_heads", "2"}};

std::shared_ptr<Network> tiny(const std::string& name, const Keys& more = {}) {
  auto network = make_network(settings(name, name == "resfusion_dit" ? kTinyDit : kTinyUnet, more));
  randomise(*network);
  return network;
}

TEST(ResfusionDdimUnet, HasTheNumberOfParametersOfDdpmsNetworkForSmallImages) {
  const auto network = make_network(settings("resfusion_ddim_unet"));
  EXPECT_EQ(scalars(*network), 35746307);  // 35.7 million, Ho et al. 2020
  EXPECT_EQ(network->time_multiple(), 8);
  EXPECT_TRUE(has(*network, "down.1.attn.1.proj_out.weight"));
  EXPECT_TRUE(has(*network, "up.1.attn.2.q.bias"));
  EXPECT_FALSE(has(*network, "down.2.attn.0.q.bias"));
  EXPECT_FALSE(has(*network, "down.3.downsample.conv.weight"));
  EXPECT_FALSE(has(*network, "up.0.upsample.conv.weight"));
  EXPECT_EQ(names(*network).front(), "temb.dense.0.weight");
  EXPECT_EQ(names(*network).back(), "conv_out.bias");
}

TEST(ResfusionDdimUnet, SeesItsTime) {
  const auto network = tiny("resfusion_ddim_unet");
  const at::InferenceMode inference;
  const at::Tensor x = at::randn({1, 3, 8, 4});
  const at::Tensor early = network->forward(x, {}, at::tensor({1.F}));
  EXPECT_EQ(early.sizes(), x.sizes());
  EXPECT_GT(rms(network->forward(x, {}, at::tensor({200.F})) - early), 1e-3 * rms(early));
}

TEST(ResfusionDdimUnet, SeesItsCondition) {
  const auto network = tiny("resfusion_ddim_unet", {{"condition_channels", "2"}, {"out_channels", "1"}});
  const at::InferenceMode inference;
  const at::Tensor x = at::randn({1, 3, 8, 4}), y = at::randn({1, 2, 8, 4}), t = at::tensor({1.F});
  const at::Tensor out = network->forward(x, y, t);
  EXPECT_EQ(out.sizes(), (std::vector<std::int64_t>{1, 1, 8, 4}));
  EXPECT_GT(rms(network->forward(x, -y, t) - out), 1e-3 * rms(out));
  expect_error(Errc::kUsage, "network.condition_channels is 2, but the condition has 0",
               [&] { network->forward(x, {}, t); });
}

TEST(ResfusionDdimUnet, ComputesInBfloat16CloseToFloat32) {
  const auto network = tiny("resfusion_ddim_unet");
  const at::InferenceMode inference;
  const at::Tensor x = at::randn({2, 3, 8, 4}), t = at::tensor({1.F, 99.F});
  const at::Tensor exact = network->forward(x, {}, t);
  network->set_compute_type(at::kBFloat16);
  const double error = rms(network->forward(x, {}, t) - exact);
  EXPECT_LT(error, 0.05 * rms(exact));
  EXPECT_GT(error, 0);
}

TEST(ResfusionDdimUnet, GivesEveryParameterAGradient) {
  const auto network = tiny("resfusion_ddim_unet");
  network->forward(at::randn({2, 3, 8, 8}), {}, at::tensor({1.F, 99.F})).square().sum().backward();
  for (const auto& [name, tensor] : network->tensors()) {
    ASSERT_TRUE(tensor.grad().defined()) << name;
    // A bias on the keys never changes an output.
    if (name.ends_with(".k.bias")) continue;
    EXPECT_GT(tensor.grad().abs().max().item<double>(), 0) << name;
  }
}

TEST(ResfusionDdimUnet, RefusesSettingsByName) {
  const auto refuses = [](const Keys& keys, const std::string& message) {
    expect_error(Errc::kUsage, message, [&] { make_network(settings("resfusion_ddim_unet", kTinyUnet, keys)); });
  };
  refuses({{"ch", "48"}}, "network.ch must be a multiple of 32 up to 4096, got 48");
  refuses({{"ch_mult", "[]"}}, "network.ch_mult must have 1 to 10 levels, got 0");
  refuses({{"num_res_blocks", "0"}}, "network.num_res_blocks must be 1 to 64, got 0");
  refuses({{"image_size", "1"}}, "network.image_size must be at least 2 for 2 levels, got 1");
  refuses({{"channels", "0"}}, "network.channels must be 1 to 1024, got 0");
}

TEST(ResfusionDit, HasTheNumberOfParametersOfTheOfficialSize) {
  const auto network = make_network(settings("resfusion_dit"));
  // Per block 18 h^2 + 15 h with h = 384; tokens 384 patches + h, time 256 h + h^2 + 2 h, head 2 h^2 + 2 h + 192 h +
  // 192, positions 1024 h.
  const std::int64_t h = 384, block = 18 * h * h + 15 * h;
  EXPECT_EQ(scalars(*network),
            12 * block + (6 * 64 + 1) * h + (256 + 2) * h + h * h + 2 * h * h + 2 * h + 192 * h + 192 + 1024 * h);
  EXPECT_EQ(names(*network).front(), "pos_embed");
  EXPECT_FALSE(network->tensors().front().second.requires_grad());
}

TEST(ResfusionDit, StartsWithPredictionsOfZero) {
  const auto network = make_network(settings("resfusion_dit", kTinyDit));
  const at::Tensor x = at::randn({1, 3, 8, 8});
  EXPECT_EQ(network->forward(x, x, at::tensor({1.F})).abs().max().item<double>(), 0);
}

TEST(ResfusionDit, HasPositionsOfColumnAndRow) {
  const at::Tensor table = grid_positions(8, 3).to(at::kDouble);
  ASSERT_EQ(table.sizes(), (std::vector<std::int64_t>{1, 9, 8}));
  using std::cos, std::sin;
  // Token 5 is row 1, column 2; frequencies 1 and 1/100.
  const std::vector<double> expected = {sin(2.0), sin(0.02), cos(2.0), cos(0.02),
                                        sin(1.0), sin(0.01), cos(1.0), cos(0.01)};
  EXPECT_TRUE(at::allclose(table[0][5], at::tensor(expected), 1e-6, 1e-7));
}

TEST(ResfusionDit, PutsEveryPatchBackInItsPlace) {
  const auto network = tiny("resfusion_dit");
  std::map<std::string, at::Tensor> seen;
  dynamic_cast<ResfusionDit&>(*network).set_probe(
      [&](const std::string& name, const at::Tensor& value) { seen[name] = value; });
  const at::InferenceMode inference;
  const at::Tensor x = at::randn({2, 3, 8, 8});
  const at::Tensor out = network->forward(x, x, at::tensor({1.F, 2.F}));
  const at::Tensor tokens = seen.at("final_layer");
  // Token 4 r + c holds rows and columns of the patch, channels innermost.
  for (const auto& [row, column, channel] : {std::tuple{0, 0, 0}, {3, 5, 1}, {6, 1, 2}, {7, 7, 0}}) {
    const int token = row / 2 * 4 + column / 2, feature = (row % 2 * 2 + column % 2) * 3 + channel;
    EXPECT_EQ(out[1][channel][row][column].item<float>(), tokens[1][token][feature].item<float>());
  }
}

TEST(ResfusionDit, ComputesInBfloat16CloseToFloat32) {
  const auto network = tiny("resfusion_dit");
  const at::InferenceMode inference;
  const at::Tensor x = at::randn({2, 3, 8, 8}), t = at::tensor({1.F, 99.F});
  const at::Tensor exact = network->forward(x, x, t);
  network->set_compute_type(at::kBFloat16);
  const double error = rms(network->forward(x, x, t) - exact);
  EXPECT_LT(error, 0.05 * rms(exact));
  EXPECT_GT(error, 0);
}

TEST(ResfusionDit, RefusesSettingsAndSizesByName) {
  const auto refuses = [](const Keys& keys, const std::string& message) {
    expect_error(Errc::kUsage, message, [&] { make_network(settings("resfusion_dit", kTinyDit, keys)); });
  };
  refuses({{"input_size", "9"}}, "network.input_size must be a multiple of network.patch_size (2) up to 4096, got 9");
  refuses({{"hidden_size", "18"}}, "network.hidden_size must be a multiple of 4 up to 8192, got 18");
  refuses({{"num_heads", "3"}}, "network.num_heads must divide network.hidden_size (16), got 3");
  refuses({{"depth", "0"}}, "network.depth must be 1 to 256, got 0");
  refuses({{"mlp_ratio", "0"}}, "network.mlp_ratio must be in (0, 64], got 0");
  const auto network = tiny("resfusion_dit");
  const at::Tensor x = at::randn({1, 3, 8, 16});
  expect_error(Errc::kUsage, "network.input_size is 8, but the image has 8 x 16",
               [&] { network->forward(x, x, at::tensor({1.F})); });
}

}  // namespace
}  // namespace reseda::nets
