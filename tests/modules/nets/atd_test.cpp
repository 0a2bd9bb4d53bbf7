#include "modules/nets/atd.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/core/error.hpp"
#include "modules/nn/atd_attention.hpp"
#include "tests/modules/nets/network_fixture.hpp"

namespace reseda::nets {
namespace {

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

const Keys kSmall = {{"embed_dim", "8"},    {"depths", "[2, 1]"}, {"num_heads", "[2, 2]"},
                     {"window_size", "4"},  {"num_tokens", "5"},  {"category_size", "6"},
                     {"reducted_dim", "3"}, {"upscale", "2"},     {"convffn_kernel_size", "3"}};

TEST(MirroredToMultiple, RepeatsTheEdge) {
  const at::Tensor x = at::arange(6, at::kFloat).reshape({1, 1, 2, 3});
  const at::Tensor wide = mirrored_to_multiple(x, 4);
  EXPECT_EQ(wide.sizes(), (at::IntArrayRef{1, 1, 4, 4}));
  EXPECT_TRUE(at::equal(
      wide[0][0],
      at::tensor({0.F, 1.F, 2.F, 2.F, 3.F, 4.F, 5.F, 5.F, 3.F, 4.F, 5.F, 5.F, 0.F, 1.F, 2.F, 2.F}).reshape({4, 4})));
  EXPECT_TRUE(at::equal(mirrored_to_multiple(at::full({1, 1, 1, 1}, 7.0), 3), at::full({1, 1, 3, 3}, 7.0)));
  EXPECT_TRUE(mirrored_to_multiple(x, 1).is_same(x));
}

TEST(TokenDictionaryAttention, ComparesDirections) {
  const c10::InferenceMode inference;
  const nn::TokenDictionaryAttention attention(6, 5, 3);
  const at::Tensor x = at::randn({2, 7, 6}), dictionary = at::randn({2, 5, 6});
  const auto found = attention.forward(x, dictionary);
  EXPECT_EQ(found.mixed.sizes(), x.sizes());
  EXPECT_EQ(found.similarity.sizes(), (at::IntArrayRef{2, 7, 5}));
  EXPECT_LT(largest(found.similarity.sum(-1) - 1), 1e-6);
  // ln S differs from the cosines times 1 + 0.5 ln 5, the first scale, by what is equal for all tokens.
  const auto named = attention.named_parameters();
  const auto unit = [&](const std::string& name, const at::Tensor& value) {
    const at::Tensor mapped = at::linear(value, named[name + ".weight"], named[name + ".bias"]);
    return mapped / mapped.norm(2, -1, true);
  };
  const at::Tensor cosines = at::matmul(unit("wq", x), unit("wk", dictionary).transpose(1, 2));
  const at::Tensor rest = found.similarity.log() - cosines * (1 + 0.5 * std::log(5.0));
  EXPECT_LT(largest(rest - rest.mean(-1, true)), 1e-5);
}

/// softmax(10 q k^T) v of rows [N,3C] and the projection, with one head.
at::Tensor attended(const nn::CategoryAttention& attention, const at::Tensor& rows) {
  const auto parts = rows.chunk(3, -1);
  const auto named = attention.named_parameters();
  const at::Tensor mixed = at::matmul((10 * at::matmul(parts[0], parts[1].transpose(0, 1))).softmax(-1), parts[2]);
  return at::linear(mixed, named["proj.weight"], named["proj.bias"]);
}

TEST(CategoryAttention, AttendsWithinGroupsOfTheSortedPixels) {
  const c10::InferenceMode inference;
  const nn::CategoryAttention attention(4, 1, 3);
  const at::Tensor qkv = at::randn({1, 5, 12});
  const at::Tensor categories = at::tensor({2, 0, 1, 0, 2}, at::kLong).unsqueeze(0);
  const at::Tensor found = attention.forward(qkv, categories);
  // Sorted: 1 3 2 | 0 4, the second group filled up with 4.
  const at::Tensor first = at::tensor({1, 3, 2}, at::kLong), second = at::tensor({0, 4, 4}, at::kLong);
  EXPECT_LT(largest(found[0].index_select(0, first) - attended(attention, qkv[0].index_select(0, first))), 1e-5);
  EXPECT_LT(largest(found[0].index_select(0, second) - attended(attention, qkv[0].index_select(0, second))), 1e-5);
}

TEST(CategoryAttention, OfOnePixelIsThatPixel) {
  const c10::InferenceMode inference;
  const nn::CategoryAttention attention(4, 2, 1);
  const at::Tensor qkv = at::randn({2, 9, 12}), categories = at::randint(0, 4, {2, 9}, at::kLong);
  const auto named = attention.named_parameters();
  const at::Tensor wanted = at::linear(qkv.narrow(2, 8, 4), named["proj.weight"], named["proj.bias"]);
  EXPECT_LT(largest(attention.forward(qkv, categories) - wanted), 1e-5);
}

TEST(Atd, EnlargesImagesOfAnySizeAndItemsAreIndependent) {
  const c10::InferenceMode inference;
  const auto network = make_network(settings("atd", kSmall));
  randomise(*network);
  const at::Tensor x = at::rand({2, 3, 5, 7});
  const at::Tensor both = network->forward(x, {}, {});
  EXPECT_EQ(both.sizes(), (at::IntArrayRef{2, 3, 10, 14}));
  EXPECT_TRUE(at::isfinite(both).all().item<bool>());
  EXPECT_LT(largest(network->forward(x.narrow(0, 1, 1), {}, {}) - both.narrow(0, 1, 1)), 1e-4);
  EXPECT_EQ(network->forward(at::rand({1, 3, 1, 1}), {}, {}).sizes(), (at::IntArrayRef{1, 3, 2, 2}));
}

TEST(Atd, HasTheOfficialNames) {
  const auto network = make_network(settings("atd", kSmall));
  for (const char* name :
       {"conv_first.weight", "patch_embed.norm.bias", "layers.0.residual_group.td",
        "layers.0.residual_group.layers.0.sigma", "layers.0.residual_group.layers.0.norm3.weight",
        "layers.0.residual_group.layers.0.wqkv.weight",
        "layers.0.residual_group.layers.1.attn_win.relative_position_bias_table",
        "layers.0.residual_group.layers.1.attn_win.proj.bias", "layers.0.residual_group.layers.1.attn_atd.scale",
        "layers.0.residual_group.layers.1.attn_aca.logit_scale",
        "layers.0.residual_group.layers.1.convffn.dwconv.depthwise_conv.0.weight", "layers.1.patch_embed.norm.weight",
        "layers.1.conv.weight", "norm.weight", "conv_after_body.weight", "upsample.0.weight"})
    EXPECT_TRUE(has(*network, name)) << name;
  // The last layer of a group makes no further dictionary.
  for (const char* name :
       {"layers.0.residual_group.layers.1.sigma", "layers.0.residual_group.layers.1.norm3.weight",
        "layers.1.residual_group.layers.0.sigma", "layers.0.residual_group.layers.0.attn_win.qkv.weight"})
    EXPECT_FALSE(has(*network, name)) << name;
}

TEST(Atd, SaysWhatIsWrong) {
  const auto message = [](const Keys& more) {
    try {
      make_network(settings("atd", kSmall, more));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::kUsage);
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message({{"num_heads", "[2, 3]"}}), "network.num_heads must divide network.embed_dim (8), got 3");
  EXPECT_EQ(message({{"depths", "[2]"}}),
            "network.depths and network.num_heads must have one entry for each of 1 to 64 groups, got 1 and 2");
  EXPECT_EQ(message({{"upsampler", "pixelshuffle"}}),
            "network.upsampler must be pixelshuffledirect, got 'pixelshuffle'");
  EXPECT_EQ(message({{"convffn_kernel_size", "4"}}), "network.convffn_kernel_size must be odd, got 4");
  const auto network = make_network(settings("atd", kSmall));
  EXPECT_THROW(network->forward(at::rand({1, 1, 4, 4}), {}, {}), Error);
}

}  // namespace
}  // namespace reseda::nets
