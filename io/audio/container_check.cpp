#include "io/audio/container_check.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "io/audio/ogg_pages.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

constexpr const char* kExpected = "expected wav, flac, ogg, mp3, aiff, au, caf or w64";
constexpr int kMaxChunks = 10'000;

/// How a container lays out its chunks.
struct Layout {
  std::int64_t first;        ///< offset of the first chunk
  int id_bytes, size_bytes;  ///< of a chunk's header
  bool big_endian;
  bool size_counts_header;
  int alignment;
  std::string_view data_id;
};
constexpr Layout kRiff{12, 4, 4, false, false, 2, "data"};
constexpr Layout kRifx{12, 4, 4, true, false, 2, "data"};
constexpr Layout kAiff{12, 4, 4, true, false, 2, "SSND"};
constexpr Layout kCaf{8, 4, 8, true, false, 1, "data"};
constexpr Layout kW64{40, 16, 8, false, true, 8, "data"};

class Bytes {
 public:
  explicit Bytes(int descriptor) : descriptor_(descriptor) {
    struct stat status {};
    size_ = ::fstat(descriptor, &status) == 0 ? status.st_size : 0;
  }
  std::int64_t size() const { return size_; }
  /// What is there of `count` bytes at `offset`.
  std::string_view at(std::int64_t offset, std::size_t count) {
    const ssize_t got = ::pread(descriptor_, buffer_.data(), std::min(count, buffer_.size()), offset);
    return {buffer_.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }

 private:
  int descriptor_;
  std::int64_t size_;
  std::array<char, 64> buffer_{};
};

std::uint64_t number(std::string_view bytes, bool big_endian) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[big_endian ? i : bytes.size() - 1 - i]);
  return value;
}

/// Sizes that programs write when they stream and do not know the length: all ones, or just below 2 or 4 GiB.
bool means_unknown(std::uint64_t size, int size_bytes) {
  if (size_bytes == 8) return size == ~0ULL;
  return size >= 0xFFFFF000U || (size >= 0x7FFFF000U && size <= 0x7FFFFFFFU);
}

std::string printable(std::string text) {
  for (char& c : text)
    if (c < 0x20 || c > 0x7E) c = '?';
  return text;
}

void require_data(std::uint64_t declared, std::int64_t there, const std::string& name) {
  RESEDA_REQUIRE(declared <= static_cast<std::uint64_t>(std::max<std::int64_t>(there, 0)), Errc::kInput, name,
                 ": is cut short: its header says ", declared, " bytes of samples, the file has ",
                 std::max<std::int64_t>(there, 0));
}

/// The size of the data, or nothing when neither the chunk nor RF64's ds64 before it tells.
std::optional<std::uint64_t> data_size(std::uint64_t size, bool unknown, std::uint64_t long_size) {
  if (!unknown) return size;
  return long_size != 0 ? std::optional(long_size) : std::nullopt;
}

void check_chunks(Bytes& file, const Layout& layout, const std::string& name) {
  const auto head = static_cast<std::uint64_t>(layout.id_bytes + layout.size_bytes);
  const auto end = static_cast<std::uint64_t>(file.size()), alignment = static_cast<std::uint64_t>(layout.alignment);
  std::uint64_t at = static_cast<std::uint64_t>(layout.first), long_size = 0;
  bool after_data = false;
  for (int i = 0; i < kMaxChunks; ++i) {
    const std::string header(file.at(static_cast<std::int64_t>(at), head));
    if (header.size() < head) return;
    at += head;
    const std::string id = header.substr(0, 4);
    std::uint64_t size =
        number(std::string_view(header).substr(static_cast<std::size_t>(layout.id_bytes)), layout.big_endian);
    const bool unknown = means_unknown(size, layout.size_bytes);
    if (layout.size_counts_header) size -= std::min(size, head);
    if (id == layout.data_id && !after_data) {
      const auto known = data_size(size, unknown, long_size);
      if (!known) return;
      size = *known;
      require_data(size, static_cast<std::int64_t>(end - at), name);
      after_data = true;
    }
    if (id == "ds64") {
      const std::string_view sizes = file.at(static_cast<std::int64_t>(at), 16);
      if (sizes.size() == 16) long_size = number(sizes.substr(8), false);
    }
    // libsndfile would go through such a chunk for minutes. After the data other programs leave all kinds of bytes.
    RESEDA_REQUIRE(size <= end - at || (after_data && id != "LIST"), Errc::kInput, name,
                   ": is damaged or cut short: chunk '", printable(id), "' says ", size, " bytes, the file has ",
                   end - at);
    if (size > end - at) return;
    at += (size + alignment - 1) / alignment * alignment;
  }
  reseda::detail::raise(Errc::kInput, name, ": has more than ", kMaxChunks, " chunks");
}

void check_au(Bytes& file, bool big_endian, const std::string& name) {
  const std::string_view header = file.at(0, 12);
  if (header.size() < 12) return;
  const auto offset = static_cast<std::int64_t>(number(header.substr(4, 4), big_endian));
  const std::uint64_t size = number(header.substr(8, 4), big_endian);
  if (!means_unknown(size, 4)) require_data(size, file.size() - offset, name);
}

/// Whether four bytes can start an MPEG audio frame: sync, version, layer, bit rate and sample rate all defined.
bool is_mpeg_frame(std::string_view b) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(b[i])); };
  return b.size() >= 4 && byte(0) == 0xFF && (byte(1) & 0xE0) == 0xE0 && (byte(1) & 0x18) != 0x08 &&
         (byte(1) & 0x06) != 0 && (byte(2) & 0xF0) != 0xF0 && (byte(2) & 0x0C) != 0x0C;
}

}  // namespace

void check_container(int descriptor, const std::string& name) {
  Bytes file(descriptor);
  RESEDA_REQUIRE(file.size() > 0, Errc::kInput, name, ": is empty (0 bytes), ", kExpected);
  const std::string head(file.at(0, 16));
  const auto starts = [&](std::string_view magic) { return head.compare(0, magic.size(), magic) == 0; };
  const std::string form = head.size() >= 12 ? head.substr(8, 4) : "";
  if ((starts("RIFF") || starts("RF64")) && form == "WAVE") return check_chunks(file, kRiff, name);
  if (starts("RIFX") && form == "WAVE") return check_chunks(file, kRifx, name);
  if (starts("FORM") && (form == "AIFF" || form == "AIFC")) return check_chunks(file, kAiff, name);
  if (starts("caff")) return check_chunks(file, kCaf, name);
  if (starts("riff\x2E\x91\xCF\x11")) return check_chunks(file, kW64, name);
  if (starts(".snd") || starts("dns.")) return check_au(file, starts(".snd"), name);
  if (starts("OggS")) {
    RESEDA_REQUIRE(!ogg_cut_short(descriptor), Errc::kInput, name, ": is cut short: its last Ogg page is incomplete");
    return;
  }
  RESEDA_REQUIRE(starts("fLaC") || starts("ID3") || is_mpeg_frame(head), Errc::kInput, name,
                 ": is not an audio file that can be read, ", kExpected);
}

}  // namespace reseda::io::detail
