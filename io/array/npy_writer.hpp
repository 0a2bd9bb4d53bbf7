#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace reseda::io {

/// A tensor as numpy.save() writes it (format 1.0, C order, little endian), for read_npy and numpy.load: bool, uint8,
/// int8 to int64, float16 to float64, complex64 and complex128. The same tensor gives the same bytes.
/// @throws Error{kOutput} for another type
/// Source: NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays".
std::string npy_bytes(const at::Tensor& values);

}  // namespace reseda::io
