#include "tests/golden/formula_weights.hpp"

#include <ATen/ATen.h>

#include <vector>

namespace reseda::golden {
namespace {

std::uint64_t splitmix64(std::uint64_t state) {
  std::uint64_t z = state + 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

}  // namespace

at::Tensor formula_values(std::int64_t stream, at::IntArrayRef shape, double scale, double shift) {
  at::Tensor out = at::empty(shape, at::kFloat);
  auto* values = out.data_ptr<float>();
  const auto base = static_cast<std::uint64_t>(stream) << 40;
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    const auto bits = splitmix64(base + static_cast<std::uint64_t>(i)) >> 40;
    values[i] = static_cast<float>((static_cast<double>(bits) * 0x1.0p-24 - 0.5) * scale + shift);
  }
  return out;
}

StateDict formula_weights(const nlohmann::json& json, const std::string& prefix) {
  StateDict weights;
  for (const auto& entry : json.at("weights")) {
    const std::string key = entry.at("key");
    weights.add(key.starts_with(prefix) ? key.substr(prefix.size()) : key,
                formula_values(entry.at("stream"), entry.at("shape").get<std::vector<std::int64_t>>(),
                               entry.at("scale"), entry.at("shift")));
  }
  return weights;
}

}  // namespace reseda::golden
