#include "io/checkpoint/shadow_list.hpp"

#include <ATen/ATen.h>

#include <map>

#include "io/checkpoint/safetensors_header.hpp"
#include "modules/core/error.hpp"
#include "modules/core/name_pattern.hpp"

namespace reseda::io {
namespace {

bool is_buffer(std::string_view name) {
  for (const std::string_view last : {"running_mean", "running_var", "num_batches_tracked"})
    if (name == last || (name.ends_with(last) && name[name.size() - last.size() - 1] == '.')) return true;
  return false;
}

}  // namespace

StateDict name_shadow_list(const std::vector<at::Tensor>& shadow, const StateDict& named,
                           const std::vector<std::string>& frozen) {
  std::vector<const StateDict::Entry*> parameters, trained;
  for (const StateDict::Entry& entry : named) {
    if (is_buffer(entry.first)) continue;
    parameters.push_back(&entry);
    if (!matches_any(frozen, entry.first)) trained.push_back(&entry);
  }
  RESEDA_REQUIRE(
      shadow.size() == parameters.size() || shadow.size() == trained.size(), Errc::kCheckpoint,
      "the list of averages has ", shadow.size(), " tensors, the weights have ", parameters.size(), " parameters",
      trained.size() == parameters.size() ? "" : ", or ",
      trained.size() == parameters.size() ? std::string() : std::to_string(trained.size()) + " trained ones");
  const auto& order = shadow.size() == parameters.size() ? parameters : trained;
  std::map<std::string_view, at::Tensor> replaced;
  for (std::size_t i = 0; i < shadow.size(); ++i) {
    const auto& [name, raw] = *order[i];
    RESEDA_REQUIRE(shadow[i].sizes() == raw.sizes(), Errc::kCheckpoint, "entry ", i,
                   " of the list of averages has shape ", shadow[i].sizes(), ", parameter ", quoted_name(name),
                   " in its place has ", raw.sizes());
    replaced.emplace(name, shadow[i]);
  }
  StateDict out;
  out.metadata = named.metadata;
  for (const auto& [name, raw] : named) {
    const auto found = replaced.find(name);
    out.add(name, found == replaced.end() ? raw : found->second);
  }
  return out;
}

}  // namespace reseda::io
