#include "io/array/npy_header.hpp"

#include <algorithm>
#include <charconv>

#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::size_t kMaxAxes = 32;
constexpr std::int64_t kMaxValues = std::int64_t{1} << 48;

/// Walks over the text of one header.
class HeaderText {
 public:
  HeaderText(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  [[noreturn]] void refuse(const std::string& expected) const {
    detail::raise(Errc::kInput, where_, ": the array's header is not one of NumPy: expected ", expected,
                  " at its character ", place_);
  }
  bool next_is(char c) {
    skip_space();
    return place_ < text_.size() && text_[place_] == c;
  }
  bool take(char c) {
    if (!next_is(c)) return false;
    ++place_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) refuse(std::string("'") + c + "'");
  }
  void expect_end() {
    skip_space();
    if (place_ != text_.size()) refuse("its end");
  }
  std::string quoted() {
    const char quote = next_is('"') ? '"' : '\'';
    expect(quote);
    const std::size_t end = text_.find(quote, place_);
    if (end == std::string_view::npos) refuse("the end of a string");
    const std::string out(text_.substr(place_, end - place_));
    place_ = end + 1;
    return out;
  }
  bool boolean() {
    skip_space();
    for (const auto& [word, value] : {std::pair(std::string_view("True"), true), {"False", false}}) {
      if (text_.substr(place_).starts_with(word)) {
        place_ += word.size();
        return value;
      }
    }
    refuse("True or False");
  }
  std::int64_t whole_number() {
    skip_space();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data() + place_, text_.data() + text_.size(), value);
    if (error != std::errc() || value < 0) refuse("a whole number >= 0");
    place_ = static_cast<std::size_t>(end - text_.data());
    take('L');  // Python 2
    return value;
  }

 private:
  void skip_space() {
    while (place_ < text_.size() && (text_[place_] == ' ' || text_[place_] == '\n')) ++place_;
  }
  std::string_view text_;
  const std::string& where_;
  std::size_t place_ = 0;
};

std::vector<std::int64_t> parse_shape(HeaderText& text) {
  std::vector<std::int64_t> shape;
  std::int64_t values = 1;
  text.expect('(');
  while (!text.take(')')) {
    shape.push_back(text.whole_number());
    const std::int64_t side = std::max<std::int64_t>(shape.back(), 1);
    if (shape.size() > kMaxAxes || side > kMaxValues / values) text.refuse("fewer values");
    values *= side;
    if (!text.next_is(')')) text.expect(',');
  }
  return shape;
}

}  // namespace

NpyHeader parse_npy_header(std::string_view header, const std::string& where) {
  HeaderText text(header, where);
  NpyHeader out;
  std::vector<std::string> seen;
  text.expect('{');
  while (!text.take('}')) {
    const std::string key = text.quoted();
    if (std::find(seen.begin(), seen.end(), key) != seen.end()) text.refuse("each key once");
    seen.push_back(key);
    text.expect(':');
    if (key == "descr") {
      RESEDA_REQUIRE(!text.next_is('['), Errc::kInput, where, ": arrays of records are not supported");
      out.type = text.quoted();
    } else if (key == "fortran_order") {
      out.fortran_order = text.boolean();
    } else if (key == "shape") {
      out.shape = parse_shape(text);
    } else {
      text.refuse("descr, fortran_order or shape");
    }
    if (!text.next_is('}')) text.expect(',');
  }
  text.expect_end();
  if (seen.size() != 3) text.refuse("descr, fortran_order and shape");
  return out;
}

}  // namespace reseda::io
