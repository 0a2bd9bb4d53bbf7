#include "io/volume/dicom_uid.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "io/record/sha256.hpp"

namespace reseda::io::detail {

std::string dicom_uid(std::string_view seed) {
  const std::string digits = sha256(seed);
  std::array<std::uint32_t, 16> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint32_t>(std::stoul(digits.substr(2 * i, 2), nullptr, 16));
  bytes[6] = (bytes[6] & 0x0F) | 0x80;
  bytes[8] = (bytes[8] & 0x3F) | 0x80;
  // Long division by ten, from the most significant byte.
  std::string decimal;
  while (std::any_of(bytes.begin(), bytes.end(), [](std::uint32_t byte) { return byte != 0; })) {
    std::uint32_t rest = 0;
    for (std::uint32_t& byte : bytes) {
      const std::uint32_t value = rest * 256 + byte;
      byte = value / 10;
      rest = value % 10;
    }
    decimal += static_cast<char>('0' + rest);
  }
  std::reverse(decimal.begin(), decimal.end());
  return "2.25." + decimal;
}

}  // namespace reseda::io::detail
