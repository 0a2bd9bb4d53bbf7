#pragma once

#include <string>
#include <string_view>

namespace reseda::io::detail {

/// A UID under the root of UUIDs, "2.25." and a decimal number (PS3.5 annex B.2), from the first 16 bytes of
/// SHA-256(seed), marked as a UUID of version 8 (RFC 9562). The same seed gives the same UID.
std::string dicom_uid(std::string_view seed);

}  // namespace reseda::io::detail
