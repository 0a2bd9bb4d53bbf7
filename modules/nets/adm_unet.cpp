#include "modules/nets/adm_unet.hpp"

#include <ATen/ATen.h>
#include <torch/nn/modules/container/modulelist.h>

#include "modules/core/error.hpp"
#include "modules/nets/image_input.hpp"
#include "modules/nn/init.hpp"
#include "modules/nn/pixel_attention.hpp"

namespace reseda::nets {

void AdmUnetConfig::validate() const {
  adm.validate();
  RESEDA_REQUIRE(adm.out_channels <= 1024, Errc::kUsage, "network.out_channels must be 1 to 1024, got ",
                 adm.out_channels);
  RESEDA_REQUIRE(num_classes >= 0 && num_classes <= 1000000, Errc::kUsage,
                 "network.num_classes must be 0 to 1000000, got ", num_classes);
  RESEDA_REQUIRE(num_heads_upsample == -1 || (num_heads_upsample >= 1 && num_heads_upsample <= 4096), Errc::kUsage,
                 "network.num_heads_upsample must be -1 or 1 to 4096, got ", num_heads_upsample);
  RESEDA_REQUIRE(condition_channels >= 0 && condition_channels <= 1024, Errc::kUsage,
                 "network.condition_channels must be 0 to 1024, got ", condition_channels);
}

AdmUnet::AdmUnet(const AdmUnetConfig& config) : config_(config) {
  config_.validate();
  const AdmConfig& adm = config_.adm;
  encoder_ = std::make_shared<AdmEncoder>(adm, adm.in_channels + config_.condition_channels);
  const auto parts = encoder_->named_children();
  register_module("time_embed", parts["time_embed"]);
  if (config_.num_classes > 0) {
    const auto table = register_module("label_emb", std::make_shared<torch::nn::Module>("Embedding"));
    label_embedding_ = table->register_parameter(
        "weight", at::empty({config_.num_classes, 4 * adm.model_channels}, at::kFloat).normal_());
  }
  for (const char* name : {"input_blocks", "middle_block"}) register_module(name, parts[name]);
  build_up();
  const auto out = register_module("out", std::make_shared<torch::nn::Module>("Sequential"));
  norm_out_ = out->register_module("0", nn::adm_norm(adm.width(0)));
  conv_out_ = out->register_module("2", std::make_shared<nn::PlainConv2d>(adm.width(0), adm.out_channels));
  nn::set_to_zero(*conv_out_);
}

void AdmUnet::build_up() {
  const AdmConfig& adm = config_.adm;
  const auto list = register_module("output_blocks", torch::nn::ModuleList());
  const std::int64_t num_heads = config_.num_heads_upsample == -1 ? adm.num_heads : config_.num_heads_upsample;
  std::vector<std::int64_t> skips = encoder_->widths();
  std::int64_t below = skips.back();
  for (std::size_t level = adm.levels(); level-- > 0;) {
    const std::int64_t width = adm.width(level);
    for (std::int64_t i = 0; i <= adm.num_res_blocks; ++i) {
      std::vector layers = {AdmEncoder::block(adm, below + skips.back(), width)};
      skips.pop_back();
      below = width;
      if (adm.attends(level)) layers.push_back(AdmEncoder::attention(adm, width, num_heads));
      if (level > 0 && i == adm.num_res_blocks) {
        if (adm.resblock_updown)
          layers.push_back(AdmEncoder::block(adm, width, width, nn::Resample::kUp));
        else
          layers.push_back(
              std::make_shared<nn::AdmUpsample>(width, adm.conv_resample ? nn::WithConv::kYes : nn::WithConv::kNo));
      }
      up_stages_.push_back(std::make_shared<AdmStage>(std::move(layers)));
      list->push_back(up_stages_.back());
    }
  }
  RESEDA_INVARIANT(skips.empty());
}

at::Tensor AdmUnet::seen(const std::string& name, at::Tensor value) const {
  if (probe_) probe_(name, value);
  return value;
}

at::Tensor AdmUnet::joined(const at::Tensor& x, const at::Tensor& y) const {
  at::Tensor condition = y;
  if (config_.condition_channels > 0 && y.defined() && y.dim() == 4 && x.dim() == 4)
    condition = at::upsample_bilinear2d(y, {x.size(2), x.size(3)}, /*align_corners=*/false);
  const ImageInput input = {.state_channels = config_.adm.in_channels,
                            .condition_channels = config_.condition_channels,
                            .multiple = time_multiple()};
  return torso_input(config_.adm, compute_type(), image_input(input, x, condition));
}

at::Tensor AdmUnet::embed(const at::Tensor& t, const at::Tensor& labels) const {
  at::Tensor embedding = seen("time_embed", encoder_->embed(t));
  if (label_embedding_.defined()) {
    RESEDA_REQUIRE(labels.defined(), Errc::kUsage, "network.num_classes is ", config_.num_classes,
                   ", but no class is given");
    RESEDA_REQUIRE(labels.dim() == 1 && labels.size(0) == t.size(0) && labels.scalar_type() == at::kLong,
                   Errc::kInternal, "network: labels must be [B] int64");
    const bool known = at::all(labels.ge(0).logical_and(labels.lt(config_.num_classes))).item<bool>();
    RESEDA_REQUIRE(known, Errc::kUsage, "network.num_classes is ", config_.num_classes,
                   ": classes must be 0 to one less");
    embedding = embedding + label_embedding_.index_select(0, labels.to(t.device()));
  }
  // Every residual block takes silu of the embedding: once is enough.
  return at::silu(embedding);
}

at::Tensor AdmUnet::forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) {
  return forward_labelled(x, y, t, {});
}

at::Tensor AdmUnet::forward_labelled(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t,
                                     const at::Tensor& labels) {
  RESEDA_REQUIRE(label_embedding_.defined() || !labels.defined(), Errc::kUsage,
                 "network.num_classes is 0, but a class is given");
  const at::Tensor input = joined(x, y);
  require_times(t, x);
  const at::Tensor temb = embed(t, labels);
  std::vector<at::Tensor> skips;
  at::Tensor h = encoder_->forward(input, temb, skips, probe_);
  for (std::size_t i = 0; i < up_stages_.size(); ++i) {
    const std::string name = "output_blocks." + std::to_string(i);
    h = seen(name, up_stages_[i]->forward(at::cat({h, skips.back()}, 1), temb, nn::under(probe_, name)));
    skips.pop_back();
  }
  h = nn::silu_consumed(norm_out_->forward(h.to(at::kFloat)));
  return seen("out", conv_out_->forward(h).contiguous());
}

const NetworkEntry& network_entry_adm_unet() {
  static const NetworkEntry entry = make_component<Network, AdmUnet, AdmUnetConfig>(
      "adm_unet", "U-Net of guided diffusion (ADM) and improved diffusion");
  return entry;
}

}  // namespace reseda::nets
