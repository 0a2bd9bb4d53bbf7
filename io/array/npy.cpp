#include "io/array/npy.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string_view>
#include <vector>

#include "io/array/npy_header.hpp"
#include "io/checkpoint/byte_reader.hpp"
#include "io/record/mapped_file.hpp"
#include "io/checkpoint/safetensors_header.hpp"
#include "io/checkpoint/zip_archive.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::uint64_t kMaxHeader = 1 << 16;

struct ArrayType {
  std::string_view name;
  at::ScalarType stored, result;
};

// Byte order: '|' for single bytes, '<' for the others.
constexpr ArrayType kTypes[] = {
    {"|b1", at::kByte, at::kBool},
    {"|u1", at::kByte, at::kByte},
    {"|i1", at::kChar, at::kChar},
    {"<i2", at::kShort, at::kShort},
    {"<i4", at::kInt, at::kInt},
    {"<i8", at::kLong, at::kLong},
    {"<u2", at::kShort, at::kInt},
    {"<u4", at::kInt, at::kLong},
    {"<f2", at::kHalf, at::kHalf},
    {"<f4", at::kFloat, at::kFloat},
    {"<f8", at::kDouble, at::kDouble},
    {"<c8", at::kComplexFloat, at::kComplexFloat},
    {"<c16", at::kComplexDouble, at::kComplexDouble},
};

const ArrayType& type_of(const NpyHeader& header, const std::string& where) {
  const auto* found =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const ArrayType& t) { return t.name == header.type; });
  RESEDA_REQUIRE(found != std::end(kTypes), Errc::kInput, where, ": arrays of type ", quoted_name(header.type),
                 " are not supported, only little-endian numbers");
  return *found;
}

/// Unsigned numbers were stored in signed ones of the same width.
at::Tensor as_result(const at::Tensor& values, const ArrayType& type) {
  if (type.name == "|b1") return values.ne(0);
  if (type.name == "<u2") return values.to(at::kInt).bitwise_and(0xFFFF);
  if (type.name == "<u4") return values.to(at::kLong).bitwise_and(std::int64_t{0xFFFFFFFF});
  return values;
}

/// What reads checkpoints names a broken file as one; here it is an input.
template <class Function>
auto as_input_error(const Function& function) {
  try {
    return function();
  } catch (const Error& error) {
    throw Error(error.code() == Errc::kCheckpoint ? Errc::kInput : error.code(), error.what());
  }
}

at::Tensor parse_checked(std::span<const std::byte> bytes, const std::string& where) {
  ByteReader reader(bytes, where);
  RESEDA_REQUIRE(reader.text(kMagic.size()) == kMagic, Errc::kInput, where, ": is not an array of NumPy");
  const std::uint64_t major = reader.number(1);
  reader.number(1);
  RESEDA_REQUIRE(major >= 1 && major <= 3, Errc::kInput, where, ": NumPy's array format ", major, " is not known");
  const std::uint64_t length = reader.number(major == 1 ? 2 : 4);
  RESEDA_REQUIRE(length <= kMaxHeader, Errc::kInput, where, ": a header of ", length, " bytes is too long");
  const NpyHeader header = parse_npy_header(reader.text(length), where);
  const ArrayType& type = type_of(header, where);

  std::vector<std::int64_t> shape = header.shape;
  if (header.fortran_order) std::reverse(shape.begin(), shape.end());
  std::uint64_t needed = c10::elementSize(type.stored);
  for (const std::int64_t side : shape) needed *= static_cast<std::uint64_t>(side);
  RESEDA_REQUIRE(reader.left() == needed, Errc::kInput, where, ": an array of shape ", at::IntArrayRef(header.shape),
                 " and type ", header.type, " needs ", needed, " bytes, there are ", reader.left());
  const at::Tensor values = at::empty(shape, type.stored);
  if (needed > 0) std::memcpy(values.data_ptr(), reader.take(needed).data(), needed);
  const at::Tensor out = as_result(values, type);
  if (!header.fortran_order) return out;
  std::vector<std::int64_t> axes(shape.size());
  std::iota(axes.rbegin(), axes.rend(), 0);
  return out.permute(axes).contiguous();
}

std::map<std::string, at::Tensor> parse_archive(std::span<std::byte> bytes, const std::string& where) {
  constexpr std::string_view kSuffix = ".npy";
  const ZipArchive archive(bytes, where);
  std::map<std::string, at::Tensor> arrays;
  for (const ZipEntry& entry : archive.entries()) {
    const std::string name = where + ": " + quoted_name(entry.name);
    RESEDA_REQUIRE(entry.name.ends_with(kSuffix), Errc::kInput, name, ": is not an array of NumPy (.npy)");
    std::vector<std::byte> content(entry.deflated ? static_cast<std::size_t>(entry.size) : 0);
    if (entry.deflated) inflate_entry(entry, content, where);
    arrays[entry.name.substr(0, entry.name.size() - kSuffix.size())] =
        parse_checked(entry.deflated ? std::span<std::byte>(content) : entry.data, name);
  }
  return arrays;
}

}  // namespace

at::Tensor parse_npy(std::span<const std::byte> bytes, const std::string& where) {
  return as_input_error([&] { return parse_checked(bytes, where); });
}

at::Tensor read_npy(const std::filesystem::path& file) {
  return as_input_error([&] { return parse_checked(MappedFile(file).bytes(), file.string()); });
}

std::map<std::string, at::Tensor> parse_npz(std::span<std::byte> bytes, const std::string& where) {
  return as_input_error([&] { return parse_archive(bytes, where); });
}

std::map<std::string, at::Tensor> read_npz(const std::filesystem::path& file) {
  return as_input_error([&] { return parse_archive(MappedFile(file).bytes(), file.string()); });
}

}  // namespace reseda::io
