#include "io/array/npy_writer.hpp"

#include <ATen/ATen.h>

#include <cstddef>

#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

const char* type_name(at::ScalarType type) {
  switch (type) {
    case at::kBool:
      return "|b1";
    case at::kByte:
      return "|u1";
    case at::kChar:
      return "|i1";
    case at::kShort:
      return "<i2";
    case at::kInt:
      return "<i4";
    case at::kLong:
      return "<i8";
    case at::kHalf:
      return "<f2";
    case at::kFloat:
      return "<f4";
    case at::kDouble:
      return "<f8";
    case at::kComplexFloat:
      return "<c8";
    case at::kComplexDouble:
      return "<c16";
    default:
      throw Error(Errc::kOutput, std::string("arrays of NumPy have no type for ") + c10::toString(type));
  }
}

}  // namespace

std::string npy_bytes(const at::Tensor& values) {
  constexpr std::size_t kAlignment = 64, kPrefix = 10;
  const at::Tensor plain = values.cpu().resolve_conj().resolve_neg().contiguous();
  std::string header =
      std::string("{'descr': '") + type_name(plain.scalar_type()) + "', 'fortran_order': False, 'shape': (";
  for (const std::int64_t side : plain.sizes()) header += std::to_string(side) + (plain.dim() == 1 ? "," : ", ");
  if (plain.dim() > 1) header.resize(header.size() - 2);
  header += "), }";
  header.append(kAlignment - (kPrefix + header.size() + 1) % kAlignment, ' ');
  header += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size() & 0xFF);
  out += static_cast<char>(header.size() >> 8);
  out += header;
  if (plain.numel() > 0) out.append(static_cast<const char*>(plain.const_data_ptr()), plain.nbytes());
  return out;
}

}  // namespace reseda::io
