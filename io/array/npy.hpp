#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>

namespace reseda::io {

/// An array as numpy.save() writes it: bool, int8 to int64, uint8 to uint32, float16 to float64, complex64 and
/// complex128 in little-endian order. uint16 becomes int32, uint32 int64. Nothing is unpickled.
/// @return  contiguous, of the array's shape, also where the file is in Fortran's order
/// @throws Error{kInput} with the file's name and the rule that it breaks
/// Source: NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays".
at::Tensor read_npy(const std::filesystem::path& file);
/// The same of bytes in memory, which are copied. @param where  their name in messages
at::Tensor parse_npy(std::span<const std::byte> bytes, const std::string& where);

/// The arrays of an archive as numpy.savez() or savez_compressed() writes it, by name without ".npy". The size in
/// memory is at most 16 times that of the file plus 64 MB. @throws Error{kInput}
std::map<std::string, at::Tensor> read_npz(const std::filesystem::path& file);
std::map<std::string, at::Tensor> parse_npz(std::span<std::byte> bytes, const std::string& where);

}  // namespace reseda::io
