#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/nn/module.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/nets/adm_classifier.hpp"
#include "modules/nets/adm_unet.hpp"
#include "modules/nn/adm_attention.hpp"
#include "modules/nn/adm_block.hpp"
#include "modules/nn/sinusoidal_embedding.hpp"
#include "tests/golden/adm_network.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {
namespace {

/// The json gives none for the official code with half-precision layers, its notes this one.
constexpr Tolerance kHalfTolerance = {.atol = 5e-3, .rtol = 0};
constexpr float kTimeOfNonsquare = 321;

at::Tensor item_of(const at::Tensor& all, std::int64_t item) {
  return all.defined() ? all.slice(0, item, item + 1) : at::Tensor();
}

/// The call with and without gradients, in both memory layouts, and item by item: each goes another way.
void check_call(GoldenCase& golden, nets::Network& network, const std::string& output, const at::Tensor& x,
                const at::Tensor& t, const at::Tensor& labels) {
  golden.check(output, network.forward_labelled(x, {}, t, labels));
  const at::InferenceMode inference;
  golden.check(output, network.forward_labelled(x, {}, t, labels));
  golden.check(output, network.forward_labelled(x.contiguous(at::MemoryFormat::ChannelsLast), {}, t, labels));
  for (std::int64_t i = 0; i < x.size(0); ++i)
    golden.check_item(output, i, network.forward_labelled(item_of(x, i), {}, item_of(t, i), item_of(labels, i)));
}

template <class Network>
void check_mids(GoldenCase& golden, nets::Network& network, const std::function<void()>& call) {
  auto& probed = dynamic_cast<Network&>(network);
  probed.set_probe(
      [&](const std::string& part, const at::Tensor& value) { golden.check_if_recorded("mid." + part, value); });
  call();
  probed.set_probe({});
}

}  // namespace

/// Forward passes of the U-Net, with recorded values inside it.
void run_adm_unet(GoldenCase& golden) {
  const auto& model = golden.config().at("model");
  const auto network = make_adm("adm_unet", model, golden.weights());
  const at::Tensor x = golden.input("x"), times = golden.input("tvec").to(at::kFloat);
  const at::Tensor labels = golden.has("in.y") ? golden.input("y") : at::Tensor();
  at::Tensor t;
  for (const auto& entry : golden.config().at("t")) {
    t = at::full({x.size(0)}, entry.get<double>(), at::kFloat);
    check_call(golden, *network, "out.t" + std::to_string(entry.get<int>()), x, t, labels);
  }
  check_mids<nets::AdmUnet>(golden, *network, [&] {
    const at::InferenceMode inference;
    network->forward_labelled(x, {}, t, labels);
  });
  check_call(golden, *network, "out.tvec", x, times, labels);
  if (golden.has("in.x_nonsquare"))
    check_call(golden, *network, "out.nonsquare", golden.input("x_nonsquare"), at::full({1}, kTimeOfNonsquare), labels);
  if (!golden.config().value("fp16", false)) return;
  const auto half = make_adm("adm_unet", model, golden.weights(), "f16");
  golden.check("out.fp16_tvec", half->forward_labelled(x, {}, times, labels), kHalfTolerance);
}

/// The classifier, and the gradient by which it guides.
void run_adm_classifier(GoldenCase& golden) {
  const auto network = make_adm("adm_classifier", golden.config().at("model"), golden.weights());
  const at::Tensor t = golden.input("tvec").to(at::kFloat), labels = golden.input("y");
  const at::Tensor x = golden.input("x").requires_grad_();
  const at::Tensor logits = network->forward(x, {}, t);
  golden.check("out.logits", logits);
  const at::Tensor log_probs = logits.log_softmax(-1);
  golden.check("out.log_probs", log_probs);
  log_probs.gather(1, labels.unsqueeze(1)).sum().backward();
  golden.check("out.grad_selected", x.grad());
  const at::InferenceMode inference;
  check_mids<nets::AdmClassifier>(golden, *network, [&] { network->forward(x, {}, t); });
  for (std::int64_t i = 0; i < t.size(0); ++i)
    golden.check_item("out.logits", i, network->forward(item_of(x, i), {}, item_of(t, i)));
}

namespace {

std::int64_t number(const nlohmann::json& args, const char* key, std::int64_t otherwise) {
  return args.value(key, otherwise);
}

std::shared_ptr<torch::nn::Module> make_block(const std::string& type, const nlohmann::json& args) {
  const std::int64_t channels = number(args, "channels", 0);
  if (type == "res") {
    nn::AdmBlockOptions options;
    if (!args.value("use_scale_shift_norm", false)) options.modulation = nn::Modulation::kAdd;
    if (args.value("up", false)) options.resample = nn::Resample::kUp;
    if (args.value("down", false)) options.resample = nn::Resample::kDown;
    if (args.value("use_conv", false)) options.skip_kernel = 3;
    return std::make_shared<nn::AdmBlock>(channels, number(args, "out_channels", channels), args.at("emb_channels"),
                                          options);
  }
  const auto order =
      args.value("use_new_attention_order", false) ? nn::QkvOrder::kPartsFirst : nn::QkvOrder::kHeadsFirst;
  if (type == "attn") {
    const std::int64_t width = number(args, "num_head_channels", -1);
    return std::make_shared<nn::AdmAttention>(channels, width > 0 ? channels / width : number(args, "num_heads", 1),
                                              order);
  }
  if (type == "pool") {
    const std::int64_t width = args.at("embed_dim");
    return std::make_shared<nn::AdmAttentionPool>(args.at("spacial_dim"), width,
                                                  width / args.at("num_heads_channels").get<std::int64_t>(),
                                                  args.at("output_dim"));
  }
  const auto with_conv = args.value("use_conv", false) ? nn::WithConv::kYes : nn::WithConv::kNo;
  if (type == "down") return std::make_shared<nn::AdmDownsample>(channels, with_conv);
  if (type == "up") return std::make_shared<nn::AdmUpsample>(channels, with_conv);
  RESEDA_REQUIRE(type == "gn", Errc::kInput, "unknown block type ", type);
  return nn::adm_norm(channels);
}

at::Tensor run_block(const torch::nn::Module& block, const at::Tensor& x, const at::Tensor& silu_temb) {
  if (const auto* layer = dynamic_cast<const nn::AdmLayer*>(&block)) return layer->forward(x, silu_temb);
  if (const auto* pool = dynamic_cast<const nn::AdmAttentionPool*>(&block)) return pool->forward(x);
  return dynamic_cast<const nn::PlainGroupNorm&>(block).forward(x);
}

}  // namespace

/// Single building blocks.
void run_adm_blocks(GoldenCase& golden) {
  for (const auto& entry : golden.config().at("emb_dims")) {
    const auto size = entry.get<std::int64_t>();
    const std::string name = "out.temb" + std::to_string(size);
    golden.check(name, nn::cosine_first_embedding(golden.input("t_int").to(at::kFloat), size));
    golden.check(name + "_frac", nn::cosine_first_embedding(golden.input("t_frac"), size));
  }
  const at::Tensor silu_temb = at::silu(golden.input("emb"));
  for (const auto& entry : golden.config().at("blocks")) {
    const std::string name = entry.at("name");
    const auto block = make_block(entry.at("type"), entry.at("args"));
    std::vector<StateDict::Entry> targets;
    for (const auto& item : block->named_parameters()) targets.emplace_back(item.key(), item.value());
    load_into(golden.weights(entry.value("weights_of", name) + "."), targets);
    const at::Tensor x = golden.input(entry.at("x"));
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      golden.check("out." + name, run_block(*block, x.contiguous(format), silu_temb));
      const at::InferenceMode inference;
      golden.check("out." + name, run_block(*block, x.contiguous(format), silu_temb));
    }
  }
}

}  // namespace reseda::golden
