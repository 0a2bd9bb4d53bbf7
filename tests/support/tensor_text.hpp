#pragma once

#include <ATen/ATen.h>

#include <map>
#include <string>

#include "io/checkpoint/checkpoint.hpp"
#include "modules/core/error.hpp"

namespace reseda::tests {

/// "float32", "int64", ... as PyTorch calls them.
inline std::string dtype_name(const at::Tensor& tensor) {
  static const std::map<at::ScalarType, std::string> names = {{at::kFloat, "float32"},
                                                              {at::kDouble, "float64"},
                                                              {at::kHalf, "float16"},
                                                              {at::kBFloat16, "bfloat16"},
                                                              {at::kLong, "int64"},
                                                              {at::kInt, "int32"},
                                                              {at::kShort, "int16"},
                                                              {at::kChar, "int8"},
                                                              {at::kByte, "uint8"},
                                                              {at::kBool, "bool"},
                                                              {at::kComplexFloat, "complex64"},
                                                              {at::kComplexDouble, "complex128"}};
  const auto found = names.find(tensor.scalar_type());
  return found == names.end() ? c10::toString(tensor.scalar_type()) : found->second;
}

/// The elements in row-major order, little endian.
inline std::string tensor_bytes(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  return {static_cast<const char*>(flat.const_data_ptr()), flat.nbytes()};
}

}  // namespace reseda::tests
