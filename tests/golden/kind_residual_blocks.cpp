#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <functional>
#include <memory>
#include <string>

#include "modules/nn/ddpm_block.hpp"
#include "modules/nn/modulated_block.hpp"
#include "modules/nn/pixel_attention.hpp"
#include "modules/nn/plain_layers.hpp"
#include "modules/nn/sinusoidal_embedding.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {
namespace {

using Forward = std::function<at::Tensor(const at::Tensor& x, const nn::Probe& probe)>;

/// Makes a block and loads the recorded weights of this name.
template <class Block, class... Args>
std::shared_ptr<Block> loaded(GoldenCase& golden, const std::string& name, Args&&... args) {
  auto block = std::make_shared<Block>(std::forward<Args>(args)...);
  std::vector<StateDict::Entry> targets;
  for (const auto& item : block->named_parameters()) targets.emplace_back(item.key(), item.value());
  load_into(golden.weights(name + "."), targets);
  return block;
}

/// A forward pass with and without gradients and probe, in both memory layouts.
void check_block(GoldenCase& golden, const std::string& name, const at::Tensor& x, const Forward& forward) {
  if (!golden.has("out." + name)) return;
  const nn::Probe probe = [&](const std::string& part, const at::Tensor& value) {
    golden.check_if_recorded("mid." + name + "." + part, value);
  };
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    const at::Tensor input = x.contiguous(format);
    golden.check("out." + name, forward(input, {}));
    const at::InferenceMode inference;
    golden.check("out." + name, forward(input, probe));
    golden.check("out." + name, forward(input, {}));
    golden.check_item("out." + name, 0, forward(input.slice(0, 0, 1), {}).slice(0, 0, 1));
  }
}

/// The first items of a tensor, as many as x has.
at::Tensor first(const at::Tensor& all, const at::Tensor& x) { return all.slice(0, 0, x.size(0)); }

void check_time(GoldenCase& golden, std::int64_t size, std::int64_t width) {
  const auto embed0 = loaded<nn::PlainLinear>(golden, "time_mlp.1", size, width);
  const auto embed1 = loaded<nn::PlainLinear>(golden, "time_mlp.3", width, width);
  const at::InferenceMode inference;
  for (const char* kind : {"int", "float"}) {
    const std::string end = kind;
    if (!golden.has("in.t_" + end)) continue;
    const at::Tensor features = nn::sinusoidal_embedding(golden.input("t_" + end).to(at::kFloat), size);
    golden.check("out.sinusoidal." + end, features);
    golden.check("out.time_mlp." + end, embed1->forward(at::gelu(embed0->forward(features))));
  }
}

void check_convolutions(GoldenCase& golden, const at::Tensor& x, std::int64_t dim, std::int64_t out,
                        std::int64_t groups) {
  const auto ws = loaded<nn::StandardizedConv2d>(golden, "ws", dim, out);
  check_block(golden, "ws", x, [&](const at::Tensor& in, const nn::Probe&) { return ws->forward(in); });
  const auto ln = loaded<nn::ChannelNorm>(golden, "ln", dim);
  check_block(golden, "ln", x, [&](const at::Tensor& in, const nn::Probe&) { return ln->forward(in); });
  const auto down =
      loaded<nn::PlainConv2d>(golden, "down", dim, out, nn::ConvOptions{.kernel = 4, .stride = 2, .padding = 1});
  check_block(golden, "down", x, [&](const at::Tensor& in, const nn::Probe&) { return down->forward(in); });
  const auto up = loaded<nn::PlainConv2d>(golden, "up.1", dim, out);
  check_block(golden, "up", x,
              [&](const at::Tensor& in, const nn::Probe&) { return up->forward(nn::repeat_pixels(in)); });
  const auto block = loaded<nn::ModulatedConv>(golden, "block", dim, out, groups);
  check_block(golden, "block", x,
              [&](const at::Tensor& in, const nn::Probe& probe) { return block->forward(in, {}, {}, probe); });
  const at::Tensor scale = golden.input("scale").flatten(1), shift = golden.input("shift").flatten(1);
  check_block(golden, "block_scale_shift", x, [&](const at::Tensor& in, const nn::Probe& probe) {
    return block->forward(in, first(scale, in), first(shift, in), probe);
  });
}

void check_residuals(GoldenCase& golden, const at::Tensor& x, std::int64_t dim, std::int64_t out, std::int64_t groups) {
  const at::Tensor silu_temb = at::silu(golden.input("temb"));
  const std::int64_t width = silu_temb.size(1);
  const auto check = [&](const std::string& name, std::int64_t to, std::int64_t embedding) {
    const auto block = loaded<nn::ModulatedBlock>(golden, name, dim, to, embedding, groups);
    check_block(golden, name, x, [&](const at::Tensor& in, const nn::Probe& probe) {
      return block->forward(in, embedding > 0 ? first(silu_temb, in) : at::Tensor(), probe);
    });
  };
  check("res", out, width);
  check("res_same", dim, width);
  check("res_notime", out, 0);
}

void check_attentions(GoldenCase& golden, const at::Tensor& x, std::int64_t dim, nn::AttentionHeads heads) {
  const auto check = [&](const std::string& name, const auto& block) {
    check_block(golden, name, x,
                [&](const at::Tensor& in, const nn::Probe& probe) { return block->forward(in, probe); });
  };
  check("lin", loaded<nn::LinearAttention>(golden, "lin", dim, heads));
  check("att", loaded<nn::FullAttention>(golden, "att", dim, heads));
  check("rpl", loaded<nn::ResidualAttention>(golden, "rpl", dim, std::make_shared<nn::LinearAttention>(dim)));
  check("rpa", loaded<nn::ResidualAttention>(golden, "rpa", dim, std::make_shared<nn::FullAttention>(dim)));
}

}  // namespace

/// Single building blocks of RDDM's U-Net, with the values inside them.
void run_residual_blocks(GoldenCase& golden) {
  const auto number = [&](const char* key) { return golden.config().at(key).get<std::int64_t>(); };
  const std::int64_t dim = number("dim"), out = number("dim_out"), groups = number("groups");
  const at::Tensor x = golden.input("x");
  check_time(golden, number("emb_dim"), number("time_dim"));
  check_convolutions(golden, x, dim, out, groups);
  check_residuals(golden, x, dim, out, groups);
  check_attentions(golden, x, dim, {.count = number("heads"), .width = number("dim_head")});
}

/// Single building blocks of Resfusion's U-Net for generation; those that are recorded.
void run_ddim_blocks(GoldenCase& golden) {
  const auto number = [&](const char* key) { return golden.config().at(key).get<std::int64_t>(); };
  const std::int64_t in = number("in_channels"), out = number("out_channels"), width = number("temb_channels");
  const auto check_residual = [&](const std::string& name, const std::string& input, std::int64_t from) {
    if (!golden.has("out." + name)) return;
    const at::Tensor silu_temb = at::silu(golden.input("temb"));
    const auto block = loaded<nn::DdpmBlock>(golden, name, from, out, width);
    check_block(golden, name, golden.input(input), [&](const at::Tensor& map, const nn::Probe& probe) {
      return block->forward(map, first(silu_temb, map), probe);
    });
  };
  check_residual("res", "x", in);
  check_residual("res_same", "y", out);
  const auto attn = loaded<nn::DdpmAttention>(golden, "attn", out);
  check_block(golden, "attn", golden.input("y"),
              [&](const at::Tensor& map, const nn::Probe& probe) { return attn->forward(map, probe); });
  const at::Tensor z = golden.input("z");
  const auto down = loaded<nn::DdpmDownsample>(golden, "down", z.size(1));
  check_block(golden, "down", z, [&](const at::Tensor& map, const nn::Probe&) { return down->forward(map); });
  const auto up = loaded<nn::DdpmUpsample>(golden, "up", z.size(1));
  check_block(golden, "up", z, [&](const at::Tensor& map, const nn::Probe&) { return up->forward(map); });
  for (const auto& entry : golden.config().at("embedding_dims")) {
    const auto size = entry.get<std::int64_t>();
    golden.check("out.embedding." + std::to_string(size),
                 nn::sinusoidal_embedding(golden.input("t").to(at::kFloat), size));
  }
}

}  // namespace reseda::golden
