#include "modules/core/byte_size.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "modules/core/error.hpp"

namespace reseda {

std::int64_t parse_bytes(const std::string& name, const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  double factor = 1;
  bool known = error == std::errc() && std::isfinite(number) && number > 0;
  if (!unit.empty() && unit != "B") {
    const std::size_t power = std::string_view("KMGT").find(unit.front());
    const std::string rest = unit.substr(1);
    known = known && power != std::string_view::npos && (rest.empty() || rest == "B" || rest == "iB");
    if (known) factor = std::pow(rest == "B" ? 1000.0 : 1024.0, static_cast<double>(power + 1));
  }
  RESEDA_REQUIRE(known && number * factor < 1e18, Errc::kUsage, name, " must be a size like 4GiB, got '", text, "'");
  return static_cast<std::int64_t>(number * factor);
}

std::string bytes_text(std::int64_t bytes) {
  std::array<char, 32> text{};
  const double mib = static_cast<double>(bytes) / (1 << 20);
  if (mib < 1024)
    std::snprintf(text.data(), text.size(), "%.0f MiB", mib);
  else
    std::snprintf(text.data(), text.size(), "%.1f GiB", mib / 1024);
  return text.data();
}

}  // namespace reseda
