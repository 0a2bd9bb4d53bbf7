#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/io/checkpoint/zip_builder.hpp"

namespace reseda::tests {

/// Writes the instructions of a pickle, one function each; << joins them.
class Pickle {
 public:
  Pickle& raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  Pickle& mark() { return raw("("); }
  Pickle& text(const std::string& value) {
    bytes_ += 'X';
    put(bytes_, value.size(), 4);
    return raw(value);
  }
  Pickle& integer(std::int64_t value) {
    bytes_ += "\x8a\x08";
    put(bytes_, static_cast<std::uint64_t>(value), 8);
    return *this;
  }
  Pickle& global(const std::string& module, const std::string& name) { return raw("c" + module + "\n" + name + "\n"); }
  Pickle& integers(const std::vector<std::int64_t>& values) {
    mark();
    for (const std::int64_t value : values) integer(value);
    return raw("t");
  }
  /// A storage by its persistent id.
  Pickle& storage(const std::string& type, const std::string& key, std::int64_t elements) {
    return mark().text("storage").global("torch", type).text(key).text("cpu").integer(elements).raw("tQ");
  }
  /// torch._utils._rebuild_tensor_v2 of a storage that was written before `end`.
  Pickle& tensor(const std::string& type, const std::string& key, std::int64_t elements, std::int64_t offset,
                 const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& strides,
                 const std::string& metadata = "") {
    global("torch._utils", "_rebuild_tensor_v2").mark().storage(type, key, elements).integer(offset);
    return integers(sizes).integers(strides).raw("\x89}").raw(metadata).raw("tR");
  }
  std::string end() const { return bytes_ + "."; }

 private:
  std::string bytes_ = std::string("\x80\x02", 2);
};

/// A torch zip file: a pickle and its storages.
struct TorchZip {
  std::string pickle;
  std::map<std::string, std::string> storages;
  std::string byteorder = "little";
  std::size_t align = 64;
  bool deflate = false;
  std::string damaged = {};  ///< key of a storage with a wrong checksum

  std::string bytes() const {
    ZipBuilder zip;
    zip.add({.name = "archive/data.pkl", .content = pickle, .deflate = deflate});
    if (!byteorder.empty()) zip.add("archive/byteorder", byteorder);
    for (const auto& [key, content] : storages) {
      ZipBuilder::Item item{.name = "archive/data/" + key, .content = content, .deflate = deflate, .align = align};
      if (key == damaged) item.crc = 12345;
      zip.add(item);
    }
    zip.add("archive/version", "3\n");
    return zip.bytes();
  }
};

/// A legacy torch file: its five pickles, then counts and bytes.
struct TorchLegacy {
  std::string pickle;
  std::vector<std::string> keys;
  std::string storages;  ///< int64 counts and elements
  std::string magic = std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  std::string little = "\x88";

  std::string bytes() const {
    Pickle list;
    list.raw("](");
    for (const std::string& key : keys) list.text(key);
    return magic + Pickle().raw("M\xe9\x03").end() + Pickle().raw("}").text("little_endian").raw(little + "s").end() +
           pickle + list.raw("e").end() + storages;
  }
};

/// Numbers as bytes, little endian.
template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string out(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(out.data(), values.data(), out.size());
  return out;
}

}  // namespace reseda::tests
