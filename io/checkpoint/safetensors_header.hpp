#pragma once

#include <c10/core/ScalarType.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace reseda::io {

/// One tensor as a safetensors header lists it; offsets count from the start of the data.
struct SafetensorsEntry {
  std::string name;
  c10::ScalarType dtype = c10::ScalarType::Float;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

/// A checked safetensors header: entries in the header's order, and where the data starts in the file.
struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;
  std::map<std::string, std::string> metadata;
  std::uint64_t data_begin = 0;
};

inline constexpr std::uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;
inline constexpr std::size_t kMaxSafetensorsDims = 64;

/// Reads and checks the header of a whole safetensors file: u64 length n (little endian), JSON object of n bytes, data.
/// Checks that n is at most 100 MB and inside the file, the first byte is '{', the JSON has no key twice, names only
/// known dtypes, gives each tensor product(shape) x element size bytes, and that the tensors cover the data once,
/// without gap, overlap or trailing bytes. Memory stays within a small multiple of the header's length.
/// @param file  all bytes of the file
/// @param name  the file's name in messages
/// @throws Error{kCheckpoint} with the file's name and the rule that fails
/// Source: the safetensors format description, version 0.4.
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file, const std::string& name);

/// LibTorch's type for a safetensors dtype name such as "F32"; nothing when LibTorch has none.
std::optional<c10::ScalarType> safetensors_dtype(std::string_view name);
/// The safetensors name of a type; nothing when the format has none.
std::optional<std::string_view> safetensors_dtype_name(c10::ScalarType dtype);

/// A name from an untrusted file, in quotes, fit for one line of a message: control characters become '?', at most 80
/// bytes.
std::string quoted_name(std::string_view name);

}  // namespace reseda::io
