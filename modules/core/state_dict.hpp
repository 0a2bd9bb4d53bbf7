#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace reseda {

/// Named tensors in their file's order, with string metadata: what a checkpoint reader returns and a writer takes.
class StateDict {
 public:
  using Entry = std::pair<std::string, at::Tensor>;

  /// @throws Error{kCheckpoint} if the name is there already
  void add(std::string name, at::Tensor tensor);
  bool contains(std::string_view name) const { return index_.find(name) != index_.end(); }
  /// @throws Error{kCheckpoint} naming the missing tensor and the nearest name
  const at::Tensor& at(std::string_view name) const;
  std::size_t size() const { return entries_.size(); }
  const std::vector<Entry>& entries() const { return entries_; }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

  /// The tensors whose names start with `prefix`, with it removed; metadata is kept.
  StateDict with_prefix(std::string_view prefix) const;

  std::map<std::string, std::string> metadata;

 private:
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

/// Names that loading passes over, as patterns (name_pattern.hpp).
struct LoadRules {
  std::vector<std::string> allow_missing;     ///< tensors of the network that keep what they have
  std::vector<std::string> allow_unexpected;  ///< tensors of the file that are not used
};

/// What loading weights into a network found, by name. `kept` are missing and `unused` unexpected ones that the rules
/// allow.
struct LoadReport {
  std::vector<std::string> matched, missing, unexpected, mismatched, kept, unused;
  /// For the first missing ones: the nearest unexpected name, or "".
  std::vector<std::string> nearest;
  bool clean() const { return missing.empty() && unexpected.empty() && mismatched.empty(); }
  /// One line: how many match, and of everything else how many and the first three; names are cut at 80 bytes and
  /// control characters in them shown as '?'.
  std::string summary() const;
};

/// Compares `weights` with `targets` by name and shape. A tensor whose type the target cannot take (complex for real)
/// counts as of another shape.
LoadReport compare_weights(const StateDict& weights, const std::vector<StateDict::Entry>& targets,
                           const LoadRules& rules = {});

/// Copies `weights` into the tensors of `targets` with equal names, converting the type. Nothing is copied on an error.
/// @throws Error{kCheckpoint} with the report's summary unless it is clean or `allow_partial`
LoadReport load_into(const StateDict& weights, const std::vector<StateDict::Entry>& targets,
                     bool allow_partial = false);
/// The same; what the rules allow is no error.
LoadReport load_into(const StateDict& weights, const std::vector<StateDict::Entry>& targets, const LoadRules& rules);

}  // namespace reseda
