#include "io/audio/ogg_pages.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace reseda::io::detail {
namespace {

// RFC 3533, section 6: fixed header, then a table of up to 255 segment lengths, then the segments.
constexpr std::size_t kFixedHeader = 27, kSerialAt = 14, kChecksumAt = 22, kSegmentsAt = 26;
constexpr std::int64_t kLargestPage = 27 + 255 + 255 * 255;

std::int64_t file_size(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 ? status.st_size : -1;
}

/// What is there of `count` bytes at `offset`.
std::vector<unsigned char> bytes_at(int descriptor, std::int64_t offset, std::int64_t count) {
  std::vector<unsigned char> bytes(static_cast<std::size_t>(count));
  const ssize_t got = ::pread(descriptor, bytes.data(), bytes.size(), offset);
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return bytes;
}

/// Length of the page that starts at `begin`, as far as its header is there; 0 when none starts there.
std::size_t page_length(const std::vector<unsigned char>& bytes, std::size_t begin) {
  const std::size_t there = bytes.size() - begin;
  const std::size_t magic = std::min<std::size_t>(there, 4);
  if (there == 0 || std::memcmp(bytes.data() + begin, "OggS", magic) != 0) return 0;
  if (there < kFixedHeader) return kFixedHeader;
  const std::size_t segments = bytes[begin + kSegmentsAt];
  std::size_t length = kFixedHeader + segments;
  for (std::size_t i = 0; i < segments && begin + kFixedHeader + i < bytes.size(); ++i)
    length += bytes[begin + kFixedHeader + i];
  return length;
}

/// CRC-32 of Ogg: polynomial 0x04C11DB7, most significant bit first, start 0, no final inversion.
std::uint32_t checksum(const unsigned char* bytes, std::size_t size) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> rows{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i << 24;
      for (int bit = 0; bit < 8; ++bit) value = (value << 1) ^ ((value >> 31) * 0x04C11DB7U);
      rows[i] = value;
    }
    return rows;
  }();
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = (value << 8) ^ table[(value >> 24) ^ bytes[i]];
  return value;
}

void store(unsigned char* bytes, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<unsigned char>(value >> (8 * i));
}

/// Whether a whole page starts at `begin`: "OggS" alone may also be four bytes of compressed audio.
bool is_whole_page(const std::vector<unsigned char>& bytes, std::size_t begin) {
  const std::size_t length = page_length(bytes, begin);
  if (length == 0 || length > bytes.size() - begin) return false;
  std::vector<unsigned char> page(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                                  bytes.begin() + static_cast<std::ptrdiff_t>(begin + length));
  std::array<unsigned char, 4> stored{}, computed{};
  std::memcpy(stored.data(), page.data() + kChecksumAt, stored.size());
  store(page.data() + kChecksumAt, 0);
  store(computed.data(), checksum(page.data(), length));
  return stored == computed;
}

}  // namespace

bool ogg_cut_short(int descriptor) {
  const std::int64_t size = file_size(descriptor), window = std::min(size, 2 * kLargestPage);
  if (window <= 0) return false;
  const std::vector<unsigned char> tail = bytes_at(descriptor, size - window, window);
  std::size_t at = 0;
  if (window < size) {  // from the start of the file pages follow each other; elsewhere the first one must be found
    while (at < tail.size() && !is_whole_page(tail, at)) ++at;
  }
  while (at < tail.size()) {
    const std::size_t length = page_length(tail, at);
    if (length == 0) return false;
    at += length;
  }
  return at > tail.size();
}

bool set_ogg_serial(int descriptor, std::uint32_t serial) {
  const std::int64_t size = file_size(descriptor);
  std::int64_t at = 0;
  while (at < size) {
    std::vector<unsigned char> page = bytes_at(descriptor, at, std::min(kLargestPage, size - at));
    const std::size_t length = page_length(page, 0);
    if (length == 0 || length > page.size()) return false;
    store(page.data() + kSerialAt, serial);
    store(page.data() + kChecksumAt, 0);
    store(page.data() + kChecksumAt, checksum(page.data(), length));
    if (::pwrite(descriptor, page.data(), kFixedHeader, at) != static_cast<ssize_t>(kFixedHeader)) return false;
    at += static_cast<std::int64_t>(length);
  }
  return size >= 0;
}

}  // namespace reseda::io::detail
