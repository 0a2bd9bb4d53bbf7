#include "io/image/tiff_directory.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

void append_number(std::string& out, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i));
}

/// Width of the numbers that values of a type are made of: a RATIONAL is two LONGs.
std::size_t unit_of(std::uint16_t type) {
  const std::size_t size = tiff_type_size(type);
  return type == kRational || type == kSignedRational ? size / 2 : size;
}

}  // namespace

std::size_t tiff_type_size(std::uint16_t type) {
  constexpr std::array<std::size_t, 19> kSizes = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
  return type < kSizes.size() ? kSizes[type] : 0;
}

TiffBytes::TiffBytes(std::string_view bytes) : bytes_(bytes) {
  if (bytes.size() < 8) return;
  big_endian_ = bytes.starts_with("MM");
  if (!big_endian_ && !bytes.starts_with("II")) return;
  const std::uint64_t version = number(2, 2);
  if (version == 42) offset_size_ = 4;
  if (version == 43 && number(4, 2) == 8 && bytes.size() >= 16) offset_size_ = 8;
}

bool TiffBytes::inside(std::uint64_t offset, std::uint64_t size) const {
  return offset <= bytes_.size() && size <= bytes_.size() - offset;
}

std::uint64_t TiffBytes::number(std::uint64_t offset, std::size_t size) const {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t at = big_endian_ ? i : size - 1 - i;
    value = value << 8 | static_cast<unsigned char>(bytes_[static_cast<std::size_t>(offset) + at]);
  }
  return value;
}

std::string TiffBytes::values(std::uint64_t offset, std::uint64_t size, std::size_t unit) const {
  std::string out(bytes_.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(size)));
  if (big_endian_) {
    for (std::size_t at = 0; at + unit <= out.size(); at += unit) {
      std::reverse(out.begin() + static_cast<std::ptrdiff_t>(at), out.begin() + static_cast<std::ptrdiff_t>(at + unit));
    }
  }
  return out;
}

std::uint64_t TiffBytes::first_directory() const {
  RESEDA_INVARIANT(valid());
  return number(offset_size_ == 8 ? 8 : 4, offset_size_);
}

TiffBytes::Read TiffBytes::directory(std::uint64_t offset) const {
  RESEDA_INVARIANT(valid());
  Read read;
  const std::size_t count_size = offset_size_ == 8 ? 8 : 2, entry_size = offset_size_ == 8 ? 20 : 12;
  if (!inside(offset, count_size)) return read;
  const std::uint64_t count = number(offset, count_size), entries = offset + count_size;
  if (count > 65535 || !inside(entries, count * entry_size + offset_size_)) return read;
  std::uint64_t left = bytes_.size();
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t entry = entries + i * entry_size;
    TiffTag tag{static_cast<std::uint16_t>(number(entry, 2)), static_cast<std::uint16_t>(number(entry + 2, 2)), {}};
    const std::size_t size = tiff_type_size(tag.type);
    const std::uint64_t values_count = number(entry + 4, offset_size_);
    if (size == 0 || values_count > left / size) continue;
    const std::uint64_t total = values_count * size, place = entry + 4 + offset_size_;
    const std::uint64_t at = total <= offset_size_ ? place : number(place, offset_size_);
    if (!inside(at, total)) continue;
    tag.bytes = values(at, total, unit_of(tag.type));
    left -= total;
    read.tags.push_back(std::move(tag));
  }
  read.next = number(entries + count * entry_size, offset_size_);
  read.whole = true;
  return read;
}

const TiffTag* find_tag(const TiffDirectory& directory, std::uint16_t number) {
  const auto found =
      std::find_if(directory.begin(), directory.end(), [&](const TiffTag& tag) { return tag.number == number; });
  return found == directory.end() ? nullptr : &*found;
}

std::uint64_t tag_value(const TiffDirectory& directory, std::uint16_t number, std::uint64_t otherwise) {
  const TiffTag* tag = find_tag(directory, number);
  constexpr std::array<std::uint16_t, 6> kIntegers = {kByte, kShort, kLong, kIfd, kLong8, kIfd8};
  if (tag == nullptr || std::find(kIntegers.begin(), kIntegers.end(), tag->type) == kIntegers.end()) return otherwise;
  const std::size_t size = tiff_type_size(tag->type);
  if (tag->bytes.size() < size) return otherwise;
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(tag->bytes[i]);
  return value;
}

TiffTag short_tag(std::uint16_t number, std::span<const std::uint16_t> values) {
  TiffTag tag{number, kShort, {}};
  for (const std::uint16_t value : values) append_number(tag.bytes, value, 2);
  return tag;
}

TiffTag long_tag(std::uint16_t number, std::span<const std::uint32_t> values) {
  TiffTag tag{number, kLong, {}};
  for (const std::uint32_t value : values) append_number(tag.bytes, value, 4);
  return tag;
}

std::uint32_t append_directory(std::string& out, TiffDirectory directory) {
  std::stable_sort(directory.begin(), directory.end(),
                   [](const TiffTag& a, const TiffTag& b) { return a.number < b.number; });
  if (out.size() % 2 != 0) out += '\0';
  std::size_t end = out.size() + 2 + 12 * directory.size() + 4;
  const std::size_t start = out.size(), first_value = end;
  std::string entries, values;
  append_number(entries, directory.size(), 2);
  for (const TiffTag& tag : directory) {
    RESEDA_REQUIRE(tiff_type_size(tag.type) != 0, Errc::kOutput, "cannot write TIFF: tag ", tag.number,
                   " has the unknown type ", tag.type);
    append_number(entries, tag.number, 2);
    append_number(entries, tag.type, 2);
    append_number(entries, tag.bytes.size() / tiff_type_size(tag.type), 4);
    if (tag.bytes.size() <= 4) {
      entries += tag.bytes + std::string(4 - tag.bytes.size(), '\0');
      continue;
    }
    append_number(entries, first_value + values.size(), 4);
    values += tag.bytes;
    if (values.size() % 2 != 0) values += '\0';
  }
  append_number(entries, 0, 4);
  end = first_value + values.size();
  RESEDA_REQUIRE(end <= 0xFFFFFFFFU && directory.size() <= 65535, Errc::kOutput,
                 "cannot write TIFF: it would be larger than 4 GiB");
  out += entries + values;
  return static_cast<std::uint32_t>(start);
}

std::string tiff_header() { return std::string("II*\0\0\0\0\0", 8); }

void set_first_directory(std::string& out, std::uint32_t offset) {
  std::string number;
  append_number(number, offset, 4);
  out.replace(4, 4, number);
}

}  // namespace reseda::io::detail
