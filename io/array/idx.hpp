#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace reseda::io {

/// An array of bytes in the format of the MNIST database, plain or packed with gzip: two zero bytes, the type 8
/// (unsigned byte), the number of axes, each axis as a big-endian 32-bit number, the values.
/// @return  contiguous uint8
/// @throws Error{kInput} with the file's name: another type, no or more than 8 axes, cut short, bytes behind the
///         values, more than 1 GiB
/// Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits", file formats.
at::Tensor read_idx(const std::filesystem::path& file);
/// The same of bytes in memory, which are copied. @param where  their name in messages
at::Tensor parse_idx(std::string_view bytes, const std::string& where);

}  // namespace reseda::io
