#pragma once

#include <zlib.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace reseda::tests {

/// Appends a number, little endian.
inline void put(std::string& out, std::uint64_t value, int width) {
  for (int i = 0; i < width; ++i) out += static_cast<char>(value >> (8 * i));
}

/// Raw deflate data.
inline std::string deflated(const std::string& content) {
  std::string out(content.size() + content.size() / 100 + 64, '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  deflateEnd(&stream);
  return out.substr(0, stream.total_out);
}

/// Writes zip archives, also wrong ones: what is set in an item replaces the truth.
class ZipBuilder {
 public:
  struct Item {
    std::string name, content;
    bool deflate = false;
    std::size_t align = 1;  ///< of the data, by padding the local header
    std::optional<std::uint64_t> size = {}, packed = {}, offset = {}, method = {}, flags = {}, crc = {};
    std::optional<std::string> local_name = {};
    std::optional<std::uint64_t> local_size = {};
  };

  ZipBuilder& add(Item item) {
    items_.push_back(std::move(item));
    return *this;
  }
  ZipBuilder& add(const std::string& name, const std::string& content) { return add(Item{name, content}); }

  bool zip64 = false;      ///< end records, sizes and offsets of 64 bits
  std::string before_end;  ///< bytes between the directory and the end record
  std::string comment;     ///< of the archive
  std::optional<std::uint64_t> entries, directory_size, directory_offset, locator_offset;

  std::string bytes() const {
    std::string out, directory;
    for (const Item& item : items_) write(item, out, directory);
    const std::uint64_t at = out.size();
    out += directory + before_end;
    const std::uint64_t count = entries.value_or(items_.size());
    const std::uint64_t size = directory_size.value_or(directory.size()), offset = directory_offset.value_or(at);
    if (zip64) {
      const std::uint64_t record = out.size();
      out += "PK\x06\x06";
      put(out, 44, 8);
      put(out, 45, 2);
      put(out, 45, 2);
      put(out, 0, 8);
      put(out, count, 8);
      put(out, count, 8);
      put(out, size, 8);
      put(out, offset, 8);
      out += "PK\x06\x07";
      put(out, 0, 4);
      put(out, locator_offset.value_or(record), 8);
      put(out, 1, 4);
    }
    out += "PK\x05\x06";
    put(out, 0, 4);
    put(out, zip64 ? 0xFFFF : count, 2);
    put(out, zip64 ? 0xFFFF : count, 2);
    put(out, zip64 ? 0xFFFFFFFF : size, 4);
    put(out, zip64 ? 0xFFFFFFFF : offset, 4);
    put(out, comment.size(), 2);
    return out + comment;
  }

 private:
  void write(const Item& item, std::string& out, std::string& directory) const {
    const std::string data = item.deflate ? deflated(item.content) : item.content;
    const std::uint64_t size = item.size.value_or(item.content.size()), packed = item.packed.value_or(data.size());
    const std::uint64_t method = item.method.value_or(item.deflate ? 8 : 0), flags = item.flags.value_or(0);
    const std::uint64_t offset = item.offset.value_or(out.size());
    const std::uint64_t crc = item.crc.value_or(
        crc32(0, reinterpret_cast<const Bytef*>(item.content.data()), static_cast<uInt>(item.content.size())));
    const std::string local_name = item.local_name.value_or(item.name);
    std::string extra, local_extra;
    if (zip64) {
      put(extra, 1, 2);
      put(extra, 24, 2);
      put(extra, size, 8);
      put(extra, packed, 8);
      put(extra, offset, 8);
      put(local_extra, 1, 2);
      put(local_extra, 16, 2);
      put(local_extra, size, 8);
      put(local_extra, packed, 8);
    }
    const std::size_t head = out.size() + 30 + local_name.size() + local_extra.size();
    if (item.align > 1) {
      const std::size_t padding = (item.align - (head + 4) % item.align) % item.align;
      local_extra += "FB";
      put(local_extra, padding, 2);
      local_extra += std::string(padding, 'Z');
    }
    const auto narrow = [&](std::uint64_t value) { return zip64 ? 0xFFFFFFFF : value; };
    out += "PK\x03\x04";
    put(out, 20, 2);
    put(out, flags, 2);
    put(out, method, 2);
    put(out, 0, 4);
    put(out, crc, 4);
    put(out, narrow(packed), 4);
    put(out, narrow(item.local_size.value_or(size)), 4);
    put(out, local_name.size(), 2);
    put(out, local_extra.size(), 2);
    out += local_name + local_extra + data;
    directory += "PK\x01\x02";
    put(directory, 20, 2);
    put(directory, 20, 2);
    put(directory, flags, 2);
    put(directory, method, 2);
    put(directory, 0, 4);
    put(directory, crc, 4);
    put(directory, narrow(packed), 4);
    put(directory, narrow(size), 4);
    put(directory, item.name.size(), 2);
    put(directory, extra.size(), 2);
    put(directory, 0, 2);
    put(directory, 0, 8);
    put(directory, narrow(offset), 4);
    directory += item.name + extra;
  }

  std::vector<Item> items_;
};

/// The bytes of a text, for the readers.
inline std::span<std::byte> span_of(std::string& text) {
  return {reinterpret_cast<std::byte*>(text.data()), text.size()};
}

}  // namespace reseda::tests
