#include "modules/core/state_dict.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "modules/core/config.hpp"
#include "modules/core/error.hpp"
#include "modules/core/name_pattern.hpp"

namespace reseda {
namespace {

constexpr std::size_t kListed = 3;
/// Names come from files: the search for near ones looks at no more and no longer ones than these.
constexpr std::size_t kMostCandidates = 4096, kLongestName = 160;

/// A name as a message shows it.
std::string shown(std::string_view name) {
  constexpr std::size_t kLongestShown = 80;
  std::string text(name.substr(0, kLongestShown));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return name.size() > kLongestShown ? text + "..." : text;
}

std::string near_to(std::string_view name, const std::vector<std::string>& names) {
  if (name.size() > kLongestName) return "";
  std::vector<std::string> candidates;
  for (const std::string& candidate : names) {
    if (candidates.size() == kMostCandidates) break;
    if (candidate.size() <= kLongestName) candidates.push_back(candidate);
  }
  return nearest_name(std::string(name), candidates);
}

void list_names(std::ostringstream& out, const char* label, const std::vector<std::string>& names,
                const std::vector<std::string>& nearest = {}) {
  if (names.empty()) return;
  out << "; " << names.size() << " " << label << ":";
  for (std::size_t i = 0; i < std::min(names.size(), kListed); ++i) {
    out << (i ? ", " : " ") << names[i];
    if (i < nearest.size() && !nearest[i].empty()) out << " (nearest in the file: " << nearest[i] << ")";
  }
  if (names.size() > kListed) out << ", ...";
}

/// Why a tensor of the file cannot be copied into one of the network, or "".
std::string difference(const at::Tensor& source, const at::Tensor& target) {
  std::ostringstream text;
  if (source.sizes() != target.sizes()) {
    text << " (file " << source.sizes() << ", network " << target.sizes() << ")";
  } else if (!c10::canCast(source.scalar_type(), target.scalar_type())) {
    text << " (file " << source.scalar_type() << ", network " << target.scalar_type() << ")";
  }
  return text.str();
}

LoadReport copy_matched(const StateDict& weights, const std::vector<StateDict::Entry>& targets, LoadReport report,
                        bool allow_partial) {
  RESEDA_REQUIRE(report.clean() || allow_partial, Errc::kCheckpoint,
                 "the weights are not for this network: ", report.summary());
  const std::set<std::string_view> matched(report.matched.begin(), report.matched.end());
  at::NoGradGuard no_grad;
  for (const auto& [name, target] : targets)
    if (matched.count(name) != 0) target.copy_(weights.at(name));
  return report;
}

}  // namespace

void StateDict::add(std::string name, at::Tensor tensor) {
  RESEDA_REQUIRE(!contains(name), Errc::kCheckpoint, "tensor '", shown(name), "' appears twice");
  index_.emplace(name, entries_.size());
  entries_.emplace_back(std::move(name), std::move(tensor));
}

const at::Tensor& StateDict::at(std::string_view name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) {
    std::vector<std::string> names;
    for (const auto& entry : entries_) names.push_back(entry.first);
    const std::string near = near_to(name, names);
    detail::raise(Errc::kCheckpoint, "tensor '", shown(name), "' is missing",
                  near.empty() ? std::string() : " (nearest: '" + shown(near) + "')");
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
  list_names(out, "missing", missing, nearest);
  list_names(out, "unexpected", unexpected);
  list_names(out, "of another shape", mismatched);
  list_names(out, "kept as they are", kept);
  list_names(out, "unused", unused);
  return out.str();
}

LoadReport compare_weights(const StateDict& weights, const std::vector<StateDict::Entry>& targets,
                           const LoadRules& rules) {
  LoadReport report;
  std::set<std::string_view> wanted;
  std::vector<std::string> unexpected;
  for (const auto& [name, target] : targets) wanted.insert(name);
  for (const auto& [name, tensor] : weights) {
    if (wanted.count(name) != 0) continue;
    if (matches_any(rules.allow_unexpected, name)) {
      report.unused.push_back(shown(name));
    } else {
      report.unexpected.push_back(shown(name));
      unexpected.push_back(name);
    }
  }
  for (const auto& [name, target] : targets) {
    if (!weights.contains(name)) {
      const bool allowed = matches_any(rules.allow_missing, name);
      (allowed ? report.kept : report.missing).push_back(name);
      if (!allowed && report.missing.size() <= kListed) report.nearest.push_back(shown(near_to(name, unexpected)));
      continue;
    }
    const std::string problem = difference(weights.at(name), target);
    (problem.empty() ? report.matched : report.mismatched).push_back(name + problem);
  }
  return report;
}

LoadReport load_into(const StateDict& weights, const std::vector<StateDict::Entry>& targets, bool allow_partial) {
  return copy_matched(weights, targets, compare_weights(weights, targets), allow_partial);
}

LoadReport load_into(const StateDict& weights, const std::vector<StateDict::Entry>& targets, const LoadRules& rules) {
  return copy_matched(weights, targets, compare_weights(weights, targets, rules), false);
}

}  // namespace reseda
