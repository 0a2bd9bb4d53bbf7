#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace reseda::tools {

/// The type's name in Python, "float32", "bfloat16", "complex64".
std::string dtype_name(c10::ScalarType dtype);

/// "[2, 3]".
std::string shape_text(at::IntArrayRef shape);

/// Elements times element size; the largest 64-bit number where that overflows.
std::uint64_t logical_bytes(const at::Tensor& tensor);

/// SHA-256 of a tensor's elements, row-major and little endian, whatever its layout; "" for a view that repeats a small
/// storage beyond memory's reason (more than 1 GiB above the storage's size).
/// @throws Error{kInterrupted} when a signal asks to stop
std::string tensor_sha256(const at::Tensor& tensor);

/// Whether a tensor can be made contiguous without taking more than 1 GiB above the size of its storage.
bool fits_memory(const at::Tensor& tensor);

}  // namespace reseda::tools
