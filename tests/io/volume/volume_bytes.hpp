#pragma once

#include <zlib.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace reseda::tests {

/// A gzip file of the bytes.
inline std::string gzipped(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(bytes.size() + 1024, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

template <class Number>
std::string bytes_of(const std::vector<Number>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

/// The header of a single NIfTI-1 file, field by field.
class NiftiBytes {
 public:
  NiftiBytes() : bytes_(352, '\0') {
    set<std::int32_t>(0, 348);
    for (std::size_t i = 0; i < 8; ++i) size(i, 1), spacing(i, 1);
    size(0, 3);
    type(16, 32);
    set<float>(108, 352);
    std::memcpy(bytes_.data() + 344, "n+1", 4);
  }
  template <class Number>
  NiftiBytes& set(std::size_t offset, Number value) {
    std::memcpy(bytes_.data() + offset, &value, sizeof(value));
    return *this;
  }
  NiftiBytes& size(std::size_t axis, std::int16_t value) { return set(40 + 2 * axis, value); }
  NiftiBytes& spacing(std::size_t axis, float value) { return set(76 + 4 * axis, value); }
  NiftiBytes& type(std::int16_t code, std::int16_t bits) { return set(70, code).set(72, bits); }
  NiftiBytes& scaling(float slope, float intercept) { return set(112, slope).set(116, intercept); }
  NiftiBytes& sform(std::int16_t code, const std::array<float, 12>& rows) {
    set(254, code);
    for (std::size_t i = 0; i < rows.size(); ++i) set(280 + 4 * i, rows[i]);
    return *this;
  }
  std::string with(const std::string& voxels) const { return bytes_ + voxels; }

 private:
  std::string bytes_;
};

}  // namespace reseda::tests
