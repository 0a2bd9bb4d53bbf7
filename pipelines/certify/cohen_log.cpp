#include "pipelines/certify/cohen_log.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>

#include "modules/core/error.hpp"

namespace reseda::certify {
namespace {

constexpr int kMostDigits = 17;

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (std::size_t end = 0; end != std::string_view::npos;) {
    end = text.find(at);
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

template <class Number>
Number parse_number(std::string_view text, std::size_t line) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  RESEDA_REQUIRE(error == std::errc() && end == text.data() + text.size(), Errc::kInput, "line ", line, ": '", text,
                 "' is not a number");
  return value;
}

/// A finite number of 0 or more.
double parse_amount(std::string_view text, const char* what, std::size_t line) {
  const auto value = parse_number<double>(text, line);
  RESEDA_REQUIRE(std::isfinite(value) && value >= 0, Errc::kInput, "line ", line, ": ", what,
                 " must be a number of 0 or more, got ", text);
  return value;
}

/// The fewest significant digits that write a number as this text, from three on; three where none do.
int digits_of(std::string_view text, double value) {
  for (int digits = 3; digits <= kMostDigits; ++digits)
    if (significant_digits(value, digits) == text) return digits;
  return 3;
}

double parse_duration(std::string_view text, std::size_t line) {
  double days = 0;
  if (const auto comma = text.find(", "); comma != std::string_view::npos) {
    days = parse_amount(text.substr(0, text.find(' ')), "days", line);
    text.remove_prefix(comma + 2);
  }
  double seconds = 0;
  for (const std::string_view part : split(text, ':')) seconds = 60 * seconds + parse_amount(part, "time", line);
  const double total = 86400 * days + seconds;
  RESEDA_REQUIRE(total < 1e12, Errc::kInput, "line ", line, ": a time of ", total, " seconds");
  return total;
}

/// Where each named column stands.
class Columns {
 public:
  explicit Columns(std::string_view header) {
    const auto names = split(header, '\t');
    for (std::size_t i = 0; i < names.size(); ++i) at_[std::string(names[i])] = i;
    for (const char* name : {"idx", "label", "predict", "correct", "time"})
      RESEDA_REQUIRE(at_.count(name) != 0, Errc::kInput, "line 1: the header lacks the column ", name);
    count_ = names.size();
  }
  /// @param other_correct  is set where `correct` does not say whether the prediction is
  CohenRow row(const std::vector<std::string_view>& cells, std::size_t line, bool& other_correct) const {
    CohenRow row;
    row.index = parse_number<std::int64_t>(of(cells, "idx", line), line);
    row.label = parse_number<std::int64_t>(of(cells, "label", line), line);
    row.predicted = parse_number<std::int64_t>(of(cells, "predict", line), line);
    row.radius.reset();
    if (at_.count("radius") != 0) {
      const std::string_view text = of(cells, "radius", line);
      row.radius = parse_amount(text, "radius", line);
      row.radius_digits = digits_of(text, *row.radius);
    }
    const std::string_view time = of(cells, "time", line);
    row.seconds = parse_duration(time, line);
    row.plain_seconds = time.find(':') == std::string_view::npos;
    const auto stated = parse_number<std::int64_t>(of(cells, "correct", line), line);
    other_correct = other_correct || stated != static_cast<std::int64_t>(row.correct());
    return row;
  }

 private:
  std::string_view of(const std::vector<std::string_view>& cells, const char* name, std::size_t line) const {
    RESEDA_REQUIRE(cells.size() == count_, Errc::kInput, "line ", line, " has ", cells.size(), " columns, expected ",
                   count_);
    return cells[at_.at(name)];
  }

  std::map<std::string, std::size_t> at_;
  std::size_t count_;
};

}  // namespace

std::vector<stats::CertifiedImage> CohenLog::images() const {
  std::vector<stats::CertifiedImage> out;
  for (const CohenRow& row : rows) out.push_back({row.correct(), row.radius.value_or(0.0)});
  return out;
}

CohenLog parse_cohen_log(std::string_view text) {
  const auto lines = split(text, '\n');
  RESEDA_REQUIRE(lines.back().empty(), Errc::kInput, "line ", lines.size(),
                 " has no end: the file was cut in the middle of it");
  const Columns columns(lines.front());
  CohenLog log;
  std::map<std::int64_t, std::size_t> seen;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const std::size_t line = i + 1;
    const CohenRow row = columns.row(split(lines[i], '\t'), line, log.other_correct);
    const auto [before, is_new] = seen.emplace(row.index, line);
    RESEDA_REQUIRE(is_new, Errc::kInput, "line ", line, ": image ", row.index, " is on line ", before->second, " too");
    log.rows.push_back(row);
  }
  return log;
}

std::string cohen_header(bool with_radius) {
  return with_radius ? "idx\tlabel\tpredict\tradius\tcorrect\ttime" : "idx\tlabel\tpredict\tcorrect\ttime";
}

std::string cohen_line(const CohenRow& row) {
  std::string line =
      std::to_string(row.index) + '\t' + std::to_string(row.label) + '\t' + std::to_string(row.predicted);
  if (row.radius) line += '\t' + significant_digits(*row.radius, row.radius_digits);
  line += row.correct() ? "\t1\t" : "\t0\t";
  return line + (row.plain_seconds ? three_digits(row.seconds) : duration_text(row.seconds));
}

std::string three_digits(double value) { return significant_digits(value, 3); }

std::string significant_digits(double value, int count) {
  std::array<char, 40> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*e", count - 1, value);
  const std::string text = buffer.data();
  const std::size_t mark = text.find('e');
  RESEDA_REQUIRE(mark != std::string::npos, Errc::kInternal, "a radius must be finite, got ", value);
  const bool negative = text.front() == '-';
  const int exponent = std::stoi(text.substr(mark + 1));
  std::string digits = text.substr(negative, mark - negative);
  digits.erase(1, 1);
  while (digits.size() > 1 && digits.back() == '0') digits.pop_back();
  std::string out;
  if (exponent < -4 || exponent >= count - 1) {
    out = digits.substr(0, 1) + (digits.size() > 1 ? "." + digits.substr(1) : "") + text.substr(mark);
  } else if (exponent < 0) {
    out = "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  } else {
    const auto whole = static_cast<std::size_t>(exponent) + 1;
    digits.resize(std::max(digits.size(), whole + 1), '0');
    out = digits.substr(0, whole) + "." + digits.substr(whole);
  }
  return negative ? "-" + out : out;
}

std::string duration_text(double seconds) {
  const auto micros = static_cast<std::int64_t>(std::nearbyint(seconds * 1e6));
  const std::int64_t whole = micros / 1000000, days = whole / 86400, rest = whole % 86400;
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%lld:%02lld:%02lld", static_cast<long long>(rest / 3600),
                static_cast<long long>(rest / 60 % 60), static_cast<long long>(rest % 60));
  std::string text = buffer.data();
  if (micros % 1000000 != 0) {
    std::snprintf(buffer.data(), buffer.size(), ".%06lld", static_cast<long long>(micros % 1000000));
    text += buffer.data();
  }
  if (days == 0) return text;
  return std::to_string(days) + (days == 1 ? " day, " : " days, ") + text;
}

std::vector<std::int64_t> cohen_subset(std::int64_t total, std::int64_t skip, std::int64_t max) {
  RESEDA_REQUIRE(skip >= 1, Errc::kUsage, "smoothing.skip must be >= 1, got ", skip);
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < total && i != max; i += skip) chosen.push_back(i);
  return chosen;
}

}  // namespace reseda::certify
