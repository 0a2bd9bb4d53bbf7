#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace reseda::io {

enum class ValueKind : std::uint8_t {
  kNone,
  kBool,
  kInteger,
  kFloat,
  kText,
  kBytes,
  kList,
  kTuple,
  kSet,
  kDict,
  kTensor,
  kOpaque  ///< what a global outside the allow-list made: listed, never used
};

struct ValueArena;

/// One value of a checkpoint, as plain data: a light handle that keeps the whole checkpoint alive. Values may be shared
/// and may contain themselves; walk them with a limit (flatten does).
class Value {
 public:
  Value() = default;  ///< none
  Value(std::shared_ptr<const ValueArena> arena, std::uint32_t index) : arena_(std::move(arena)), index_(index) {}

  ValueKind kind() const;
  bool boolean() const;
  std::int64_t integer() const;     ///< @throws Error{kCheckpoint} beyond 64 bits; text() then has the digits
  double real() const;              ///< of a float or an integer
  const std::string& text() const;  ///< text, bytes, or "module.Name" of an opaque value
  const at::Tensor& tensor() const;
  /// Items of a list, tuple or set. Of an opaque value: the tuple of its arguments, then each state it was given;
  /// nothing for a mere name. Tensors reached this way are opaque, too.
  std::vector<Value> items() const;
  /// Keys and values of a dict, in insertion order.
  std::vector<std::pair<Value, Value>> entries() const;
  /// The value of a text key of a dict; nothing for other kinds.
  std::optional<Value> find(std::string_view key) const;
  /// Equal for handles of one and the same value.
  std::uint32_t index() const { return index_; }

 private:
  std::shared_ptr<const ValueArena> arena_;
  std::uint32_t index_ = 0;
};

/// A checkpoint file read as plain data.
struct Checkpoint {
  std::string format;                           ///< "torch zip", "torch legacy", "safetensors", "safetensors shards"
  Value root;                                   ///< safetensors: a dict of tensors
  std::vector<std::string> globals;             ///< every "module.Name" the pickle names, sorted
  std::vector<std::string> refused;             ///< those outside the allow-list, sorted
  std::map<std::string, std::string> metadata;  ///< of safetensors
  std::uint64_t file_bytes = 0;
};

struct CheckpointOptions {
  /// Keep what globals outside the allow-list make as opaque values; off: such a global is an error that names it.
  bool opaque = false;
};

/// Reads a .pt, .pth, .ckpt, .pth.tar or .safetensors file, or a safetensors index (.json) with its shards, whatever
/// its name says; the content decides. Nothing in the file is ever called, imported or executed. Tensors share the
/// mapped file where their layout allows, else are copied when read.
/// @throws Error{kCheckpoint} with the file's name, what is wrong and where
Checkpoint read_checkpoint(const std::filesystem::path& path, const CheckpointOptions& options = {});

/// The digits of an integer, also beyond 64 bits.
std::string integer_text(const Value& value);

/// What a path calls a key of a dict: text as it is, else "<int 3>", "<bool True>", "<None>", "<tuple>" and the like.
std::string key_text(const Value& key);

/// Every leaf below a value with its path, in file order: keys joined by "/" (an integer key as <int 3>), items of
/// lists as [i], opaque values themselves and their attributes as .name. A value met again on its own path ends there.
/// @throws Error{kCheckpoint} beyond a million leaves
std::vector<std::pair<std::string, Value>> flatten(const Value& value);

}  // namespace reseda::io
