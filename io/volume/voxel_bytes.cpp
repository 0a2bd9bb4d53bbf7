#include "io/volume/voxel_bytes.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "io/record/file_bytes.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

constexpr std::size_t kPiece = 1 << 18;

class PlainBytes {
 public:
  PlainBytes(const std::filesystem::path& file, std::uint64_t offset)
      : name_(file.string()), file_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)), offset_(offset) {
    RESEDA_REQUIRE(file_.valid(), Errc::kInput, name_, ": cannot read: ", std::strerror(errno));
  }
  /// @return bytes read, fewer than asked for only at the end of the file
  std::size_t read(std::span<char> out) {
    std::size_t got = 0;
    while (got < out.size()) {
      const ssize_t n = ::pread(file_.get(), out.data() + got, out.size() - got, static_cast<off_t>(offset_));
      if (n < 0 && errno == EINTR) continue;
      RESEDA_REQUIRE(n >= 0, Errc::kInput, name_, ": cannot read: ", std::strerror(errno));
      if (n == 0) break;
      got += static_cast<std::size_t>(n);
      offset_ += static_cast<std::uint64_t>(n);
    }
    return got;
  }

 private:
  std::string name_;
  Descriptor file_;
  std::uint64_t offset_;
};

class InflatedBytes {
 public:
  InflatedBytes(const std::filesystem::path& file, std::uint64_t offset)
      : name_(file.string()), packed_(file, offset), piece_(kPiece) {
    constexpr int kZlibOrGzip = 15 + 32;
    RESEDA_REQUIRE(inflateInit2(&stream_, kZlibOrGzip) == Z_OK, Errc::kInput, name_, ": zlib cannot start");
  }
  ~InflatedBytes() { inflateEnd(&stream_); }
  InflatedBytes(const InflatedBytes&) = delete;
  InflatedBytes& operator=(const InflatedBytes&) = delete;

  /// Exactly the bytes asked for.
  void read(std::span<char> out) {
    while (!out.empty()) {
      const std::size_t want = std::min<std::size_t>(out.size(), std::numeric_limits<uInt>::max());
      stream_.next_out = reinterpret_cast<Bytef*>(out.data());
      stream_.avail_out = static_cast<uInt>(want);
      RESEDA_REQUIRE(step(), Errc::kInput, name_, ": is cut short: its packed voxels end too early");
      out = out.subspan(want - stream_.avail_out);
    }
  }

  /// To the end of the member, where zlib compares its check sum.
  void finish() {
    std::array<char, 4096> rest;
    while (!ended_) {
      stream_.next_out = reinterpret_cast<Bytef*>(rest.data());
      stream_.avail_out = rest.size();
      RESEDA_REQUIRE(step(), Errc::kInput, name_, ": is cut short: its packed voxels have no end");
    }
  }

 private:
  /// One call of inflate. @return false when the file has no more bytes
  bool step() {
    if (stream_.avail_in == 0) {
      stream_.next_in = reinterpret_cast<Bytef*>(piece_.data());
      stream_.avail_in = static_cast<uInt>(packed_.read(piece_));
      if (stream_.avail_in == 0) return false;
    }
    if (ended_) inflateReset(&stream_);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    RESEDA_REQUIRE(result == Z_OK || result == Z_STREAM_END, Errc::kInput, name_,
                   ": is damaged: ", stream_.msg != nullptr ? stream_.msg : "its packed voxels cannot be unpacked");
    ended_ = result == Z_STREAM_END;
    return true;
  }

  std::string name_;
  PlainBytes packed_;
  std::vector<char> piece_;
  z_stream stream_{};
  bool ended_ = false;
};

void pass_over(InflatedBytes& bytes, std::uint64_t count) {
  std::array<char, 4096> passed;
  for (std::size_t n = 0; count > 0; count -= n) {
    n = static_cast<std::size_t>(std::min<std::uint64_t>(count, passed.size()));
    bytes.read(std::span(passed).first(n));
  }
}

}  // namespace

void read_voxel_bytes(const std::filesystem::path& file, const VolumeHeader& header, std::span<char> out) {
  if (header.deflated) {
    InflatedBytes bytes(file, header.offset);
    pass_over(bytes, header.skip);
    bytes.read(out);
    bytes.finish();
  } else {
    const std::size_t got = PlainBytes(file, header.offset).read(out);
    RESEDA_REQUIRE(got == out.size(), Errc::kInput, file.string(), ": is cut short: has ", got,
                   " bytes of voxels, expected ", out.size());
  }
  const std::size_t size = c10::elementSize(header.type);
  if (!header.swapped || size == 1) return;
  for (auto at = out.begin(); at != out.end(); at += static_cast<std::ptrdiff_t>(size))
    std::reverse(at, at + static_cast<std::ptrdiff_t>(size));
}

}  // namespace reseda::io::detail
