#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "io/checkpoint/value_arena.hpp"

namespace reseda::io {

inline constexpr std::size_t kMaxPickleBytes = std::size_t{256} << 20;
inline constexpr std::size_t kMaxPickleDepth = 256;       ///< of containers inside containers
inline constexpr std::size_t kMaxPickleValues = 4 << 20;  ///< and items of all containers
inline constexpr std::size_t kMaxPickleSlots = 16 << 20;  ///< of the memo, and values on the stack
inline constexpr std::size_t kMaxPickleTextBytes = 1 << 20;
inline constexpr std::size_t kMaxPickleNameBytes = 1024;
inline constexpr std::size_t kMaxPickleTensors = 1 << 18;  ///< and storages
inline constexpr std::size_t kMaxPickleGlobals = 1 << 16;  ///< different names

/// What the parts of the pickle reader share: the arena, filled within the limits, and the place that messages name.
class PickleContext {
 public:
  explicit PickleContext(ValueArena& values) : arena(values) {}

  /// "a.pt: data.pkl: byte 17"
  std::string here() const;

  std::uint32_t add(CellKind kind, std::uint32_t link = 0, std::uint64_t bits = 0);
  std::uint32_t text(CellKind kind, std::string text);
  std::uint32_t container(CellKind kind, std::vector<std::uint32_t> children);
  std::uint32_t tensor(TensorRef tensor);
  /// Appends to a list, set, dict or object.
  void append(std::uint32_t container, const std::uint32_t* first, std::size_t count);
  /// An object made by the global (or the object) `maker` from a tuple of arguments.
  std::uint32_t object(std::uint32_t maker, std::uint32_t arguments);

  ValueArena& arena;
  std::string where;         ///< "a.pt: data.pkl"
  std::size_t position = 0;  ///< of the instruction being run

 private:
  void count_items(std::size_t count);

  std::size_t items_ = 0, text_bytes_ = 0;
};

/// "a list", "a tensor", ...
const char* cell_kind_name(CellKind kind);

/// The value that calling a global with a tuple of arguments stands for; nothing is called.
/// @throws Error{kCheckpoint} if the arguments do not fit
std::uint32_t call_global(PickleContext& context, std::uint32_t callable, std::uint32_t arguments);

/// What a state given to a value stands for: kept with opaque values, passed over for dicts and tensors (attributes).
/// @throws Error{kCheckpoint} for other values
void build_state(PickleContext& context, std::uint32_t value, std::uint32_t state);

/// A tensor from the arguments of one of PyTorch's rebuild functions, checked against its storage.
/// @throws Error{kCheckpoint} if sizes, strides or offset are not sound or leave the storage
std::uint32_t call_tensor(PickleContext& context, const std::vector<std::uint32_t>& arguments, bool with_dtype);

/// Checks what was read as a whole: depth, and no dict with a text key twice.
/// @throws Error{kCheckpoint}
void check_values(const PickleContext& context, std::uint32_t root);

}  // namespace reseda::io
