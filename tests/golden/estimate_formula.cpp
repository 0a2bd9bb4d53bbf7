#include "tests/golden/estimate_formula.hpp"

#include <ATen/ATen.h>

#include <cctype>
#include <regex>
#include <vector>

#include "modules/core/error.hpp"

namespace reseda::golden {
namespace {

class Parser {
 public:
  Parser(const std::string& text, const std::map<std::string, at::Tensor>& names) : text_(text), names_(names) {}

  at::Tensor whole() {
    const at::Tensor value = sum();
    if (peek() != '\0') fail("an operator");
    return value;
  }

 private:
  char peek() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(std::string("'") + c + "'");
  }
  [[noreturn]] void fail(const std::string& wanted) {
    detail::raise(Errc::kInput, "formula '", text_, "': expected ", wanted, " at position ", at_);
  }

  at::Tensor sum() {
    at::Tensor value = product();
    for (;;) {
      if (take('+'))
        value = value + product();
      else if (take('-'))
        value = value - product();
      else
        return value;
    }
  }

  at::Tensor product() {
    at::Tensor value = factor();
    for (;;) {
      const char next = peek();
      if (take('*') || next == '(' || std::isalpha(static_cast<unsigned char>(next)) != 0)
        value = value * factor();
      else if (take('/'))
        value = value / factor();
      else
        return value;
    }
  }

  at::Tensor factor() {
    const char next = peek();
    if (take('-')) return -factor();
    if (take('(')) {
      const at::Tensor value = sum();
      expect(')');
      return value;
    }
    if (std::isdigit(static_cast<unsigned char>(next)) != 0 || next == '.') {
      std::size_t length = 0;
      const double number = std::stod(text_.substr(at_), &length);
      at_ += length;
      return at::scalar_tensor(number, at::kDouble);
    }
    if (std::isalpha(static_cast<unsigned char>(next)) != 0) return named();
    fail("a value");
  }

  at::Tensor named() {
    std::string name;
    while (at_ < text_.size() && std::isalnum(static_cast<unsigned char>(text_[at_])) != 0) name += text_[at_++];
    if (const auto found = names_.find(name); found != names_.end()) return found->second;
    expect('(');
    std::vector<at::Tensor> arguments = {sum()};
    while (take(',')) arguments.push_back(sum());
    expect(')');
    if (name == "tanh" && arguments.size() == 1) return at::tanh(arguments[0]);
    if (name == "abs" && arguments.size() == 1) return at::abs(arguments[0]);
    if (name == "clip" && arguments.size() == 3)
      return at::minimum(at::maximum(arguments[0], arguments[1]), arguments[2]);
    fail("a known function, got " + name);
  }

  const std::string& text_;
  const std::map<std::string, at::Tensor>& names_;
  std::size_t at_ = 0;
};

}  // namespace

at::Tensor evaluate_formula(const std::string& formula, const std::map<std::string, at::Tensor>& names) {
  static const std::regex delayed("(\\d+) zeros, then the first L-\\1 samples of (.*)");
  std::smatch match;
  if (!std::regex_match(formula, match, delayed)) return Parser(formula, names).whole();
  const at::Tensor value = evaluate_formula(match[2], names);
  const std::int64_t delay = std::min<std::int64_t>(std::stoll(match[1]), value.size(0));
  return at::constant_pad_nd(value.narrow(0, 0, value.size(0) - delay), {delay, 0});
}

}  // namespace reseda::golden
