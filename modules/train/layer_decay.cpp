#include "modules/train/layer_decay.hpp"

#include <charconv>
#include <cmath>
#include <string_view>

namespace reseda::train {
namespace {

std::int64_t layer_of(std::string_view name, std::int64_t depth) {
  constexpr std::string_view kWrapped = "base_model.", kBlocks = "blocks.";
  if (name.starts_with(kWrapped)) name.remove_prefix(kWrapped.size());
  if (name == "cls_token" || name == "pos_embed" || name.starts_with("patch_embed")) return 0;
  if (!name.starts_with(kBlocks)) return depth + 1;
  std::int64_t block = 0;
  std::from_chars(name.data() + kBlocks.size(), name.data() + name.size(), block);
  return block + 1;
}

}  // namespace

ParameterRates layer_rates(const LayerDecayConfig& config, const std::string& name, std::int64_t dimensions) {
  const std::int64_t above = config.depth + 1 - layer_of(name, config.depth);
  return {.lr_factor = std::pow(config.decay, static_cast<double>(above)),
          .weight_decay = dimensions == 1 ? 0.0 : config.weight_decay};
}

}  // namespace reseda::train
