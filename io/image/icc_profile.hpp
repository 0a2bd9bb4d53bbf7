#pragma once

#include <cstdint>
#include <string>

namespace reseda::io::detail {

/// The profile where it speaks of grey (1 channel) or RGB (3 channels) as the pixels are, else nothing. An alpha
/// channel does not count.
/// Source: ICC.1:2022, Sec. 7.2: the colour space of the data is the signature at byte 16.
inline std::string profile_for(const std::string& icc, std::int64_t channels) {
  const std::string expected = channels == 1 ? "GRAY" : channels == 3 ? "RGB " : "";
  return icc.size() >= 128 && icc.substr(16, 4) == expected ? icc : std::string();
}

}  // namespace reseda::io::detail
