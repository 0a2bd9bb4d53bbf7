#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace reseda::io {

/// Whether text is UTF-8: shortest forms only, no surrogates, at most U+10FFFF.
bool is_utf8(std::string_view text);

/// Appends one character, U+0000 to U+10FFFF without surrogates.
void append_utf8(std::string& out, char32_t character);

/// The characters of a quoted string of protocol 0, with the escapes \\ \' \" \n \r \t \b \f \v \a \0.. and \xhh.
/// Nothing when it is not quoted or has another escape.
std::optional<std::string> unquote(std::string_view quoted);

/// UTF-8 of a text of protocol 0: Latin-1 with the escapes \uhhhh and \Uhhhhhhhh. Nothing when an escape is broken.
std::optional<std::string> raw_unicode(std::string_view text);

/// The decimal digits of a little-endian two's complement integer of any length.
std::string decimal(std::span<const std::byte> bytes);

}  // namespace reseda::io
