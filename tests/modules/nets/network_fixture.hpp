#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "modules/nets/network.hpp"

namespace reseda::nets {

using Keys = std::vector<std::pair<std::string, std::string>>;

inline ConfigNode settings(const std::string& name, const Keys& keys = {}, const Keys& more = {}) {
  ConfigNode node = ConfigNode::map();
  node["name"] = ConfigNode(name);
  for (const auto& [key, value] : keys) node.set(key, value);
  for (const auto& [key, value] : more) node.set(key, value);
  return node;
}

/// Moderate random weights everywhere, those that start at 0 included.
inline void randomise(Network& network, double deviation = 0.15) {
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : network.tensors()) {
    tensor.normal_(0, deviation);
    // Gains of normalisations stay near 1.
    if (name.ends_with(".g") || (tensor.dim() == 1 && name.ends_with("weight"))) tensor.add_(1);
  }
}

inline std::int64_t scalars(Network& network) {
  std::int64_t count = 0;
  for (const auto& entry : network.tensors()) count += entry.second.numel();
  return count;
}

inline std::vector<std::string> names(Network& network) {
  std::vector<std::string> out;
  for (const auto& entry : network.tensors()) out.push_back(entry.first);
  return out;
}

inline bool has(Network& network, const std::string& name) {
  const auto all = names(network);
  return std::find(all.begin(), all.end(), name) != all.end();
}

inline double rms(const at::Tensor& value) { return value.square().mean().sqrt().item<double>(); }

}  // namespace reseda::nets
