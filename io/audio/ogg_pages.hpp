#pragma once

#include <cstdint>

namespace reseda::io::detail {

/// Whether the file ends inside an Ogg page. A tail that is no Ogg page at all (an old tag) does not count.
bool ogg_cut_short(int descriptor);

/// Gives every page this stream number and a new checksum. libsndfile numbers streams by the clock; the same input must
/// give the same bytes. @return false when the file cannot be read or written
bool set_ogg_serial(int descriptor, std::uint32_t serial);

}  // namespace reseda::io::detail
