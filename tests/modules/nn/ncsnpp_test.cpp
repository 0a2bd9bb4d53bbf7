#include "modules/nets/ncsnpp.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "modules/core/error.hpp"
#include "modules/nets/network.hpp"

namespace reseda::nets {
namespace {

ConfigNode settings(const std::string& name, const std::vector<std::pair<std::string, std::string>>& keys = {}) {
  ConfigNode node = ConfigNode::map();
  node["name"] = ConfigNode(name);
  for (const auto& [key, value] : keys) node.set(key, value);
  return node;
}

ConfigNode tiny(const std::string& name, std::vector<std::pair<std::string, std::string>> more = {}) {
  std::vector<std::pair<std::string, std::string>> keys = {
      {"nf", "8"}, {"ch_mult", "[1, 2]"}, {"num_res_blocks", "1"}, {"attn_resolutions", "[8]"}, {"image_size", "16"}};
  keys.insert(keys.end(), more.begin(), more.end());
  return settings(name, keys);
}

/// Moderate random weights everywhere, the zero-initialised convolutions included.
void randomise(Network& network) {
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : network.tensors()) tensor.normal_(0, name == "all_modules.0.W" ? 1.0 : 0.15);
}

void copy_weights(Network& from, Network& to) {
  StateDict weights;
  for (auto& [name, tensor] : from.tensors()) weights.add(name, tensor);
  to.load(weights);
}

struct Batch {
  at::Tensor x = at::randn({2, 1, 16, 8}, at::kComplexFloat), y = at::randn({2, 1, 16, 8}, at::kComplexFloat);
  at::Tensor t = at::tensor({0.03F, 0.8F});
};

void expect_usage(const ConfigNode& node, const std::string& message) {
  try {
    make_network(node);
    FAIL() << "accepted, instead of: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kUsage);
    EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
  }
}

std::int64_t scalars(Network& network) {
  std::int64_t count = 0;
  for (const auto& entry : network.tensors()) count += entry.second.numel();
  return count;
}

TEST(Ncsnpp, HasTheOfficialNumberOfParameters) {
  const auto wide = make_network(settings("ncsnpp"));
  EXPECT_EQ(wide->tensors().size(), 647U);
  EXPECT_EQ(scalars(*wide), 65590822);
  EXPECT_EQ(wide->time_multiple(), 64);
}

TEST(Ncsnpp, OrdersItsParametersAsTheOfficialAveragesDo) {
  const auto network = make_network(settings("ncsnpp_v2", {{"nf", "4"}}));
  const auto tensors = network->tensors();
  ASSERT_EQ(tensors.size(), 647U);
  const auto name = [&](std::size_t index) { return tensors[index].first; };
  EXPECT_EQ(name(0), "output_layer.weight");
  EXPECT_EQ(name(1), "output_layer.bias");
  EXPECT_EQ(name(2), "all_modules.0.W");
  EXPECT_EQ(name(9), "all_modules.4.GroupNorm_0.weight");
  EXPECT_EQ(name(41), "all_modules.7.Conv_0.weight");
  EXPECT_EQ(name(157), "all_modules.21.GroupNorm_0.weight");
  EXPECT_EQ(name(265), "all_modules.33.GroupNorm_0.weight");
  EXPECT_EQ(name(321), "all_modules.38.weight");
  EXPECT_EQ(name(323), "all_modules.39.weight");
  EXPECT_EQ(name(425), "all_modules.50.GroupNorm_0.weight");
  EXPECT_EQ(name(527), "all_modules.62.GroupNorm_0.weight");
  EXPECT_EQ(name(646), "all_modules.76.bias");
  EXPECT_FALSE(tensors[2].second.requires_grad());
}

TEST(Ncsnpp48k, HasTheOfficialNumberOfParameters) {
  const auto network = make_network(settings("ncsnpp_48k"));
  const auto tensors = network->tensors();
  EXPECT_EQ(tensors.size(), 581U);
  EXPECT_EQ(scalars(*network), 64739854);
  EXPECT_EQ(tensors.back().first, "all_modules.55.bias");
}

TEST(Ncsnpp, DividesByTimeBeforeAfterOrNotAtAll) {
  const auto before = make_network(tiny("ncsnpp")), none = make_network(tiny("ncsnpp_v2"));
  const auto after =
      make_network(tiny("ncsnpp_48k", {{"progressive", "output_skip"}, {"progressive_input", "input_skip"}}));
  randomise(*none);
  copy_weights(*none, *before);
  copy_weights(*none, *after);
  at::Tensor bias;
  for (const auto& [name, tensor] : none->tensors())
    if (name == "output_layer.bias") bias = tensor;
  const at::InferenceMode inference;
  const Batch in;
  const at::Tensor plain = none->forward(in.x, in.y, in.t), time = in.t.view({2, 1, 1, 1});
  const at::Tensor offset = at::complex(bias[0], bias[1]);
  const double scale = plain.abs().max().item<double>() / 0.03;
  EXPECT_LE((after->forward(in.x, in.y, in.t) - plain / time).abs().max().item<double>(), 1e-5 * scale);
  EXPECT_LE((before->forward(in.x, in.y, in.t) - ((plain - offset) / time + offset)).abs().max().item<double>(),
            1e-5 * scale);
  EXPECT_GT((before->forward(in.x, in.y, in.t) - plain / time).abs().max().item<double>(), 0.1);
}

TEST(Ncsnpp, CanBeToldNotToDivide) {
  const auto plain = make_network(tiny("ncsnpp_v2")), off = make_network(tiny("ncsnpp", {{"scale_by_sigma", "false"}}));
  randomise(*plain);
  copy_weights(*plain, *off);
  const at::InferenceMode inference;
  const Batch in;
  EXPECT_TRUE(at::equal(off->forward(in.x, in.y, in.t), plain->forward(in.x, in.y, in.t)));
}

TEST(Ncsnpp, RecentresAnInputThatIsNotCentred) {
  const auto centred = make_network(tiny("ncsnpp")), off = make_network(tiny("ncsnpp", {{"centered", "false"}}));
  randomise(*centred);
  copy_weights(*centred, *off);
  const at::InferenceMode inference;
  const Batch in;
  const auto recentred = [](const at::Tensor& z) { return 2 * z - c10::complex<double>(1, 1); };
  EXPECT_TRUE(
      at::allclose(off->forward(in.x, in.y, in.t),
                   centred->forward(recentred(in.x).to(at::kComplexFloat), recentred(in.y).to(at::kComplexFloat), in.t),
                   1e-4, 1e-4));
}

TEST(Ncsnpp, GivesAnItemTheSameAloneAsInABatch) {
  const auto network = make_network(tiny("ncsnpp_v2"));
  randomise(*network);
  const Batch in;
  const at::Tensor together = network->forward(in.x, in.y, in.t);
  const at::InferenceMode inference;
  for (std::int64_t item = 0; item < 2; ++item) {
    const auto one = [item](const at::Tensor& all) { return all.slice(0, item, item + 1); };
    EXPECT_TRUE(at::allclose(network->forward(one(in.x), one(in.y), one(in.t)), one(together), 1e-3, 1e-4));
  }
}

TEST(Ncsnpp, GivesEveryTrainedParameterAGradient) {
  const auto network = make_network(tiny("ncsnpp"));
  randomise(*network);
  const Batch in;
  at::real(network->forward(in.x, in.y, in.t)).square().sum().backward();
  for (const auto& [name, tensor] : network->tensors()) {
    if (name == "all_modules.0.W") continue;
    ASSERT_TRUE(tensor.grad().defined()) << name;
    EXPECT_TRUE(tensor.grad().isfinite().all().item<bool>()) << name;
    // A bias on the keys never changes an output.
    const bool visible = !name.ends_with("NIN_1.b");
    EXPECT_GE(tensor.grad().abs().max().item<double>(), visible ? 1e-12 : 0.0) << name;
  }
}

TEST(Ncsnpp, ComputesInBfloat16CloseToFloat32) {
  const auto network = make_network(tiny("ncsnpp_v2"));
  randomise(*network);
  const at::InferenceMode inference;
  const Batch in;
  const at::Tensor exact = network->forward(in.x, in.y, in.t);
  network->set_compute_type(at::kBFloat16);
  const at::Tensor rounded = network->forward(in.x, in.y, in.t);
  EXPECT_EQ(rounded.scalar_type(), at::kComplexFloat);
  const double error = (rounded - exact).abs().square().mean().sqrt().item<double>();
  EXPECT_LT(error, 0.05 * exact.abs().square().mean().sqrt().item<double>());
  EXPECT_GT(error, 0);
}

TEST(Ncsnpp, RefusesWhatNoReleasedModelUses) {
  expect_usage(tiny("ncsnpp", {{"resblock_type", "ddpm"}}), "network.resblock_type must be biggan, got 'ddpm'");
  expect_usage(tiny("ncsnpp", {{"progressive", "residual"}}),
               "network.progressive must be output_skip or none, got 'residual'");
  expect_usage(tiny("ncsnpp", {{"progressive_input", "residual"}}),
               "network.progressive_input must be input_skip or none");
  expect_usage(tiny("ncsnpp", {{"progressive_combine", "cat"}}), "network.progressive_combine must be sum, got 'cat'");
  expect_usage(tiny("ncsnpp", {{"embedding_type", "positional"}}), "network.embedding_type must be fourier");
  expect_usage(tiny("ncsnpp", {{"fir", "false"}}), "network.fir must be true");
  expect_usage(tiny("ncsnpp", {{"dropout", "0.1"}}), "network.dropout must be 0, got 0.1");
  expect_usage(tiny("ncsnpp_v2", {{"scale_by_sigma", "true"}}), "network.scale_by_sigma must be false for ncsnpp_v2");
  expect_usage(tiny("ncsnpp_v2", {{"centered", "false"}}), "network.centered must be true for ncsnpp_v2");
  expect_usage(tiny("ncsnpp", {{"num_res_block", "2"}}), "did you mean 'network.num_res_blocks'?");
  expect_usage(tiny("ncsnpp", {{"ch_mult", "[]"}}), "network.ch_mult must have 1 to 10 levels, got 0");
  expect_usage(tiny("ncsnpp", {{"nf", "5"}, {"ch_mult", "[26]"}}),
               "a layer of 130 channels cannot be normalised in 32 groups");
  expect_usage(tiny("ncsnpp", {{"image_size", "1"}}), "network.image_size must be at least 2 for 2 levels, got 1");
}

TEST(Ncsnpp, RefusesSpectraThatDoNotFit) {
  const auto network = make_network(tiny("ncsnpp"));
  const auto forward = [&](std::int64_t bins, std::int64_t frames) {
    const at::Tensor x = at::zeros({1, 1, bins, frames}, at::kComplexFloat);
    network->forward(x, x, at::ones({1}));
  };
  const auto message = [&](std::int64_t bins, std::int64_t frames) -> std::string {
    try {
      forward(bins, frames);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message(16, 8), "");
  EXPECT_EQ(message(16, 9), "ncsnpp: 16 bins and 9 frames must be multiples of 2");
  EXPECT_EQ(message(32, 8), "network.image_size 16 and network.attn_resolutions do not fit a spectrogram of 32 bins");
}

}  // namespace
}  // namespace reseda::nets
