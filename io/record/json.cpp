#include "io/record/json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/record/file_bytes.hpp"

namespace reseda::io {
namespace {

class Events final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Events(std::string name, std::string_view text, Errc code, const TreeLimits& limits)
      : name_(std::move(name)), text_(text), builder_(limits, code) {}

  const ConfigNode& root() const { return builder_.root(); }

  bool null() override { return builder_.null(name_), true; }
  bool boolean(bool value) override { return add(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return add(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return add(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& spelling) override { return add(spelling); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return builder_.begin_map(name_), true; }
  bool key(string_t& value) override { return add(std::move(value)); }
  bool end_object() override { return builder_.end(), true; }
  bool start_array(std::size_t) override { return builder_.begin_list(name_), true; }
  bool end_array() override { return builder_.end(), true; }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    const auto upto = text_.substr(0, std::min(position, text_.size()));
    const auto line = std::count(upto.begin(), upto.end(), '\n') + 1;
    builder_.fail(name_, "not valid JSON at byte " + std::to_string(position) + " (line " + std::to_string(line) + ")");
  }

 private:
  bool add(std::string text) {
    builder_.scalar(std::move(text), name_);
    return true;
  }
  std::string name_;
  std::string_view text_;
  TreeBuilder builder_;
};

}  // namespace

ConfigNode parse_json(std::string_view text, const std::string& name, Errc code, const TreeLimits& limits) {
  RESEDA_REQUIRE(text.size() <= limits.bytes, code, name, ": larger than ", limits.bytes, " bytes");
  Events events(name, text, code, limits);
  nlohmann::json::sax_parse(text.begin(), text.end(), &events);
  return events.root();
}

ConfigNode read_json(const std::filesystem::path& file, Errc code, const TreeLimits& limits) {
  return parse_json(read_file(file, limits.bytes, code), file.string(), code, limits);
}

}  // namespace reseda::io
