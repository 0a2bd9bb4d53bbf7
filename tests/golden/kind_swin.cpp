#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <functional>
#include <string>

#include "modules/core/error.hpp"
#include "modules/nets/swin_unet.hpp"
#include "modules/nets/upsr_unet.hpp"
#include "modules/nn/adm_block.hpp"
#include "modules/nn/sinusoidal_embedding.hpp"
#include "modules/nn/swin_layer.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/swin_network.hpp"

namespace reseda::golden {
namespace {

using nlohmann::json;

std::int64_t number(const json& args, const char* key) { return args.at(key).get<std::int64_t>(); }

void load_block(GoldenCase& golden, const std::string& name, torch::nn::Module& block) {
  std::vector<StateDict::Entry> targets;
  for (const auto& item : block.named_parameters()) targets.emplace_back(item.key(), item.value());
  load_into(golden.weights(name + "."), targets, swin_buffers());
}

/// A block by its name in the json's config; null for what is no block.
std::shared_ptr<torch::nn::Module> make_block(const std::string& name, const json& args) {
  if (name.starts_with("swin_"))
    return std::make_shared<nn::SwinBlock>(number(args, "dim"), args.at("mlp_ratio").get<double>(),
                                           nn::WindowOptions{.heads = number(args, "num_heads"),
                                                             .side = number(args, "window_size"),
                                                             .shift = number(args, "shift_size")});
  if (name == "basic_layer")
    return std::make_shared<nn::SwinLayer>(number(args, "in_chans"),
                                           nn::SwinLayerOptions{.channels = number(args, "embed_dim"),
                                                                .heads = number(args, "num_heads"),
                                                                .depth = number(args, "depth"),
                                                                .window = number(args, "window_size"),
                                                                .mlp_ratio = args.at("mlp_ratio").get<double>(),
                                                                .nominal = number(args, "img_size"),
                                                                .patch_norm = args.at("patch_norm").get<bool>()});
  if (name.starts_with("resblock_"))
    return std::make_shared<nn::AdmBlock>(number(args, "channels"), number(args, "out_channels"),
                                          number(args, "emb_channels"));
  if (name == "down")
    return std::make_shared<nn::AdmDownsample>(number(args, "channels"), number(args, "out_channels"));
  RESEDA_REQUIRE(name == "up", Errc::kInput, "unknown block ", name);
  return std::make_shared<nn::AdmUpsample>(number(args, "channels"), number(args, "out_channels"));
}

at::Tensor run_block(const torch::nn::Module& block, const at::Tensor& x, const at::Tensor& silu_temb) {
  if (const auto* layer = dynamic_cast<const nn::AdmLayer*>(&block)) return layer->forward(x, silu_temb);
  return dynamic_cast<const nn::SwinBlock&>(block).forward(x);
}

/// The constants of a Swin block and what its attention takes and returns.
void check_inside(GoldenCase& golden, const std::string& name, const json& args, const nn::SwinBlock& block,
                  const at::Tensor& x) {
  const std::int64_t side = number(args, "window_size"), shift = number(args, "shift_size");
  const std::int64_t rows = x.size(2) / side, columns = x.size(3) / side;
  const std::string mid = "mid." + name + ".";
  golden.check(mid + "relative_position_index", nn::relative_positions(side, at::kCPU));
  std::vector<at::Tensor> masks;
  for (std::int64_t window = 0; window < rows * columns; ++window) {
    const nn::WindowPlace place = {.last_row = window / columns == rows - 1,
                                   .last_column = window % columns == columns - 1};
    const at::Tensor allowed = nn::allowed_pairs(nn::WindowMask::kResshift, side, shift, place, at::kCPU);
    masks.push_back(allowed.logical_not().to(at::kFloat) * -100);
  }
  golden.check(mid + "mask", shift > 0 ? at::stack(masks) : at::zeros({rows * columns, side * side, side * side}));
  block.forward(x, [&](const std::string& part, const at::Tensor& value) {
    const at::Tensor flat = value.flatten(0, 2);
    golden.check(mid + part, part == "windows" ? flat.unflatten(1, {side, side}) : flat);
  });
}

/// The call with and without gradients, in both memory layouts, and item by item: each goes another way.
void check_call(GoldenCase& golden, nets::Network& network, const at::Tensor& x, const at::Tensor& lq,
                const at::Tensor& t) {
  golden.check("out.y", network.forward(x, lq, t));
  const at::InferenceMode inference;
  golden.check("out.y", network.forward(x, lq, t));
  golden.check("out.y", network.forward(x.contiguous(at::MemoryFormat::ChannelsLast), lq, t));
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const auto item = [i](const at::Tensor& all) { return all.slice(0, i, i + 1); };
    golden.check_item("out.y", i, network.forward(item(x), item(lq), item(t)));
  }
}

template <class Net>
void run_network(GoldenCase& golden) {
  const auto network = make_swin(golden.config().at("unet"), golden.weights());
  const at::Tensor x = golden.input("x"), lq = golden.input("lq"), t = golden.input("t").to(at::kFloat);
  check_call(golden, *network, x, lq, t);
  dynamic_cast<Net&>(*network).set_probe(
      [&](const std::string& part, const at::Tensor& value) { golden.check_if_recorded("mid." + part, value); });
  const at::InferenceMode inference;
  network->forward(x, lq, t);
}

}  // namespace

/// Single blocks of the networks of ResShift.
void run_swin_blocks(GoldenCase& golden) {
  const at::Tensor x = golden.input("x"), silu_temb = at::silu(golden.input("emb"));
  for (const auto& [name, args] : golden.config().items()) {
    if (name == "emb_dim") {
      const at::Tensor t = golden.input("t").to(at::kFloat);
      golden.check("out.timestep_embedding", nn::cosine_first_embedding(t, args.get<std::int64_t>()));
      golden.check("out.timestep_embedding_odd", nn::cosine_first_embedding(t, args.get<std::int64_t>() + 1));
      continue;
    }
    const auto block = make_block(name, args);
    load_block(golden, name, *block);
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      golden.check("out." + name, run_block(*block, x.contiguous(format), silu_temb));
      const at::InferenceMode inference;
      golden.check("out." + name, run_block(*block, x.contiguous(format), silu_temb));
    }
    if (const auto* swin = dynamic_cast<const nn::SwinBlock*>(block.get())) check_inside(golden, name, args, *swin, x);
  }
}

/// Forward passes of the networks, with recorded values inside them.
void run_swin_unet(GoldenCase& golden) { run_network<nets::SwinUnet>(golden); }
void run_upsr_unet(GoldenCase& golden) { run_network<nets::UpsrUnet>(golden); }

}  // namespace reseda::golden
