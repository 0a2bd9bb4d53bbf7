#include "modules/core/philox_stream.hpp"

#include "modules/core/noise.hpp"

namespace reseda {

std::uint64_t fnv1a_64(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return hash;
}

std::uint32_t fnv1a_32(std::string_view text) {
  std::uint32_t hash = 0x811C9DC5U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193U;
  return hash;
}

std::array<std::uint32_t, 4> PhiloxStream::block(std::uint64_t index) const {
  return philox4x32({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), step, stream}, key);
}

PhiloxStream philox_stream(std::uint64_t seed, std::string_view item, std::string_view stream, std::uint32_t step) {
  const std::uint64_t key = seed ^ fnv1a_64(item);
  return {{static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)}, step, fnv1a_32(stream)};
}

}  // namespace reseda
