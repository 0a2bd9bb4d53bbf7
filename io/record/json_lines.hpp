#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "io/record/file_bytes.hpp"
#include "modules/core/config_node.hpp"

namespace reseda::io {

/// One JSON object with typed values, keys in the order of adding, on one line.
class JsonObject {
 public:
  JsonObject& add(std::string_view key, std::string_view text);
  JsonObject& add(std::string_view key, const char* text) { return add(key, std::string_view(text)); }
  JsonObject& add(std::string_view key, const std::string& text) { return add(key, std::string_view(text)); }
  JsonObject& add(std::string_view key, std::int64_t number);
  JsonObject& add(std::string_view key, int number) { return add(key, static_cast<std::int64_t>(number)); }
  JsonObject& add(std::string_view key, std::size_t number) { return add(key, static_cast<std::int64_t>(number)); }
  JsonObject& add(std::string_view key, double number);  ///< null unless finite
  JsonObject& add(std::string_view key, bool value);
  JsonObject& add(std::string_view key, const ConfigNode& tree);
  std::string line() const { return "{" + body_ + "}"; }

 private:
  JsonObject& raw(std::string_view key, const std::string& json);
  std::string body_;
};

/// A file that several processes may append to at once: every line is one write with O_APPEND. A line that a killed
/// process left unfinished is closed first, so that it spoils nothing else.
class JsonLinesFile {
 public:
  /// Creates the file when absent. @throws Error{kOutput}
  explicit JsonLinesFile(std::filesystem::path path);
  void append(const std::string& line);

 private:
  std::filesystem::path path_;
  Descriptor file_;
};

/// Calls `use` with every object of the file in order. A last line without its end, and lines that are not a JSON
/// object of at most 1 MiB, are left out.
/// @return the number of lines left out; 0 for a missing file
/// @throws Error{kInput} if the file exists and cannot be read
std::size_t read_json_lines(const std::filesystem::path& path, const std::function<void(const ConfigNode&)>& use);

}  // namespace reseda::io
