#include "pipelines/tools/compare.hpp"

#include <algorithm>
#include <limits>

#include "modules/core/error.hpp"
#include "pipelines/tools/checkpoint_tree.hpp"
#include "pipelines/tools/chosen_weights.hpp"
#include "pipelines/tools/comparison.hpp"
#include "pipelines/tools/plain_text.hpp"
#include "pipelines/tools/tensor_facts.hpp"

namespace reseda::tools {
namespace {

/// One of the two files.
struct Side {
  std::string file;
  io::Checkpoint checkpoint;
  io::WeightsConfig config = default_weights();
};

struct Tensors {
  StateDict tensors;
  std::string what;
};

Side open_side(const app::Flags& flags, const std::string& file, const std::string& weights_flag) {
  Side side{file, io::read_checkpoint(file, {.opaque = flags.on("opaque")})};
  if (flags.given("config")) side.config = configured_weights(flags.text("config"));
  const std::string& flag = flags.given(weights_flag) ? weights_flag : "weights";
  if (flags.given(flag)) choose_place(side.config, flags.text(flag), side.checkpoint, file);
  return side;
}

Tensors every_tensor(const Side& side) {
  const CheckpointTree tree(side.checkpoint, side.file);
  Tensors out;
  for (const std::size_t i : tree.below(0))
    if (tree.nodes()[i].kind == io::ValueKind::kTensor) out.tensors.add(tree.path(i), tree.nodes()[i].value.tensor());
  out.what = "every " + counted(out.tensors.size(), "tensor");
  return out;
}

Tensors weights_of(const Side& side, const std::vector<std::string>& wanted = {}) {
  io::FoundWeights found = find_weights(side.checkpoint, side.config, side.file, wanted);
  std::string what = found_text(found);
  return {std::move(found.tensors), std::move(what)};
}

std::size_t common(const Tensors& a, const Tensors& b) {
  return static_cast<std::size_t>(std::count_if(a.tensors.begin(), a.tensors.end(),
                                                [&](const auto& entry) { return b.tensors.contains(entry.first); }));
}

/// Weights of `side` under the names of `model`; as they are where these do not help.
Tensors named_like(const Side& side, const Tensors& plain, const Tensors& model) {
  try {
    Tensors found = weights_of(side, names_of(model.tensors));
    return common(found, model) > common(plain, model) ? found : plain;
  } catch (const Error&) {
    return plain;
  }
}

void require_room(const Tensors& side, const std::string& file) {
  for (const auto& [name, tensor] : side.tensors)
    RESEDA_REQUIRE(fits_memory(tensor), Errc::kCheckpoint, file, ": tensor '", plain_text(name), "' repeats ",
                   size_text(tensor.storage().nbytes()), " to ", size_text(logical_bytes(tensor)), ": refused");
}

int compare(const app::Flags& flags) {
  const Side side_a = open_side(flags, flags.text("A"), "weights-a"),
             side_b = open_side(flags, flags.text("B"), "weights-b");
  Tensors a, b;
  if (flags.on("everything")) {
    a = every_tensor(side_a);
    b = every_tensor(side_b);
  } else {
    a = weights_of(side_a);
    b = weights_of(side_b);
    // Where the files put different prefixes before the names, the names of one show what they are in the other.
    const Tensors a_like_b = named_like(side_a, a, b), b_like_a = named_like(side_b, b, a);
    if (common(a_like_b, b) > common(a, b_like_a))
      a = a_like_b;
    else
      b = b_like_a;
  }
  require_room(a, side_a.file);
  require_room(b, side_b.file);
  const Comparison comparison =
      compare_weights(a.tensors, b.tensors, {.absolute = flags.number("atol"), .relative = flags.number("rtol")});
  const ComparedSides sides{side_a.file, side_b.file, a.what, b.what};
  const auto limit =
      flags.on("all") ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(flags.integer("limit"));
  flags.on("json") ? print_json(sides, comparison) : print_page(sides, comparison, limit);
  return comparison.equal() ? 0 : 1;
}

}  // namespace

app::Verb compare_verb() {
  app::FlagTable table;
  for (const char* name : {"A", "B"})
    table.add({.name = name,
               .help = "a checkpoint (.ckpt, .pth, .pt, .safetensors, or an index of safetensors shards)",
               .hint = app::ValueHint::kFile,
               .required = true,
               .positional = true});
  table
      .add({.name = "weights",
            .letter = 'w',
            .word = "NAME",
            .help = "which weights of both: ema, raw, or a place that inspect lists; by default the running average "
                    "where there is one"})
      .add({.name = "weights-a", .word = "NAME", .help = "which weights of A alone"})
      .add({.name = "weights-b", .word = "NAME", .help = "which weights of B alone"})
      .add({.name = "config",
            .letter = 'c',
            .word = "FILE|NAME",
            .help = "config of a published checkpoint (reseda tools models lists them): says where the weights are",
            .hint = app::ValueHint::kFile})
      .add({.name = "everything",
            .type = app::FlagType::kSwitch,
            .help = "compare every tensor by its path, those of optimisers too, instead of the weights"})
      .add({.name = "atol",
            .type = app::FlagType::kNumber,
            .value = "0",
            .help = "equal is |a - b| <= atol + rtol |b|; with both 0 the types must be equal too",
            .least = 0.0})
      .add({.name = "rtol", .type = app::FlagType::kNumber, .value = "0", .help = "see --atol", .least = 0.0})
      .add({.name = "opaque",
            .type = app::FlagType::kSwitch,
            .help = "read files that name Python classes outside the allow-list, without what these hold"})
      .add({.name = "limit",
            .type = app::FlagType::kInteger,
            .value = "20",
            .help = "rows of each kind of difference",
            .least = 1})
      .add({.name = "all", .type = app::FlagType::kSwitch, .help = "show every row"})
      .add({.name = "json", .type = app::FlagType::kSwitch, .help = "print one JSON object with every tensor"});
  return {"compare", "Compares the tensors of two checkpoints. The exit code is 0 if they are equal, 1 if they differ.",
          "reseda tools compare epoch=326.ckpt model.safetensors --atol 1e-6", table, &compare};
}

}  // namespace reseda::tools
