#include "modules/nets/residual_unet.hpp"

#include <ATen/ATen.h>

#include <utility>

#include "modules/core/error.hpp"
#include "modules/nets/image_input.hpp"
#include "modules/nn/ddpm_block.hpp"
#include "modules/nn/sinusoidal_embedding.hpp"

namespace reseda::nets {

void ResidualUnetConfig::validate() const {
  RESEDA_REQUIRE(dim >= 4 && dim <= 4096 && dim % 2 == 0, Errc::kUsage, "network.dim must be even, 4 to 4096, got ",
                 dim);
  RESEDA_REQUIRE(!dim_mults.empty() && dim_mults.size() <= 10, Errc::kUsage,
                 "network.dim_mults must have 1 to 10 levels, got ", dim_mults.size());
  for (const std::int64_t factor : dim_mults)
    RESEDA_REQUIRE(factor >= 1 && factor <= 64 && dim * factor <= 8192, Errc::kUsage,
                   "network.dim_mults must be positive and give at most 8192 channels, got ", factor);
  RESEDA_REQUIRE(channels >= 1 && channels <= 1024, Errc::kUsage, "network.channels must be 1 to 1024, got ", channels);
  RESEDA_REQUIRE(out_dim >= 0 && out_dim <= 1024, Errc::kUsage, "network.out_dim must be 0 to 1024, got ", out_dim);
  RESEDA_REQUIRE(condition_channels >= 0 && condition_channels <= 1024, Errc::kUsage,
                 "network.condition_channels must be 0 to 1024, got ", condition_channels);
  const auto divides = [this](std::int64_t width) { return width % resnet_block_groups == 0; };
  // Every level has a multiple of dim.
  RESEDA_REQUIRE(resnet_block_groups >= 1 && divides(dim), Errc::kUsage,
                 "network.resnet_block_groups must divide network.dim (", dim, "), got ", resnet_block_groups);
}

std::shared_ptr<nn::ModulatedBlock> ResidualUnet::block(std::int64_t in, std::int64_t out) const {
  return std::make_shared<nn::ModulatedBlock>(in, out, 4 * config_.dim, config_.resnet_block_groups);
}

ResidualUnet::ResidualUnet(const ResidualUnetConfig& config, Decoders decoders) : config_(config), decoders_(decoders) {
  config_.validate();
  const std::int64_t dim = config_.dim, width = 4 * dim, deep = dim * config_.dim_mults.back();
  init_conv_ = register_module(
      "init_conv",
      std::make_shared<nn::PlainConv2d>(config_.input_channels(), dim, nn::ConvOptions{.kernel = 7, .padding = 3}));
  const auto time_mlp = register_module("time_mlp", std::make_shared<torch::nn::Module>("Sequential"));
  embed0_ = time_mlp->register_module("1", std::make_shared<nn::PlainLinear>(dim, width));
  embed1_ = time_mlp->register_module("3", std::make_shared<nn::PlainLinear>(width, width));
  build_down();
  ups_ = build_up("ups", /*with_skips=*/true);
  if (decoders == Decoders::kShared) ups_no_skip_ = build_up("ups_no_skip", /*with_skips=*/false);
  mid_block1_ = register_module("mid_block1", block(deep, deep));
  mid_attn_ = register_module("mid_attn",
                              std::make_shared<nn::ResidualAttention>(deep, std::make_shared<nn::FullAttention>(deep)));
  mid_block2_ = register_module("mid_block2", block(deep, deep));
  if (decoders == Decoders::kShared) head_no_skip_ = build_head("_1", dim);
  head_ = build_head(decoders == Decoders::kShared ? "_2" : "", 2 * dim);
}

torch::nn::ModuleList ResidualUnet::modules_of(const Stage& stage) const {
  torch::nn::ModuleList list;
  list->push_back(stage.block0);
  list->push_back(stage.block1);
  list->push_back(stage.attention);
  if (!stage.grows) {
    list->push_back(stage.resample);
  } else {
    const auto grow = std::make_shared<torch::nn::Module>("Sequential");
    grow->register_module("1", stage.resample);
    list->push_back(grow);
  }
  return list;
}

void ResidualUnet::build_down() {
  const auto list = register_module("downs", torch::nn::ModuleList());
  std::int64_t in = config_.dim;
  for (std::size_t level = 0; level < config_.dim_mults.size(); ++level) {
    const std::int64_t out = config_.dim * config_.dim_mults[level];
    const bool last = level + 1 == config_.dim_mults.size();
    Stage& stage = downs_.emplace_back();
    stage.name = "downs." + std::to_string(level);
    stage.block0 = block(in, in);
    stage.block1 = block(in, in);
    stage.attention = std::make_shared<nn::ResidualAttention>(in, std::make_shared<nn::LinearAttention>(in));
    stage.resample = std::make_shared<nn::PlainConv2d>(
        in, out, last ? nn::ConvOptions{} : nn::ConvOptions{.kernel = 4, .stride = 2, .padding = 1});
    list->push_back(modules_of(stage));
    in = out;
  }
}

std::vector<ResidualUnet::Stage> ResidualUnet::build_up(const std::string& name, bool with_skips) {
  const auto list = register_module(name, torch::nn::ModuleList());
  std::vector<Stage> stages;
  for (std::size_t level = config_.dim_mults.size(); level-- > 0;) {
    const std::int64_t out = config_.dim * config_.dim_mults[level];
    const std::int64_t in = level > 0 ? config_.dim * config_.dim_mults[level - 1] : config_.dim;
    const std::int64_t wide = with_skips ? out + in : out;
    Stage& stage = stages.emplace_back();
    stage.name = name + "." + std::to_string(stages.size() - 1);
    stage.block0 = block(wide, out);
    stage.block1 = block(wide, out);
    stage.attention = std::make_shared<nn::ResidualAttention>(out, std::make_shared<nn::LinearAttention>(out));
    stage.resample = std::make_shared<nn::PlainConv2d>(out, in);
    stage.grows = level > 0;
    list->push_back(modules_of(stage));
  }
  return stages;
}

ResidualUnet::Head ResidualUnet::build_head(const std::string& suffix, std::int64_t in) {
  Head head{block(in, config_.dim),
            std::make_shared<nn::PlainConv2d>(config_.dim, config_.prediction_channels(), nn::kPointwise), suffix};
  register_module("final_res_block" + suffix, head.block);
  register_module("final_conv" + suffix, head.conv);
  return head;
}

at::Tensor ResidualUnet::seen(const std::string& name, at::Tensor value) const {
  if (probe_) probe_(name, value);
  return value;
}

at::Tensor ResidualUnet::run(const nn::ModulatedBlock& part, const std::string& name, const at::Tensor& x,
                             const at::Tensor& temb) const {
  return seen(name, part.forward(x, temb, nn::under(probe_, name)));
}

at::Tensor ResidualUnet::embed(const at::Tensor& t) const {
  const at::Tensor features = seen("time_mlp.0", nn::sinusoidal_embedding(t, config_.dim));
  const at::Tensor hidden = seen("time_mlp.1", embed0_->forward(features));
  // Every residual block takes silu of the embedding: once is enough.
  return at::silu(seen("time_mlp", embed1_->forward(at::gelu(hidden))));
}

at::Tensor ResidualUnet::go_down(at::Tensor h, const at::Tensor& temb, std::vector<at::Tensor>& skips) const {
  for (const Stage& stage : downs_) {
    h = run(*stage.block0, stage.name + ".0", h, temb);
    skips.push_back(h);
    h = run(*stage.block1, stage.name + ".1", h, temb);
    h = seen(stage.name + ".2", stage.attention->forward(h, nn::under(probe_, stage.name + ".2")));
    skips.push_back(h);
    h = seen(stage.name + ".3", stage.resample->forward(h));
  }
  return h;
}

at::Tensor ResidualUnet::go_up(const std::vector<Stage>& stages, at::Tensor h, const at::Tensor& temb,
                               std::vector<at::Tensor>* skips) const {
  const auto beside = [skips](const at::Tensor& map) {
    if (skips == nullptr) return map;
    at::Tensor both = at::cat({map, skips->back()}, 1);
    skips->pop_back();
    return both;
  };
  for (const Stage& stage : stages) {
    h = run(*stage.block0, stage.name + ".0", beside(h), temb);
    h = run(*stage.block1, stage.name + ".1", beside(h), temb);
    h = seen(stage.name + ".2", stage.attention->forward(h, nn::under(probe_, stage.name + ".2")));
    h = seen(stage.name + ".3", stage.resample->forward(stage.grows ? nn::repeat_pixels(h) : h));
  }
  return h;
}

at::Tensor ResidualUnet::finish(const Head& head, const at::Tensor& h, const at::Tensor& temb) const {
  const at::Tensor last = run(*head.block, "final_res_block" + head.suffix, h, temb);
  return seen("final_conv" + head.suffix, head.conv->forward(last.to(at::kFloat)).contiguous());
}

at::Tensor ResidualUnet::predict(const at::Tensor& input, const at::Tensor& t, Heads heads) const {
  require_times(t, input);
  const at::Tensor temb = embed(t);
  const at::Tensor first = seen("init_conv", init_conv_->forward(input));
  std::vector<at::Tensor> skips;
  at::Tensor h = run(*mid_block1_, "mid_block1", go_down(first, temb, skips), temb);
  h = seen("mid_attn", mid_attn_->forward(h, nn::under(probe_, "mid_attn")));
  h = run(*mid_block2_, "mid_block2", h, temb);

  at::Tensor residual;
  if (decoders_ == Decoders::kShared && heads != Heads::kSecond) {
    residual = finish(head_no_skip_, go_up(ups_no_skip_, h, temb, nullptr), temb);
    if (heads == Heads::kFirst) return residual;
  }
  const at::Tensor main = finish(head_, at::cat({go_up(ups_, std::move(h), temb, &skips), first}, 1), temb);
  return residual.defined() ? at::cat({residual, main}, 1) : main;
}

at::Tensor ResidualUnet::joined(const ResidualUnetConfig& config, const at::Tensor& x, const at::Tensor& y,
                                const at::Tensor& estimate, at::ScalarType type) {
  const ImageInput input = {.state_channels = config.channels,
                            .condition_channels = config.condition_channels,
                            .multiple = config.multiple(),
                            .self_condition = config.self_condition};
  // Backwards on a CPU, the norms are several times slower with the channels last.
  const bool trains_on_cpu = at::GradMode::is_enabled() && x.device().is_cpu();
  return image_input(input, x, y, estimate)
      .to(type)
      .contiguous(trains_on_cpu ? at::MemoryFormat::Contiguous : at::MemoryFormat::ChannelsLast);
}

at::Tensor ResidualUnet::forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) {
  return forward_given(x, y, t, {});
}

at::Tensor ResidualUnet::forward_given(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t,
                                       const at::Tensor& estimate) {
  return predict(joined(config_, x, y, estimate, compute_type()), t);
}

}  // namespace reseda::nets
