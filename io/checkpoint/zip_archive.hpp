#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace reseda::io {

/// One file of a zip archive.
struct ZipEntry {
  std::string name;
  std::span<std::byte> data;  ///< as it lies in the archive: the content itself, or compressed
  bool deflated = false;
  std::uint64_t size = 0;  ///< of the content
  std::uint32_t crc32 = 0;
};

/// All deflated entries of an archive together may grow to this much more than 16 times the archive.
inline constexpr std::uint64_t kMaxZipGrowth = std::uint64_t{64} << 20;

/// The directory of a zip archive in memory, ZIP64 or not, checked: every entry lies inside the archive, overlaps no
/// other, agrees with its local header, is stored or deflated and not encrypted; no name is there twice; what deflated
/// entries claim to hold is bounded. No content is read. Checksums of stored entries are not looked at: PyTorch can
/// write files without them.
/// Source: PKWARE APPNOTE.TXT - .ZIP File Format Specification 6.3.10, sections 4.3 and 4.5.3.
class ZipArchive {
 public:
  /// @param bytes  the whole archive; must outlive this object
  /// @param file   its name in messages
  /// @throws Error{kCheckpoint} with the file's name, the entry's, and the rule that fails
  ZipArchive(std::span<std::byte> bytes, const std::string& file);

  const std::vector<ZipEntry>& entries() const { return entries_; }  ///< in the order of the directory
  /// nullptr when there is none.
  const ZipEntry* find(std::string_view name) const;

 private:
  std::vector<ZipEntry> entries_;
  std::map<std::string_view, std::size_t> index_;
};

/// Writes the content of a deflated entry into `out` (entry.size bytes) and checks its length and checksum.
/// @throws Error{kCheckpoint} naming file and entry
void inflate_entry(const ZipEntry& entry, std::span<std::byte> out, const std::string& file);

}  // namespace reseda::io
