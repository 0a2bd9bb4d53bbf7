#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace reseda::io {

/// What the first bytes of a file say it is.
enum class Content : std::uint8_t {
  kZip,          ///< a zip archive: a torch file, most likely
  kPickle,       ///< a pickle: a legacy torch file, most likely
  kSafetensors,  ///< safetensors
  kJson,         ///< JSON text: an index of shards, maybe
  kOther
};

Content content_of(std::span<const std::byte> bytes);

/// What a file is that no reader here takes, as far as its first bytes tell, in the words of an error message.
std::string describe_other(std::span<const std::byte> bytes);

}  // namespace reseda::io
