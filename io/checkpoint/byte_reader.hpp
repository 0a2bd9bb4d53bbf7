#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "modules/core/error.hpp"

namespace reseda::io {

/// Reads little-endian numbers and stretches of untrusted bytes one after the other, never beyond their end.
class ByteReader {
 public:
  /// @param where  what messages call the bytes, such as "a.pt: data.pkl"
  ByteReader(std::span<const std::byte> bytes, std::string where) : bytes_(bytes), where_(std::move(where)) {}

  std::size_t position() const { return position_; }
  std::size_t left() const { return bytes_.size() - position_; }
  const std::string& where() const { return where_; }

  /// The next `count` bytes. @throws Error{kCheckpoint} when fewer are left
  std::span<const std::byte> take(std::uint64_t count) {
    RESEDA_REQUIRE(count <= left(), Errc::kCheckpoint, where_, ": byte ", position_, ": needs ", count,
                   " bytes more, there are ", left(), " (truncated?)");
    const auto out = bytes_.subspan(position_, static_cast<std::size_t>(count));
    position_ += out.size();
    return out;
  }

  /// An unsigned number of `width` bytes, 1 to 8.
  std::uint64_t number(std::size_t width) {
    std::uint64_t value = 0;
    const auto bytes = take(width);
    for (std::size_t i = 0; i < width; ++i) value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
    return value;
  }

  std::string_view text(std::uint64_t count) {
    const auto bytes = take(count);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  /// The bytes up to the next newline, which is passed over. @throws Error{kCheckpoint} when there is none within
  /// `longest` bytes
  std::string_view line(std::size_t longest) {
    const auto rest = bytes_.subspan(position_, std::min(left(), longest + 1));
    const auto end = std::find(rest.begin(), rest.end(), std::byte{'\n'});
    RESEDA_REQUIRE(end != rest.end(), Errc::kCheckpoint, where_, ": byte ", position_, ": no end of line within ",
                   rest.size(), " bytes", rest.size() > longest ? "" : " (truncated?)");
    const std::string_view out = text(static_cast<std::uint64_t>(end - rest.begin()));
    ++position_;
    return out;
  }

 private:
  std::span<const std::byte> bytes_;
  std::string where_;
  std::size_t position_ = 0;
};

}  // namespace reseda::io
