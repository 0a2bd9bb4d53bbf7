#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/checkpoint/checkpoint.hpp"
#include "io/checkpoint/value_arena.hpp"

namespace reseda::tests {

/// Makes checkpoints of plain values in memory, as a reader would.
class ValueBuilder {
 public:
  using Cell = std::uint32_t;
  using Entries = std::vector<std::pair<std::string, Cell>>;

  Cell none() { return arena_->add(io::CellKind::kNone); }
  Cell boolean(bool value) { return arena_->add(io::CellKind::kBool, 0, value); }
  Cell integer(std::int64_t value) { return arena_->add(io::CellKind::kInteger, 0, static_cast<std::uint64_t>(value)); }
  Cell real(double value) {
    std::uint64_t bits = 0;
    static_assert(sizeof bits == sizeof value);
    std::memcpy(&bits, &value, sizeof bits);
    return arena_->add(io::CellKind::kFloat, 0, bits);
  }
  Cell text(const std::string& value) { return arena_->add_text(io::CellKind::kText, value); }
  Cell tensor(at::Tensor value) { return arena_->add_ready_tensor(std::move(value)); }
  Cell list(std::vector<Cell> items) { return arena_->add_links(io::CellKind::kList, std::move(items)); }
  Cell tuple(std::vector<Cell> items) { return arena_->add_links(io::CellKind::kTuple, std::move(items)); }
  Cell dict(const Entries& entries) {
    std::vector<Cell> links;
    for (const auto& [key, value] : entries) {
      links.push_back(text(key));
      links.push_back(value);
    }
    return arena_->add_links(io::CellKind::kDict, std::move(links));
  }
  /// A dictionary of tensors with one value each.
  Cell tensors(const std::vector<std::pair<std::string, at::Tensor>>& named) {
    Entries entries;
    for (const auto& [name, value] : named) entries.emplace_back(name, tensor(value));
    return dict(entries);
  }
  /// What a class outside the plain ones made of this.
  Cell opaque(const std::string& name, Cell given) {
    const Cell global = arena_->add_text(io::CellKind::kGlobal, name);
    const Cell arguments = tuple({});
    arena_->links.push_back({arguments, given});
    return arena_->add(io::CellKind::kObject, static_cast<std::uint32_t>(arena_->links.size() - 1), global);
  }

  io::Checkpoint checkpoint(Cell root) const {
    io::Checkpoint out;
    out.root = io::Value(arena_, root);
    return out;
  }

 private:
  std::shared_ptr<io::ValueArena> arena_ = std::make_shared<io::ValueArena>("made");
};

}  // namespace reseda::tests
