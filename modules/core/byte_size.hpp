#pragma once

#include <cstdint>
#include <string>

namespace reseda {

/// "4GiB", "500MB", "4096M", "2000000" as bytes: K, M, G, T are powers of 1024 with or without "iB"; with "B", of 1000.
/// @param name  of what has this size, for the message, e.g. "--max-memory"
/// @throws Error{kUsage}
std::int64_t parse_bytes(const std::string& name, const std::string& text);

/// "300 MiB", "1.2 GiB"
std::string bytes_text(std::int64_t bytes);

}  // namespace reseda
