#include "pipelines/tools/tensor_facts.hpp"

#include <ATen/ATen.h>

#include <array>
#include <limits>
#include <utility>

#include "io/record/sha256.hpp"
#include "pipelines/common/signals.hpp"

namespace reseda::tools {

std::string dtype_name(c10::ScalarType dtype) {
  static constexpr std::array<std::pair<c10::ScalarType, const char*>, 22> kNames = {{
      {at::kFloat, "float32"},
      {at::kDouble, "float64"},
      {at::kHalf, "float16"},
      {at::kBFloat16, "bfloat16"},
      {at::kLong, "int64"},
      {at::kInt, "int32"},
      {at::kShort, "int16"},
      {at::kChar, "int8"},
      {at::kByte, "uint8"},
      {at::kUInt16, "uint16"},
      {at::kUInt32, "uint32"},
      {at::kUInt64, "uint64"},
      {at::kBool, "bool"},
      {at::kComplexHalf, "complex32"},
      {at::kComplexFloat, "complex64"},
      {at::kComplexDouble, "complex128"},
      {at::kFloat8_e4m3fn, "float8_e4m3fn"},
      {at::kFloat8_e5m2, "float8_e5m2"},
      {at::kFloat8_e4m3fnuz, "float8_e4m3fnuz"},
      {at::kFloat8_e5m2fnuz, "float8_e5m2fnuz"},
      {at::kFloat8_e8m0fnu, "float8_e8m0fnu"},
      {at::kQInt8, "qint8"},
  }};
  for (const auto& [type, name] : kNames)
    if (type == dtype) return name;
  return c10::toString(dtype);
}

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::uint64_t logical_bytes(const at::Tensor& tensor) {
  std::uint64_t bytes = 0;
  const auto count = static_cast<std::uint64_t>(tensor.numel());
  const auto size = static_cast<std::uint64_t>(tensor.element_size());
  return __builtin_mul_overflow(count, size, &bytes) ? std::numeric_limits<std::uint64_t>::max() : bytes;
}

bool fits_memory(const at::Tensor& tensor) {
  constexpr std::uint64_t kSlack = 1ULL << 30;
  return logical_bytes(tensor) <= tensor.storage().nbytes() + kSlack;
}

std::string tensor_sha256(const at::Tensor& tensor) {
  app::throw_if_stopped();
  if (!fits_memory(tensor)) return "";
  const at::Tensor flat = tensor.detach().resolve_conj().resolve_neg().contiguous();
  return io::sha256({static_cast<const char*>(flat.data_ptr()), flat.nbytes()});
}

}  // namespace reseda::tools
