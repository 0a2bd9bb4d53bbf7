#include "io/checkpoint/zip_archive.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>

#include "io/checkpoint/byte_reader.hpp"
#include "io/checkpoint/safetensors_header.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50, kDirectorySignature = 0x02014b50, kEnd64Signature = 0x06064b50,
                        kLocatorSignature = 0x07064b50;
constexpr std::array<char, 4> kEndSignature = {'P', 'K', 5, 6};
constexpr std::size_t kEndBytes = 22, kLocatorBytes = 20, kDirectoryEntryBytes = 46, kLocalBytes = 30;
constexpr std::uint64_t kNarrow16 = 0xFFFF, kNarrow32 = 0xFFFFFFFF;  // "see the ZIP64 field"
constexpr std::uint64_t kEncrypted = 1 << 0, kSizesFollow = 1 << 3, kStrongEncryption = 1 << 6;
constexpr std::uint16_t kZip64Field = 1;
constexpr std::uint64_t kStored = 0, kDeflated = 8;

/// What both headers of an entry say.
struct Header {
  std::uint64_t flags = 0, method = 0, crc32 = 0, packed = 0, size = 0, offset = 0;
  std::string_view name, extra;
};

/// Where the directory lies.
struct Directory {
  std::uint64_t entries = 0, bytes = 0, offset = 0;
};

/// A reader of the archive from `offset` on.
ByteReader reader_at(std::span<const std::byte> bytes, std::uint64_t offset, const std::string& where) {
  RESEDA_REQUIRE(offset <= bytes.size(), Errc::kCheckpoint, where, ": lies at byte ", offset, ", beyond the end at ",
                 bytes.size(), " (truncated?)");
  return {bytes.subspan(static_cast<std::size_t>(offset)), where};
}

/// Replaces sizes and the offset that do not fit 32 bits by those of the ZIP64 extra field.
void widen(Header& header, bool with_offset, const std::string& where) {
  ByteReader extra(std::as_bytes(std::span(header.extra)), where + ": extra field");
  const bool wide =
      header.size == kNarrow32 || header.packed == kNarrow32 || (with_offset && header.offset == kNarrow32);
  while (wide && extra.left() >= 4) {
    const std::uint64_t id = extra.number(2), length = extra.number(2);
    if (id != kZip64Field) {
      extra.take(length);
      continue;
    }
    if (header.size == kNarrow32) header.size = extra.number(8);
    if (header.packed == kNarrow32) header.packed = extra.number(8);
    if (with_offset && header.offset == kNarrow32) header.offset = extra.number(8);
    return;
  }
}

/// The end record: the last thing in the file but for a comment of the length it states.
std::uint64_t find_end(std::span<const std::byte> bytes, const std::string& file) {
  RESEDA_REQUIRE(bytes.size() >= kEndBytes, Errc::kCheckpoint, file, ": ", bytes.size(),
                 " bytes are too few for a zip archive (truncated?)");
  const std::size_t last = bytes.size() - kEndBytes;
  for (std::size_t comment = 0; comment <= std::min<std::size_t>(last, kNarrow16); ++comment) {
    const auto record = bytes.subspan(last - comment, kEndBytes);
    if (std::memcmp(record.data(), kEndSignature.data(), kEndSignature.size()) != 0) continue;
    if (ByteReader(record.subspan(kEndBytes - 2), file).number(2) == comment) return last - comment;
  }
  detail::raise(Errc::kCheckpoint, file, ": zip archive without its directory at the end (a truncated download?)");
}

std::optional<Directory> find_directory64(std::span<const std::byte> bytes, std::uint64_t end,
                                          const std::string& file) {
  if (end < kLocatorBytes) return std::nullopt;
  ByteReader locator = reader_at(bytes, end - kLocatorBytes, file);
  if (locator.number(4) != kLocatorSignature) return std::nullopt;
  locator.take(4);
  const std::uint64_t offset = locator.number(8);
  RESEDA_REQUIRE(locator.number(4) <= 1, Errc::kCheckpoint, file, ": zip archive in several parts");
  ByteReader record = reader_at(bytes, offset, file + ": zip64 end record");
  RESEDA_REQUIRE(record.number(4) == kEnd64Signature, Errc::kCheckpoint, file, ": no zip64 end record at byte ",
                 offset);
  record.take(20);
  Directory out;
  const std::uint64_t here = record.number(8);
  out.entries = record.number(8);
  RESEDA_REQUIRE(here == out.entries, Errc::kCheckpoint, file, ": zip archive in several parts");
  out.bytes = record.number(8);
  out.offset = record.number(8);
  return out;
}

Directory find_directory(std::span<const std::byte> bytes, const std::string& file) {
  const std::uint64_t end = find_end(bytes, file);
  ByteReader record = reader_at(bytes, end + 8, file);
  Directory narrow;
  const std::uint64_t here = record.number(2);
  narrow.entries = record.number(2);
  narrow.bytes = record.number(4);
  narrow.offset = record.number(4);
  RESEDA_REQUIRE(here == narrow.entries, Errc::kCheckpoint, file, ": zip archive in several parts");
  const Directory wide = find_directory64(bytes, end, file).value_or(narrow);
  const auto agree = [](std::uint64_t narrow_value, std::uint64_t wide_value, std::uint64_t mark) {
    return narrow_value == wide_value || narrow_value == mark;
  };
  RESEDA_REQUIRE(agree(narrow.entries, wide.entries, kNarrow16) && agree(narrow.bytes, wide.bytes, kNarrow32) &&
                     agree(narrow.offset, wide.offset, kNarrow32),
                 Errc::kCheckpoint, file, ": the two end records of the zip archive disagree");
  RESEDA_REQUIRE(wide.offset <= end && wide.bytes <= end - wide.offset, Errc::kCheckpoint, file, ": zip directory of ",
                 wide.bytes, " bytes at byte ", wide.offset, " lies outside the file (truncated?)");
  RESEDA_REQUIRE(wide.entries <= wide.bytes / kDirectoryEntryBytes, Errc::kCheckpoint, file, ": zip directory of ",
                 wide.bytes, " bytes cannot list ", wide.entries, " entries");
  return wide;
}

Header read_directory_entry(ByteReader& directory, const std::string& file) {
  RESEDA_REQUIRE(directory.number(4) == kDirectorySignature, Errc::kCheckpoint, file,
                 ": zip directory is damaged near its byte ", directory.position());
  Header out;
  directory.take(4);
  out.flags = directory.number(2);
  out.method = directory.number(2);
  directory.take(4);
  out.crc32 = directory.number(4);
  out.packed = directory.number(4);
  out.size = directory.number(4);
  const std::uint64_t name = directory.number(2), extra = directory.number(2), comment = directory.number(2);
  directory.take(8);
  out.offset = directory.number(4);
  out.name = directory.text(name);
  out.extra = directory.text(extra);
  directory.take(comment);
  return out;
}

/// The local header at its offset; returns the bytes it takes in all.
std::uint64_t read_local_header(std::span<const std::byte> bytes, std::uint64_t offset, const std::string& where,
                                Header& out) {
  ByteReader local = reader_at(bytes, offset, where + ": local header");
  RESEDA_REQUIRE(local.number(4) == kLocalSignature, Errc::kCheckpoint, where, ": no local header at byte ", offset);
  local.take(2);
  out.flags = local.number(2);
  out.method = local.number(2);
  local.take(4);
  out.crc32 = local.number(4);
  out.packed = local.number(4);
  out.size = local.number(4);
  const std::uint64_t name = local.number(2), extra = local.number(2);
  out.name = local.text(name);
  out.extra = local.text(extra);
  return kLocalBytes + name + extra;
}

void check_header(const Header& header, const std::string& where) {
  RESEDA_REQUIRE((header.flags & (kEncrypted | kStrongEncryption)) == 0, Errc::kCheckpoint, where, ": is encrypted");
  RESEDA_REQUIRE(header.method == kStored || header.method == kDeflated, Errc::kCheckpoint, where,
                 ": compression method ", header.method, ", expected stored or deflated");
  RESEDA_REQUIRE(header.method == kDeflated || header.packed == header.size, Errc::kCheckpoint, where,
                 ": stored, but its two sizes ", header.packed, " and ", header.size, " differ");
}

/// One entry with its extent [offset, end) in the archive.
struct Placed {
  ZipEntry entry;
  std::uint64_t offset = 0, end = 0;
};

Placed place(const Header& header, std::span<std::byte> bytes, std::uint64_t limit, const std::string& where) {
  check_header(header, where);
  Header local;
  const std::uint64_t head = read_local_header(bytes, header.offset, where, local);
  widen(local, false, where);
  const bool later = (local.flags & kSizesFollow) != 0 && local.packed == 0 && local.size == 0;
  RESEDA_REQUIRE(local.name == header.name && local.method == header.method &&
                     ((local.flags ^ header.flags) & (kEncrypted | kStrongEncryption)) == 0 &&
                     (later || (local.packed == header.packed && local.size == header.size)),
                 Errc::kCheckpoint, where, ": local header and directory disagree");
  std::uint64_t begin = 0, end = 0;
  const bool overflow =
      __builtin_add_overflow(header.offset, head, &begin) || __builtin_add_overflow(begin, header.packed, &end);
  RESEDA_REQUIRE(!overflow && end <= limit, Errc::kCheckpoint, where, ": ", header.packed, " bytes at byte ",
                 header.offset, " do not lie before the directory at byte ", limit);
  Placed out;
  out.offset = header.offset;
  out.end = end;
  out.entry.name = std::string(header.name);
  out.entry.data = bytes.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(header.packed));
  out.entry.deflated = header.method == kDeflated;
  out.entry.size = header.size;
  out.entry.crc32 = static_cast<std::uint32_t>(header.crc32);
  return out;
}

void check_overlap(const std::vector<Placed>& placed, const std::string& file) {
  std::vector<std::size_t> order(placed.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return placed[a].offset < placed[b].offset; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    const Placed &before = placed[order[i - 1]], &after = placed[order[i]];
    RESEDA_REQUIRE(before.end <= after.offset, Errc::kCheckpoint, file, ": zip entries ",
                   quoted_name(before.entry.name), " and ", quoted_name(after.entry.name), " overlap");
  }
}

void check_growth(const std::vector<Placed>& placed, std::uint64_t archive, const std::string& file) {
  const std::uint64_t limit = kMaxZipGrowth + 16 * archive;
  std::uint64_t total = 0;
  for (const Placed& one : placed) {
    if (!one.entry.deflated) continue;
    const bool overflow = __builtin_add_overflow(total, one.entry.size, &total);
    RESEDA_REQUIRE(!overflow && total <= limit, Errc::kCheckpoint, file, ": zip entry ", quoted_name(one.entry.name),
                   ": compressed entries claim to hold more than ", limit, " bytes (a zip bomb?)");
  }
}

}  // namespace

ZipArchive::ZipArchive(std::span<std::byte> bytes, const std::string& file) {
  const Directory where = find_directory(bytes, file);
  ByteReader directory(std::span<const std::byte>(bytes).subspan(static_cast<std::size_t>(where.offset),
                                                                 static_cast<std::size_t>(where.bytes)),
                       file + ": zip directory");
  std::vector<Placed> placed;
  for (std::uint64_t i = 0; i < where.entries; ++i) {
    Header header = read_directory_entry(directory, file);
    const std::string name = file + ": zip entry " + quoted_name(header.name);
    widen(header, true, name);
    placed.push_back(place(header, bytes, where.offset, name));
  }
  RESEDA_REQUIRE(directory.left() == 0, Errc::kCheckpoint, file, ": zip directory has ", directory.left(),
                 " bytes after its last entry");
  check_overlap(placed, file);
  check_growth(placed, bytes.size(), file);
  entries_.reserve(placed.size());
  for (Placed& one : placed) {
    entries_.push_back(std::move(one.entry));
    const bool fresh = index_.emplace(entries_.back().name, entries_.size() - 1).second;
    RESEDA_REQUIRE(fresh, Errc::kCheckpoint, file, ": zip entry ", quoted_name(entries_.back().name),
                   " is there twice");
  }
}

const ZipEntry* ZipArchive::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

void inflate_entry(const ZipEntry& entry, std::span<std::byte> out, const std::string& file) {
  constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
  z_stream stream{};
  RESEDA_REQUIRE(::inflateInit2(&stream, -MAX_WBITS) == Z_OK, Errc::kCheckpoint, file, ": zip entry ",
                 quoted_name(entry.name), ": cannot decompress: out of memory");
  std::size_t read = 0, written = 0;
  int status = Z_OK;
  Bytef nothing = 0;
  while (status == Z_OK) {
    const auto in = static_cast<uInt>(std::min(entry.data.size() - read, kMost));
    const auto room = static_cast<uInt>(std::min(out.size() - written, kMost));
    stream.next_in = reinterpret_cast<Bytef*>(entry.data.data() + read);
    stream.avail_in = in;
    stream.next_out = room > 0 ? reinterpret_cast<Bytef*>(out.data() + written) : &nothing;
    stream.avail_out = room;
    status = ::inflate(&stream, Z_NO_FLUSH);
    read += in - stream.avail_in;
    written += room - stream.avail_out;
  }
  ::inflateEnd(&stream);
  RESEDA_REQUIRE(status == Z_STREAM_END && read == entry.data.size() && written == out.size(), Errc::kCheckpoint, file,
                 ": zip entry ", quoted_name(entry.name), ": compressed data is damaged or not of its stated size");
  uLong sum = ::crc32(0, Z_NULL, 0);
  for (std::size_t at = 0; at < out.size(); at += kMost)
    sum = ::crc32(sum, reinterpret_cast<const Bytef*>(out.data() + at),
                  static_cast<uInt>(std::min(out.size() - at, kMost)));
  RESEDA_REQUIRE(sum == entry.crc32, Errc::kCheckpoint, file, ": zip entry ", quoted_name(entry.name),
                 ": checksum does not match: the file is damaged");
}

}  // namespace reseda::io
