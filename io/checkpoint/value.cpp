#include <algorithm>
#include <bit>
#include <unordered_set>
#include <utility>

#include "io/checkpoint/checkpoint.hpp"
#include "io/checkpoint/pickle_context.hpp"
#include "io/checkpoint/value_arena.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

/// Set in the index of what was reached through an opaque value: tensors there stay opaque too.
constexpr std::uint32_t kInsideOpaque = std::uint32_t{1} << 31;

constexpr std::size_t kMaxLeaves = 1'000'000;
constexpr std::size_t kMaxPathBytes = std::size_t{256} << 20;

const Cell& cell_of(const std::shared_ptr<const ValueArena>& arena, std::uint32_t index) {
  static constexpr Cell kNone{};
  return arena == nullptr ? kNone : arena->cells[index & ~kInsideOpaque];
}

[[noreturn]] void raise_kind(const std::shared_ptr<const ValueArena>& arena, const char* expected, CellKind kind) {
  detail::raise(Errc::kCheckpoint, arena == nullptr ? std::string("checkpoint") : arena->file, ": expected ", expected,
                ", got ", cell_kind_name(kind));
}

/// The name of the global behind an opaque cell.
const std::string& opaque_name(const ValueArena& arena, const Cell& cell) {
  static const std::string tensor = "torch.Tensor", storage = "torch.Storage";
  if (cell.kind == CellKind::kTensor) return tensor;
  if (cell.kind == CellKind::kStorage) return storage;
  return cell.kind == CellKind::kObject ? arena.text_of(static_cast<std::uint32_t>(cell.bits)) : arena.texts[cell.link];
}

}  // namespace

ValueKind Value::kind() const {
  switch (cell_of(arena_, index_).kind) {
    case CellKind::kNone:
      return ValueKind::kNone;
    case CellKind::kBool:
      return ValueKind::kBool;
    case CellKind::kInteger:
    case CellKind::kBig:
      return ValueKind::kInteger;
    case CellKind::kFloat:
      return ValueKind::kFloat;
    case CellKind::kText:
      return ValueKind::kText;
    case CellKind::kBytes:
      return ValueKind::kBytes;
    case CellKind::kList:
      return ValueKind::kList;
    case CellKind::kTuple:
      return ValueKind::kTuple;
    case CellKind::kSet:
      return ValueKind::kSet;
    case CellKind::kDict:
      return ValueKind::kDict;
    case CellKind::kTensor:
      return (index_ & kInsideOpaque) != 0 ? ValueKind::kOpaque : ValueKind::kTensor;
    case CellKind::kStorage:
    case CellKind::kGlobal:
    case CellKind::kObject:
      break;
  }
  return ValueKind::kOpaque;
}

bool Value::boolean() const {
  const Cell& cell = cell_of(arena_, index_);
  if (cell.kind != CellKind::kBool) raise_kind(arena_, "a bool", cell.kind);
  return cell.bits != 0;
}

std::int64_t Value::integer() const {
  const Cell& cell = cell_of(arena_, index_);
  RESEDA_REQUIRE(cell.kind != CellKind::kBig, Errc::kCheckpoint, arena_->file, ": the integer ",
                 arena_->texts[cell.link], " does not fit 64 bits");
  if (cell.kind != CellKind::kInteger) raise_kind(arena_, "an integer", cell.kind);
  return static_cast<std::int64_t>(cell.bits);
}

double Value::real() const {
  const Cell& cell = cell_of(arena_, index_);
  if (cell.kind == CellKind::kInteger) return static_cast<double>(static_cast<std::int64_t>(cell.bits));
  if (cell.kind == CellKind::kBig) return std::strtod(arena_->texts[cell.link].c_str(), nullptr);
  if (cell.kind != CellKind::kFloat) raise_kind(arena_, "a number", cell.kind);
  return std::bit_cast<double>(cell.bits);
}

const std::string& Value::text() const {
  const Cell& cell = cell_of(arena_, index_);
  const bool text = cell.kind == CellKind::kText || cell.kind == CellKind::kBytes || cell.kind == CellKind::kBig;
  if (!text && kind() != ValueKind::kOpaque) raise_kind(arena_, "a text", cell.kind);
  return text ? arena_->texts[cell.link] : opaque_name(*arena_, cell);
}

const at::Tensor& Value::tensor() const {
  if (kind() != ValueKind::kTensor) raise_kind(arena_, "a tensor", cell_of(arena_, index_).kind);
  return arena_->tensor_of(index_);
}

std::vector<Value> Value::items() const {
  const Cell& cell = cell_of(arena_, index_);
  const bool opaque = kind() == ValueKind::kOpaque;
  const bool sequence = cell.kind == CellKind::kList || cell.kind == CellKind::kTuple || cell.kind == CellKind::kSet;
  if (!sequence && !opaque) raise_kind(arena_, "a list, tuple or set", cell.kind);
  std::vector<Value> out;
  if (!sequence && cell.kind != CellKind::kObject) return out;
  const std::uint32_t inside = opaque ? kInsideOpaque : index_ & kInsideOpaque;
  for (const std::uint32_t link : arena_->links[cell.link]) out.emplace_back(arena_, link | inside);
  return out;
}

std::vector<std::pair<Value, Value>> Value::entries() const {
  const Cell& cell = cell_of(arena_, index_);
  if (cell.kind != CellKind::kDict) raise_kind(arena_, "a dict", cell.kind);
  const std::uint32_t inside = index_ & kInsideOpaque;
  const auto& links = arena_->links[cell.link];
  std::vector<std::pair<Value, Value>> out;
  for (std::size_t i = 0; i + 1 < links.size(); i += 2)
    out.emplace_back(Value(arena_, links[i] | inside), Value(arena_, links[i + 1] | inside));
  return out;
}

std::optional<Value> Value::find(std::string_view key) const {
  const Cell& cell = cell_of(arena_, index_);
  if (cell.kind != CellKind::kDict) return std::nullopt;
  const auto& links = arena_->links[cell.link];
  for (std::size_t i = 0; i + 1 < links.size(); i += 2)
    if (arena_->is(links[i], CellKind::kText) && arena_->text_of(links[i]) == key)
      return Value(arena_, links[i + 1] | (index_ & kInsideOpaque));
  return std::nullopt;
}

std::string integer_text(const Value& value) {
  try {
    return std::to_string(value.integer());
  } catch (const Error&) {  // beyond 64 bits
    return value.text();
  }
}

std::string key_text(const Value& key) {
  switch (key.kind()) {
    case ValueKind::kText:
      return key.text();
    case ValueKind::kInteger:
      return "<int " + integer_text(key) + ">";
    case ValueKind::kBool:
      return key.boolean() ? "<bool True>" : "<bool False>";
    case ValueKind::kNone:
      return "<None>";
    case ValueKind::kFloat:
      return "<float>";
    case ValueKind::kBytes:
      return "<bytes>";
    case ValueKind::kOpaque:
      return "<" + key.text() + ">";
    default:
      return "<tuple>";
  }
}

namespace {

using Leaves = std::vector<std::pair<std::string, Value>>;

/// A value directly below another, and how its path goes on: by a key or as item `number`.
struct Child {
  const char* joint;  ///< "/", ".", "" before a key; nullptr: an item; others: all of it
  std::optional<Value> key;
  std::size_t number = 0;
  Value value;
};

std::string path_of(const std::string& parent, const Child& child) {
  if (child.key) return parent + child.joint + key_text(*child.key);
  return child.joint != nullptr ? parent + child.joint : parent + "[" + std::to_string(child.number) + "]";
}

std::vector<Child> children(const Value& value, bool top) {
  std::vector<Child> out;
  const auto dict = [&](const Value& from, const char* joint) {
    for (auto& [key, item] : from.entries()) out.push_back({joint, std::move(key), 0, std::move(item)});
  };
  switch (value.kind()) {
    case ValueKind::kList:
    case ValueKind::kTuple:
    case ValueKind::kSet:
      for (Value& item : value.items()) out.push_back({nullptr, std::nullopt, out.size(), std::move(item)});
      break;
    case ValueKind::kDict:
      dict(value, top ? "" : "/");
      break;
    case ValueKind::kOpaque: {
      const auto parts = value.items();
      for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i > 0 && parts[i].kind() == ValueKind::kDict) {
          dict(parts[i], ".");
        } else if (i > 0 || !parts[i].items().empty()) {
          out.push_back({i == 0 ? ".<arguments>" : ".<state>", std::nullopt, 0, parts[i]});
        }
      }
      break;
    }
    default:
      break;
  }
  return out;
}

/// The walk of flatten(): a stack of values whose children are being visited.
class Walk {
 public:
  Leaves run(const Value& root) {
    enter({}, root);
    while (!path_.empty()) {
      Step& step = path_.back();
      if (step.next == step.below.size()) {
        open_.erase(step.index);
        path_.pop_back();
      } else {
        const Child& child = step.below[step.next++];
        enter(path_of(step.path, child), child.value);
      }
    }
    return std::move(leaves_);
  }

 private:
  struct Step {
    std::string path;
    std::uint32_t index;
    std::vector<Child> below;
    std::size_t next = 0;
  };

  // The value by copy: entering may move the step that holds it.
  void enter(std::string path, const Value value) {
    bytes_ += path.size();
    RESEDA_REQUIRE(path_.size() <= 2 * kMaxPickleDepth && bytes_ <= kMaxPathBytes && leaves_.size() < kMaxLeaves,
                   Errc::kCheckpoint, "checkpoint: too large to list: more than ", kMaxLeaves, " values, or names of ",
                   kMaxPathBytes, " bytes, or nested too deep");
    const bool again = open_.find(value.index()) != open_.end();
    std::vector<Child> below = again ? std::vector<Child>() : children(value, path_.empty());
    if (below.empty() || value.kind() == ValueKind::kOpaque) leaves_.emplace_back(path, value);
    if (below.empty()) return;
    open_.insert(value.index());
    path_.push_back({std::move(path), value.index(), std::move(below)});
  }

  std::vector<Step> path_;
  std::unordered_set<std::uint32_t> open_;
  Leaves leaves_;
  std::size_t bytes_ = 0;
};

}  // namespace

std::vector<std::pair<std::string, Value>> flatten(const Value& value) { return Walk().run(value); }

}  // namespace reseda::io
