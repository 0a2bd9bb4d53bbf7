#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace reseda::io {

inline constexpr std::size_t kMaxShardIndexBytes = std::size_t{64} << 20;
inline constexpr std::size_t kMaxShards = 10'000;

/// A safetensors index: which file of its folder holds each tensor.
struct ShardIndex {
  std::vector<std::pair<std::string, std::string>> tensors;  ///< name and file, in the index's order
  std::map<std::string, std::string> metadata;               ///< texts and numbers of "metadata"
};

/// Reads {"metadata": {...}, "weight_map": {"name": "file", ...}}. Files must be plain names, so that all of them lie
/// in the index's folder.
/// @param name  the file's name in messages
/// @throws Error{kCheckpoint}
ShardIndex parse_shard_index(std::span<const std::byte> bytes, const std::string& name);

}  // namespace reseda::io
