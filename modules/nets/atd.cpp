#include "modules/nets/atd.hpp"

#include <ATen/ATen.h>
#include <torch/nn/modules/container/modulelist.h>

#include "modules/core/error.hpp"
#include "modules/nn/pixel_attention.hpp"

namespace reseda::nets {
namespace {

/// 0, 1, ..., size - 1, size - 1, ..., 0, 0, 1, ... up to a multiple.
at::Tensor mirrored_places(std::int64_t size, std::int64_t multiple, const at::TensorOptions& options) {
  const at::Tensor place = at::arange((size + multiple - 1) / multiple * multiple, options).remainder(2 * size);
  return at::minimum(place, 2 * size - 1 - place);
}

void require_range(const char* key, std::int64_t value, std::int64_t least, std::int64_t most) {
  RESEDA_REQUIRE(value >= least && value <= most, Errc::kUsage, "network.", key, " must be ", least, " to ", most,
                 ", got ", value);
}

}  // namespace

void AtdConfig::validate() const {
  require_range("upscale", upscale, 1, 16);
  require_range("in_chans", in_chans, 1, 1024);
  require_range("embed_dim", embed_dim, 1, 8192);
  require_range("window_size", window_size, 2, 256);
  require_range("category_size", category_size, 1, 65536);
  require_range("num_tokens", num_tokens, 2, 65536);
  require_range("reducted_dim", reducted_dim, 1, 8192);
  require_range("convffn_kernel_size", convffn_kernel_size, 1, 63);
  RESEDA_REQUIRE(convffn_kernel_size % 2 == 1, Errc::kUsage, "network.convffn_kernel_size must be odd, got ",
                 convffn_kernel_size);
  RESEDA_REQUIRE(!depths.empty() && depths.size() <= 64 && depths.size() == num_heads.size(), Errc::kUsage,
                 "network.depths and network.num_heads must have one entry for each of 1 to 64 groups, got ",
                 depths.size(), " and ", num_heads.size());
  for (const std::int64_t depth : depths) require_range("depths", depth, 1, 256);
  for (const std::int64_t heads : num_heads)
    RESEDA_REQUIRE(heads >= 1 && embed_dim % heads == 0, Errc::kUsage,
                   "network.num_heads must divide network.embed_dim (", embed_dim, "), got ", heads);
  RESEDA_REQUIRE(mlp_ratio > 0 && mlp_ratio <= 64 && mlp_ratio * static_cast<double>(embed_dim) >= 1, Errc::kUsage,
                 "network.mlp_ratio must be in (0, 64] and leave a feature, got ", mlp_ratio);
  RESEDA_REQUIRE(img_range == 1, Errc::kUsage, "network.img_range must be 1, got ", img_range);
  RESEDA_REQUIRE(upsampler == "pixelshuffledirect", Errc::kUsage, "network.upsampler must be pixelshuffledirect, got '",
                 upsampler, "'");
  RESEDA_REQUIRE(resi_connection == "1conv", Errc::kUsage, "network.resi_connection must be 1conv, got '",
                 resi_connection, "'");
}

at::Tensor mirrored_to_multiple(const at::Tensor& x, std::int64_t multiple) {
  if (x.size(2) % multiple == 0 && x.size(3) % multiple == 0) return x;
  const auto options = x.options().dtype(at::kLong);
  return x.index_select(2, mirrored_places(x.size(2), multiple, options))
      .index_select(3, mirrored_places(x.size(3), multiple, options));
}

Atd::Atd(const AtdConfig& config) : config_(config) {
  config_.validate();
  const std::int64_t size = config_.embed_dim;
  first_ = register_module("conv_first", std::make_shared<nn::PlainConv2d>(config_.in_chans, size));
  embed_norm_ = std::make_shared<nn::PlainLayerNorm>(size);
  register_module("patch_embed", std::make_shared<torch::nn::Module>("PatchEmbed"))
      ->register_module("norm", embed_norm_);
  const auto list = register_module("layers", torch::nn::ModuleList());
  for (std::size_t i = 0; i < config_.depths.size(); ++i) {
    groups_.push_back(std::make_shared<nn::AtdGroup>(nn::AtdOptions{.channels = size,
                                                                    .heads = config_.num_heads[i],
                                                                    .depth = config_.depths[i],
                                                                    .window = config_.window_size,
                                                                    .category_size = config_.category_size,
                                                                    .tokens = config_.num_tokens,
                                                                    .reduced = config_.reducted_dim,
                                                                    .kernel = config_.convffn_kernel_size,
                                                                    .mlp_ratio = config_.mlp_ratio}));
    list->push_back(groups_.back());
  }
  norm_ = register_module("norm", std::make_shared<nn::PlainLayerNorm>(size));
  after_body_ = register_module("conv_after_body", std::make_shared<nn::PlainConv2d>(size, size));
  upsample_ = std::make_shared<nn::PlainConv2d>(size, config_.in_chans * config_.upscale * config_.upscale);
  register_module("upsample", std::make_shared<torch::nn::Module>("Sequential"))->register_module("0", upsample_);
}

at::Tensor Atd::forward(const at::Tensor& x, const at::Tensor& /*y*/, const at::Tensor& /*t*/) {
  RESEDA_REQUIRE(x.dim() == 4 && x.size(1) == config_.in_chans, Errc::kUsage, "network.in_chans is ", config_.in_chans,
                 ", but the image is ", x.sizes());
  const at::Tensor shallow = first_->forward(mirrored_to_multiple(x.to(at::kFloat), config_.window_size) * 2 - 1);
  const std::int64_t height = shallow.size(2);
  at::Tensor tokens = embed_norm_->forward(nn::to_tokens(shallow));
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const std::string name = "layers." + std::to_string(i);
    tokens = groups_[i]->forward(tokens, height, nn::under(probe_, name));
    if (probe_) probe_(name, tokens);
  }
  tokens = norm_->forward(tokens);
  if (probe_) probe_("norm", tokens);
  const at::Tensor deep = after_body_->forward(nn::from_tokens(tokens, height, shallow.size(3)));
  const at::Tensor large = at::pixel_shuffle(upsample_->forward(deep + shallow), config_.upscale) / 2 + 0.5;
  return large.narrow(2, 0, config_.upscale * x.size(2)).narrow(3, 0, config_.upscale * x.size(3)).contiguous();
}

const NetworkEntry& network_entry_atd() {
  static const NetworkEntry entry = make_component<Network, Atd, AtdConfig>(
      "atd", "super-resolution transformer with an adaptive token dictionary (ATD, auxiliary network of UPSR)");
  return entry;
}

}  // namespace reseda::nets
