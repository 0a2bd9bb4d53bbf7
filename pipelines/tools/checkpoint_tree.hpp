#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "io/checkpoint/checkpoint.hpp"

namespace reseda::tools {

inline constexpr std::size_t kNoNode = std::numeric_limits<std::size_t>::max();

/// One value of a checkpoint and its place.
struct TreeNode {
  std::string label;  ///< as in paths: the key, "[3]" of a list, ".name" of an attribute; untrusted
  io::Value value;
  io::ValueKind kind = io::ValueKind::kNone;
  std::size_t parent = kNoNode, depth = 0;
  std::vector<std::size_t> children;
  std::size_t same_as = kNoNode;  ///< of a container met before: its first node, which has the children
  std::size_t shares = kNoNode;   ///< of a tensor: the first one that lies in the same bytes, if that is another
  std::string damage;             ///< of a tensor that cannot be had: why
  std::uint64_t tensors = 0, elements = 0;  ///< at and below this node
  std::uint64_t bytes = 0;                  ///< of the file's storages at and below, each byte counted once
};

/// A checkpoint's values as a tree for people: every container once, storages counted once at every level.
class CheckpointTree {
 public:
  /// Time and memory stay linear in the file, also where containers hold each other or themselves. What lies deeper
  /// than 64 levels is left out and counted in `too_deep`. @throws Error{kCheckpoint} beyond a million values
  CheckpointTree(const io::Checkpoint& checkpoint, std::string file);

  const std::vector<TreeNode>& nodes() const { return nodes_; }  ///< the root first, every parent before its children
  const TreeNode& root() const { return nodes_.front(); }
  /// Labels from below the root to the node, joined as io::flatten joins them.
  std::string path(std::size_t node) const;
  /// The values below a node, in file order.
  std::vector<std::size_t> below(std::size_t node) const;
  std::size_t storages() const { return storages_; }
  std::size_t too_deep() const { return too_deep_; }

 private:
  void grow();
  void add(std::size_t parent, std::string label, io::Value value);
  void count_tensors();
  void count_bytes();
  std::size_t meeting(std::size_t a, std::size_t b) const;

  std::string file_;  ///< its name in messages
  std::vector<TreeNode> nodes_;
  std::size_t storages_ = 0, too_deep_ = 0;
};

/// Whether a value of this kind holds others.
bool is_container(io::ValueKind kind);

/// "dict", "list", "text".
const char* kind_name(io::ValueKind kind);

}  // namespace reseda::tools
