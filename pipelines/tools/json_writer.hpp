#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <type_traits>

namespace reseda::tools {

/// Writes one JSON value piece by piece, so that a long one is never whole in memory. Texts are escaped such that a
/// terminal shows them and does not obey them.
class JsonWriter {
 public:
  explicit JsonWriter(std::FILE* out) : out_(out) {}
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_list() { return open('['); }
  JsonWriter& end_list() { return close(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& text(std::string_view value);
  JsonWriter& number(double value);  ///< null unless finite
  JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
  JsonWriter& raw(std::string_view json);  ///< as it is
  JsonWriter& null() { return raw("null"); }
  template <class Integer>
  JsonWriter& integer(Integer value) {
    static_assert(std::is_integral_v<Integer>);
    return raw(std::to_string(value));
  }

  JsonWriter& field(std::string_view name, std::string_view value) { return key(name).text(value); }
  JsonWriter& field(std::string_view name, const char* value) { return key(name).text(value); }
  JsonWriter& field(std::string_view name, const std::string& value) { return key(name).text(value); }
  template <class Number>
  JsonWriter& field(std::string_view name, Number value) {
    key(name);
    if constexpr (std::is_same_v<Number, bool>)
      return boolean(value);
    else if constexpr (std::is_floating_point_v<Number>)
      return number(value);
    else
      return integer(value);
  }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  std::FILE* out_;
  bool first_ = true;  ///< of the innermost object or list, nothing was written yet
};

}  // namespace reseda::tools
