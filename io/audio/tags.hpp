#pragma once

#include <sndfile.h>

#include <string>

#include "io/audio/audio_format.hpp"

namespace reseda::io::detail {

/// Fills the tags, the channel map and the bext and cart chunks of an open file; each text is cut at 4096 bytes.
void read_tags(SNDFILE* file, AudioFormat& format);

/// Writes what the container can hold of them, before the first sample. `provenance`, if any, is appended to the
/// software tag.
void write_tags(SNDFILE* file, const AudioFormat& format, const std::string& provenance);

}  // namespace reseda::io::detail
