#include "modules/nets/network_module.hpp"

namespace reseda::nets {

std::vector<StateDict::Entry> NetworkModule::tensors() const {
  std::vector<StateDict::Entry> out;
  for (const auto& item : named_parameters()) out.emplace_back(item.key(), item.value());
  for (const auto& item : named_buffers()) out.emplace_back(item.key(), item.value());
  return out;
}

}  // namespace reseda::nets
