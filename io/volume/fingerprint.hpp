#pragma once

#include <string>
#include <string_view>

namespace reseda::io::detail {

/// 256 bits that differ for different bytes, as 64 hexadecimal digits; many times faster than a cryptographic digest,
/// and no defence against somebody who wants two contents to agree. Four lanes take the bytes' 64-bit words w in turn
/// by the round of XXH64 (Collet, github.com/Cyan4973/xxHash, doc/xxhash_spec.md), which loses nothing of either
/// argument:
///   lane = rotate(lane + w P2, 31) P1
std::string fingerprint(std::string_view bytes);

}  // namespace reseda::io::detail
