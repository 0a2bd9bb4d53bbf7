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

/// What loading weights into a network found, by name.
struct LoadReport {
  std::vector<std::string> matched, missing, unexpected, mismatched;
  bool clean() const { return missing.empty() && unexpected.empty() && mismatched.empty(); }
  std::string summary() const;
};

/// Copies `weights` into the tensors of `targets` with equal names, converting the type.
/// @throws Error{kCheckpoint} with the summary unless the report is clean or `allow_partial`
LoadReport load_into(const StateDict& weights, const std::vector<StateDict::Entry>& targets, bool allow_partial = false);

}  // namespace reseda
