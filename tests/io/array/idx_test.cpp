#include "io/array/idx.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

using namespace std::string_literals;

/// A header of two axes, 2 x 3, and six values.
std::string small() { return "\0\0\x08\x02\0\0\0\x02\0\0\0\x03\x01\x02\x03\xFD\xFE\xFF"s; }

std::string gzipped(const std::string& bytes) {
  std::string out(bytes.size() + 64, '\0');
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  const std::string whole = out.substr(0, stream.total_out);
  deflateEnd(&stream);
  return whole;
}

TEST(Idx, ReadsBytesPlainAndPacked) {
  for (const std::string& bytes : {small(), gzipped(small())}) {
    const at::Tensor got = io::parse_idx(bytes, "a");
    EXPECT_EQ(got.sizes(), at::IntArrayRef({2, 3}));
    EXPECT_TRUE(at::equal(got.to(at::kLong), at::tensor({1, 2, 3, 253, 254, 255}, at::kLong).view({2, 3})));
  }
}

TEST(Idx, RefusesWhatIsNoArrayOfBytes) {
  const auto refused = [](const std::string& bytes, const std::string& message) {
    expect_error(Errc::kInput, message, [&] { io::parse_idx(bytes, "a.idx"); });
  };
  refused("", "is no idx array");
  refused("\0\0\x0D\x01\0\0\0\x01zzzz"s, "is no idx array of unsigned bytes");
  refused("\0\0\x08\0"s, "0 axes");
  refused(small().substr(0, 9), "cut short in its idx header");
  refused(small().substr(0, 17), "holds 5 values, but its idx header says 6");
  refused(small().append("x"), "holds 7 values");
  refused("\0\0\x08\x03\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s, "more than 1 GiB");
  refused("\0\0\x08\x04\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s, "an empty array whose other axes");
  const std::string packed = gzipped(small());
  refused(packed.substr(0, packed.size() - 5), "cut short");
  std::string damaged = packed;
  damaged[damaged.size() - 6] ^= 1;
  refused(damaged, "damaged");
  refused(gzipped(packed).substr(0, 12), "cut short");
}

}  // namespace
}  // namespace reseda::tests
