#include "modules/core/state_dict.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <set>
#include <sstream>

#include "modules/core/config.hpp"
#include "modules/core/error.hpp"

namespace reseda {
namespace {

void list_names(std::ostringstream& out, const char* label, const std::vector<std::string>& names) {
  if (names.empty()) return;
  out << "; " << names.size() << " " << label << ":";
  for (std::size_t i = 0; i < names.size() && i < 3; ++i) out << (i ? ", " : " ") << names[i];
  if (names.size() > 3) out << ", ...";
}

}  // namespace

void StateDict::add(std::string name, at::Tensor tensor) {
  RESEDA_REQUIRE(!contains(name), Errc::kCheckpoint, "tensor '", name, "' appears twice");
  index_.emplace(name, entries_.size());
  entries_.emplace_back(std::move(name), std::move(tensor));
}

const at::Tensor& StateDict::at(std::string_view name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) {
    std::vector<std::string> names;
    for (const auto& entry : entries_) names.push_back(entry.first);
    const std::string near = nearest_name(std::string(name), names);
    detail::raise(Errc::kCheckpoint, "tensor '", name, "' is missing",
                  near.empty() ? std::string() : " (nearest: '" + near + "')");
  }
  return entries_[found->second].second;
}

StateDict StateDict::with_prefix(std::string_view prefix) const {
  StateDict out;
  out.metadata = metadata;
  for (const auto& [name, tensor] : entries_)
    if (name.size() > prefix.size() && std::string_view(name).substr(0, prefix.size()) == prefix)
      out.add(name.substr(prefix.size()), tensor);
  return out;
}

std::string LoadReport::summary() const {
  std::ostringstream out;
  out << matched.size() << " tensors match";
  list_names(out, "missing", missing);
  list_names(out, "unexpected", unexpected);
  list_names(out, "of another shape", mismatched);
  return out.str();
}

LoadReport load_into(const StateDict& weights, const std::vector<StateDict::Entry>& targets, bool allow_partial) {
  LoadReport report;
  std::set<std::string> wanted;
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;
  for (const auto& [name, target] : targets) {
    wanted.insert(name);
    if (!weights.contains(name)) {
      report.missing.push_back(name);
      continue;
    }
    const at::Tensor& source = weights.at(name);
    if (source.sizes() != target.sizes()) {
      std::ostringstream text;
      text << name << " (file " << source.sizes() << ", network " << target.sizes() << ")";
      report.mismatched.push_back(text.str());
      continue;
    }
    report.matched.push_back(name);
    copies.emplace_back(target, source);
  }
  for (const auto& entry : weights)
    if (wanted.count(entry.first) == 0) report.unexpected.push_back(entry.first);
  RESEDA_REQUIRE(report.clean() || allow_partial, Errc::kCheckpoint, "the weights are not for this network: ",
                 report.summary());
  at::NoGradGuard no_grad;
  for (auto& [target, source] : copies) target.copy_(source);
  return report;
}

}  // namespace reseda
