#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "modules/core/error.hpp"
#include "modules/nn/attention_block.hpp"
#include "modules/nn/combine.hpp"
#include "modules/nn/fir.hpp"
#include "modules/nn/fourier_features.hpp"
#include "modules/nn/layers.hpp"
#include "modules/nn/residual_block.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {
namespace {

template <class Block>
Block& loaded(Block& block, GoldenCase& golden, const std::string& name) {
  std::vector<StateDict::Entry> targets;
  for (const auto& item : block.named_parameters()) targets.emplace_back(item.key(), item.value());
  load_into(golden.weights(name + "."), targets);
  return block;
}

nn::ResidualBlock residual_block(const nlohmann::json& args) {
  const auto in = args.at("in_ch").get<std::int64_t>();
  const nn::Resample resample = args.value("up", false)     ? nn::Resample::kUp
                                : args.value("down", false) ? nn::Resample::kDown
                                                            : nn::Resample::kNone;
  const bool own_width = args.contains("out_ch") && !args.at("out_ch").is_null();
  return {in, own_width ? args["out_ch"].get<std::int64_t>() : in, args.at("temb_dim").get<std::int64_t>(), resample};
}

void run_residual(GoldenCase& golden, const std::string& name, const nlohmann::json& args) {
  nn::ResidualBlock block = residual_block(args);
  loaded(block, golden, name);
  const at::Tensor x = golden.input(name + ".x"), temb = at::silu(golden.input(name + ".temb"));
  const nn::Probe probe = [&](const std::string& part, const at::Tensor& value) {
    golden.check_if_recorded("mid." + name + "." + part, value);
  };
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    golden.check("out." + name, block.forward(x.contiguous(format), temb));  // with gradients
    const at::InferenceMode inference;
    golden.check("out." + name, block.forward(x.contiguous(format), temb, probe));
    golden.check("out." + name, block.forward(x.contiguous(format), temb));
  }
}

void run_block(GoldenCase& golden, const std::string& name, const std::string& type, const nlohmann::json& args) {
  if (type == "res") return run_residual(golden, name, args);
  const auto argument = [&args](const char* key) { return args.at(key).get<std::int64_t>(); };
  const at::Tensor x = golden.input(name + ".x");
  const at::InferenceMode inference;
  if (type == "attn") {
    nn::AttentionBlock block(argument("channels"));
    golden.check("out." + name, loaded(block, golden, name).forward(x));
  } else if (type == "combine") {
    nn::Combine block(argument("dim1"), argument("dim2"));
    golden.check("out." + name, loaded(block, golden, name).forward(x, golden.input(name + ".h")));
  } else if (type == "nin") {
    nn::Nin block(argument("in_dim"), argument("num_units"));
    golden.check("out." + name, loaded(block, golden, name).forward(x));
  } else if (type == "gfp") {
    nn::FourierFeatures block(argument("embedding_size"), args.value("scale", 1.0));
    golden.check("out." + name, loaded(block, golden, name).forward(x.log()));
  } else {
    detail::raise(Errc::kInput, golden.name(), ": block '", name, "' has the unknown type '", type, "'");
  }
}

}  // namespace

/// Single building blocks of NCSN++, with the values inside residual blocks, and the FIR resampling.
void run_blocks(GoldenCase& golden) {
  const nlohmann::json& config = golden.config();
  for (const auto& block : config.value("blocks", nlohmann::json::array()))
    run_block(golden, block.at("name").get<std::string>(), block.at("type").get<std::string>(), block.at("args"));
  for (const auto& entry : config.value("fir", nlohmann::json::array())) {
    const auto name = entry.get<std::string>();
    const at::Tensor x = golden.input("fir." + name);
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      golden.check_if_recorded("out.fir_up." + name, nn::fir_up2(x.contiguous(format)));
      if (golden.has("out.fir_down." + name)) golden.check("out.fir_down." + name, nn::fir_down2(x.contiguous(format)));
    }
  }
}

}  // namespace reseda::golden
