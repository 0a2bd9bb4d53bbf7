#include "pipelines/tools/checkpoint_tree.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "modules/core/error.hpp"

namespace reseda::tools {
namespace {

constexpr std::size_t kDeepest = 64, kMostNodes = 1'000'000;
constexpr std::size_t kRepeatedItems = 16;  ///< a container of so few plain values is shown again where it comes again

using io::ValueKind;

bool is_plain_and_small(const std::vector<std::pair<std::string, io::Value>>& children) {
  return children.size() <= kRepeatedItems && std::none_of(children.begin(), children.end(), [](const auto& child) {
           return is_container(child.second.kind()) || child.second.kind() == ValueKind::kTensor;
         });
}

std::vector<std::pair<std::string, io::Value>> children_of(const io::Value& value, ValueKind kind) {
  std::vector<std::pair<std::string, io::Value>> children;
  if (kind == ValueKind::kDict) {
    for (auto& [key, child] : value.entries()) children.emplace_back(io::key_text(key), std::move(child));
    return children;
  }
  const std::vector<io::Value> items = value.items();
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (kind != ValueKind::kOpaque) {
      children.emplace_back("[" + std::to_string(i) + "]", items[i]);
    } else if (i > 0 && items[i].kind() == ValueKind::kDict) {
      for (auto& [key, child] : items[i].entries()) children.emplace_back("." + io::key_text(key), std::move(child));
    } else if (i > 0 || !items[i].items().empty()) {
      children.emplace_back(i == 0 ? ".<arguments>" : ".<state>", items[i]);
    }
  }
  return children;
}

std::uint64_t saturated(std::uint64_t a, std::uint64_t b) {
  return a > std::numeric_limits<std::uint64_t>::max() - b ? std::numeric_limits<std::uint64_t>::max() : a + b;
}

}  // namespace

bool is_container(ValueKind kind) {
  return kind == ValueKind::kList || kind == ValueKind::kTuple || kind == ValueKind::kSet || kind == ValueKind::kDict ||
         kind == ValueKind::kOpaque;
}

const char* kind_name(ValueKind kind) {
  switch (kind) {
    case ValueKind::kNone:
      return "none";
    case ValueKind::kBool:
      return "bool";
    case ValueKind::kInteger:
      return "integer";
    case ValueKind::kFloat:
      return "float";
    case ValueKind::kText:
      return "text";
    case ValueKind::kBytes:
      return "bytes";
    case ValueKind::kList:
      return "list";
    case ValueKind::kTuple:
      return "tuple";
    case ValueKind::kSet:
      return "set";
    case ValueKind::kDict:
      return "dict";
    case ValueKind::kTensor:
      return "tensor";
    case ValueKind::kOpaque:
      return "opaque";
  }
  return "value";
}

CheckpointTree::CheckpointTree(const io::Checkpoint& checkpoint, std::string file) : file_(std::move(file)) {
  TreeNode root;
  root.value = checkpoint.root;
  root.kind = checkpoint.root.kind();
  nodes_.push_back(std::move(root));
  grow();
  count_tensors();
  count_bytes();
}

void CheckpointTree::grow() {
  std::unordered_map<std::uint32_t, std::size_t> met;  // containers by identity
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (!is_container(nodes_[i].kind)) continue;
    auto children = children_of(nodes_[i].value, nodes_[i].kind);
    if (children.empty()) continue;
    const auto [place, fresh] = met.emplace(nodes_[i].value.index(), i);
    if (!fresh && !is_plain_and_small(children)) {
      nodes_[i].same_as = place->second;
      continue;
    }
    if (nodes_[i].depth >= kDeepest) {
      too_deep_ += children.size();
      continue;
    }
    RESEDA_REQUIRE(nodes_.size() + children.size() <= kMostNodes, Errc::kCheckpoint, file_, ": holds more than ",
                   kMostNodes, " values: refused");
    for (auto& [label, value] : children) add(i, std::move(label), std::move(value));
  }
}

void CheckpointTree::add(std::size_t parent, std::string label, io::Value value) {
  TreeNode node;
  node.label = std::move(label);
  node.kind = value.kind();
  node.value = std::move(value);
  node.parent = parent;
  node.depth = nodes_[parent].depth + 1;
  nodes_[parent].children.push_back(nodes_.size());
  nodes_.push_back(std::move(node));
}

void CheckpointTree::count_tensors() {
  for (TreeNode& node : nodes_) {
    if (node.kind != ValueKind::kTensor) continue;
    node.tensors = 1;
    try {
      node.elements = static_cast<std::uint64_t>(node.value.tensor().numel());
    } catch (const Error& error) {
      node.damage = error.what();
    }
  }
  for (std::size_t i = nodes_.size(); i-- > 1;) {
    TreeNode& parent = nodes_[nodes_[i].parent];
    parent.tensors += nodes_[i].tensors;
    parent.elements = saturated(parent.elements, nodes_[i].elements);
  }
}

void CheckpointTree::count_bytes() {
  // Tensors whose bytes overlap lie in one block. A block counts at each of its tensors, and once less at every node
  // where two of them, next to each other in file order, meet.
  struct Stretch {
    std::uintptr_t begin, end;
    std::size_t node, block;
  };
  std::vector<Stretch> stretches;
  for (const std::size_t i : below(0)) {
    if (nodes_[i].tensors == 0 || is_container(nodes_[i].kind) || !nodes_[i].damage.empty()) continue;
    const c10::Storage& storage = nodes_[i].value.tensor().storage();
    const auto begin = reinterpret_cast<std::uintptr_t>(storage.data());
    if (storage.nbytes() > 0) stretches.push_back({begin, begin + storage.nbytes(), i, 0});
  }
  std::vector<std::size_t> order(stretches.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return stretches[a].begin < stretches[b].begin; });
  std::vector<std::int64_t> sizes;
  for (std::uintptr_t end = 0; const std::size_t i : order) {
    Stretch& stretch = stretches[i];
    if (stretch.begin >= end) sizes.push_back(0), end = stretch.begin;
    sizes.back() += static_cast<std::int64_t>(std::max(stretch.end, end) - end);
    end = std::max(stretch.end, end);
    stretch.block = sizes.size() - 1;
  }
  storages_ = sizes.size();
  std::vector<std::size_t> first(sizes.size(), kNoNode), last(sizes.size(), kNoNode);
  std::vector<std::int64_t> bytes(nodes_.size(), 0);
  for (const Stretch& stretch : stretches) {
    bytes[stretch.node] += sizes[stretch.block];
    const std::size_t before = std::exchange(last[stretch.block], stretch.node);
    if (before == kNoNode) {
      first[stretch.block] = stretch.node;
    } else {
      nodes_[stretch.node].shares = first[stretch.block];
      bytes[meeting(before, stretch.node)] -= sizes[stretch.block];
    }
  }
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    nodes_[i].bytes = static_cast<std::uint64_t>(bytes[i]);
    if (i > 0) bytes[nodes_[i].parent] += bytes[i];
  }
}

std::size_t CheckpointTree::meeting(std::size_t a, std::size_t b) const {
  while (a != b) {
    std::size_t& deeper = nodes_[a].depth >= nodes_[b].depth ? a : b;
    deeper = nodes_[deeper].parent;
  }
  return a;
}

std::vector<std::size_t> CheckpointTree::below(std::size_t node) const {
  std::vector<std::size_t> out, stack = {node};
  while (!stack.empty()) {
    const std::size_t i = stack.back();
    stack.pop_back();
    if (i != node) out.push_back(i);
    stack.insert(stack.end(), nodes_[i].children.rbegin(), nodes_[i].children.rend());
  }
  return out;
}

std::string CheckpointTree::path(std::size_t node) const {
  std::vector<std::size_t> steps;
  for (; nodes_[node].parent != kNoNode; node = nodes_[node].parent) steps.push_back(node);
  std::string out;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const bool key = nodes_[nodes_[*step].parent].kind == ValueKind::kDict;
    out += (key && !out.empty() ? "/" : "") + nodes_[*step].label;
  }
  return out;
}

}  // namespace reseda::tools
