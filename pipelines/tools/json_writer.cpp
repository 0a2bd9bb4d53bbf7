#include "pipelines/tools/json_writer.hpp"

#include <cmath>

#include "modules/core/config_node.hpp"
#include "pipelines/tools/plain_text.hpp"

namespace reseda::tools {

JsonWriter& JsonWriter::raw(std::string_view json) {
  if (!first_) std::fputs(", ", out_);
  std::fwrite(json.data(), 1, json.size(), out_);
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::open(char bracket) {
  raw(std::string_view(&bracket, 1));
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  std::fputc(bracket, out_);
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  raw(plain_json(name) + ": ");
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view value) { return raw(plain_json(value)); }

JsonWriter& JsonWriter::number(double value) { return raw(std::isfinite(value) ? number_text(value) : "null"); }

}  // namespace reseda::tools
