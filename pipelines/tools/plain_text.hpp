#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// How values from files are shown to people.
namespace reseda::tools {

/// Text from an untrusted file, fit for a terminal: control characters (those of ASCII and U+0080 to U+009F), marks
/// that turn the direction of writing, line separators and bytes that are not UTF-8 become '?'. What is longer than
/// `most` bytes loses its middle to "...".
std::string plain_text(std::string_view text, std::size_t most = 120);

/// The same for JSON: a quoted string in which the characters that plain_text replaces are escaped.
std::string plain_json(std::string_view text);

/// "515 B", "8.7 KB", "1.3 GB": powers of 1000.
std::string size_text(std::uint64_t bytes);

/// "20", "65.6 M": powers of 1000 beyond 9999.
std::string count_text(std::uint64_t count);

/// "1 tensor", "647 tensors".
std::string counted(std::uint64_t count, const std::string& noun);

/// Three significant digits: "0", "0.00123", "1.2e-07", "inf".
std::string figure_text(double value);

}  // namespace reseda::tools
