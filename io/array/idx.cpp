#include "io/array/idx.hpp"

#include <ATen/ATen.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "io/record/file_bytes.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 30, kPiece = std::size_t{1} << 20;
constexpr std::size_t kMostAxes = 8;
constexpr unsigned char kUnsignedByte = 8;

bool is_gzip(std::string_view bytes) { return bytes.size() >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b'; }

/// The content of one gzip member; memory grows with what comes out.
std::string unpacked(std::string_view packed, const std::string& where) {
  z_stream stream{};
  constexpr int kGzipAlone = 15 + 16;
  RESEDA_REQUIRE(inflateInit2(&stream, kGzipAlone) == Z_OK, Errc::kInput, where, ": zlib cannot start");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  int result = Z_OK;
  while (result == Z_OK && out.size() <= kMaxBytes) {
    const std::size_t before = out.size();
    out.resize(before + kPiece);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(kPiece);
    result = inflate(&stream, Z_NO_FLUSH);
    out.erase(out.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  RESEDA_REQUIRE(result == Z_STREAM_END || result == Z_OK || result == Z_BUF_ERROR, Errc::kInput, where,
                 ": its gzip data are damaged");
  RESEDA_REQUIRE(out.size() <= kMaxBytes, Errc::kInput, where, ": unpacks to more than 1 GiB");
  RESEDA_REQUIRE(result == Z_STREAM_END, Errc::kInput, where, ": is cut short: its gzip data have no end");
  return out;
}

}  // namespace

at::Tensor parse_idx(std::string_view bytes, const std::string& where) {
  if (is_gzip(bytes)) return parse_idx(unpacked(bytes, where), where);
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  RESEDA_REQUIRE(bytes.size() >= 4 && byte(0) == 0 && byte(1) == 0 && byte(2) == kUnsignedByte, Errc::kInput, where,
                 ": is no idx array of unsigned bytes (as of MNIST)");
  const std::size_t axes = byte(3), header = 4 + 4 * axes;
  RESEDA_REQUIRE(axes >= 1 && axes <= kMostAxes, Errc::kInput, where, ": an idx array of ", axes,
                 " axes, expected 1 to ", kMostAxes);
  RESEDA_REQUIRE(bytes.size() >= header, Errc::kInput, where, ": is cut short in its idx header");
  std::vector<std::int64_t> shape;
  std::uint64_t count = 1, nonzero = 1;  // nonzero: without the axes of length 0, which must not hide what overflows
  for (std::size_t axis = 0; axis < axes; ++axis) {
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | byte(4 + 4 * axis + i);
    shape.push_back(static_cast<std::int64_t>(length));
    count = std::min<std::uint64_t>(count * length, kMaxBytes + 1);
    if (length > 0) nonzero = std::min<std::uint64_t>(nonzero * length, kMaxBytes + 1);
  }
  RESEDA_REQUIRE(count > 0 || nonzero <= kMaxBytes, Errc::kInput, where,
                 ": its idx header says an empty array whose other axes span more than 1 GiB");
  RESEDA_REQUIRE(count == bytes.size() - header, Errc::kInput, where, ": holds ", bytes.size() - header,
                 " values, but its idx header says ", count > kMaxBytes ? "more than 1 GiB" : std::to_string(count));
  at::Tensor out = at::empty(shape, at::kByte);
  if (count > 0) std::memcpy(out.data_ptr(), bytes.data() + header, count);
  return out;
}

at::Tensor read_idx(const std::filesystem::path& file) { return parse_idx(read_file(file, kMaxBytes), file.string()); }

}  // namespace reseda::io
