#include "io/volume/fingerprint.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "io/record/sha256.hpp"

namespace reseda::io::detail {
namespace {

constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87, kPrime2 = 0xC2B2AE3D27D4EB4F;

using Lanes = std::array<std::uint64_t, 4>;

void take(Lanes& lanes, const char* bytes) {
  Lanes words;
  std::memcpy(words.data(), bytes, sizeof(words));
  for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] = std::rotl(lanes[i] + words[i] * kPrime2, 31) * kPrime1;
}

}  // namespace

std::string fingerprint(std::string_view bytes) {
  Lanes lanes = {1, 2, 3, 4};
  std::size_t at = 0;
  for (; at + sizeof(Lanes) <= bytes.size(); at += sizeof(Lanes)) take(lanes, bytes.data() + at);
  // The rest, filled with zeros, and the length.
  std::array<char, sizeof(Lanes)> rest{};
  std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end(), rest.begin());
  take(lanes, rest.data());
  const std::string_view state(reinterpret_cast<const char*>(lanes.data()), sizeof(lanes));
  return sha256(std::string(state) + std::to_string(bytes.size()));
}

}  // namespace reseda::io::detail
