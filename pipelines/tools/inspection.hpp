#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "io/checkpoint/checkpoint.hpp"
#include "io/checkpoint/weights.hpp"
#include "pipelines/tools/checkpoint_tree.hpp"

namespace reseda::tools {

/// A checkpoint looked at.
struct Inspection {
  std::string file;
  io::Checkpoint checkpoint;
  CheckpointTree tree;
  std::vector<io::WeightsPlace> places;  ///< where weights may be
  std::string chosen;                    ///< which of them are taken by default, in words; "" if that is open
  std::string open_because;              ///< why it is open
  std::vector<std::string> configs;      ///< of published checkpoints with a file of this name
  std::string command;                   ///< what would use the weights; "" if they are as plain as can be
};

struct InspectOptions {
  std::size_t limit = 20;  ///< entries shown of a container
  bool all = false;        ///< no limits
  bool hash = false;       ///< with the SHA-256 of every tensor that is shown
};

/// Reads a checkpoint and finds out what it holds; what is outside the allow-list becomes opaque.
/// @throws Error{kCheckpoint} if the file cannot be read
Inspection inspect_file(const std::string& file);

/// A page for people on standard output.
void print_page(const Inspection& inspection, const InspectOptions& options);

/// One JSON object on standard output; every tensor and value, whatever the limit.
void print_json(const Inspection& inspection, const InspectOptions& options);

/// Text of a value that holds no others: "160", "0.1", "true", "ncsnpp"; untrusted text is made plain.
std::string value_text(const TreeNode& node, std::size_t most);

/// Whether a node is a list, tuple or set of plain values alone.
bool is_plain_list(const CheckpointTree& tree, const TreeNode& node);

/// A container in one line: the first items of a plain list, "[1, 2, 2]", else kind and size, "dict of 647".
std::string list_text(const CheckpointTree& tree, const TreeNode& node);

/// Hyper-parameters of the file: paths and values of the plain values in containers named for them, or of the config in
/// a reseda model's metadata. Names are untrusted.
std::vector<std::pair<std::string, std::string>> hyper_parameters(const Inspection& inspection);

/// Whether the node is a container of hyper-parameters: named so, and without tensors.
bool holds_hyper_parameters(const TreeNode& node);

}  // namespace reseda::tools
