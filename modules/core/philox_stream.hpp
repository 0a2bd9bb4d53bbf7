#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace reseda {

/// 64- and 32-bit FNV-1a: hashes that are the same on every machine.
std::uint64_t fnv1a_64(std::string_view text);
std::uint32_t fnv1a_32(std::string_view text);

/// The sequence of Philox blocks behind one named draw: counter {i low, i high, step, hash(stream)}, key = seed ^
/// hash(item).
struct PhiloxStream {
  std::array<std::uint32_t, 2> key;
  std::uint32_t step, stream;
  std::array<std::uint32_t, 4> block(std::uint64_t index) const;
};
PhiloxStream philox_stream(std::uint64_t seed, std::string_view item, std::string_view stream, std::uint32_t step);

}  // namespace reseda
