#pragma once

#include <string>

namespace reseda::io::detail {

/// Looks at the first bytes and at the sizes that a container declares, which libsndfile silently adjusts to the file:
/// refuses what is not wav, flac, ogg, mp3, aiff, au, caf or w64, and data that end before their declared size.
/// Sizes that streaming programs write for "unknown" are allowed.
/// @throws Error{kInput} with `name`
void check_container(int descriptor, const std::string& name);

}  // namespace reseda::io::detail
