#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "modules/core/error.hpp"

namespace reseda::io {

/// A whole regular file of at most `limit` bytes. @throws Error{code} with the path and what the system says
std::string read_file(const std::filesystem::path& file, std::size_t limit, Errc code = Errc::kInput);

/// Writes all bytes to a descriptor. @throws Error{kOutput} "name: cannot write: ..."
void write_bytes(int descriptor, std::string_view bytes, const std::string& name);

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : value_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  int get() const { return value_; }
  bool valid() const { return value_ >= 0; }
  int release();
  void close();

 private:
  int value_;
};

}  // namespace reseda::io
