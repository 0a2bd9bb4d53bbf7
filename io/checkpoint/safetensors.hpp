#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "modules/core/state_dict.hpp"

namespace reseda::io {

/// Reads a safetensors file without copying: the file is mapped, and the tensors' storage keeps the mapping alive.
/// Writing to a tensor changes memory alone. Tensors that do not lie at a multiple of their element size are copied.
/// Order of the result: the header's. Dtypes: F64 F32 F16 BF16 F8_* I64..I8 U64..U8 BOOL C64.
/// @throws Error{kCheckpoint} with the file's name: missing, truncated, or against a rule of parse_safetensors_header
StateDict read_safetensors(const std::filesystem::path& path);

/// The same on bytes in memory; the tensors keep `owner` alive and share `bytes`.
/// @param name  what messages call it
StateDict view_safetensors(std::shared_ptr<const void> owner, std::span<std::byte> bytes, const std::string& name);

/// Writes a safetensors file that is complete or absent: a temporary file in the same folder, synced, then renamed.
/// The same dictionary gives the same bytes: metadata sorted by key, tensors listed in the dictionary's order, data
/// laid out by falling element size (so that every tensor is aligned), starting at a multiple of 64 bytes.
/// @param tensors  any device, strides and supported dtype; written contiguous, little endian
/// @throws Error{kOutput} with the path: no such folder, not a regular file, disk full, a dtype that the format lacks
void write_safetensors(const StateDict& tensors, const std::filesystem::path& path);

}  // namespace reseda::io
