#include "pipelines/common/flags.hpp"

#include <tclap/CmdLine.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <utility>

#include "modules/core/config.hpp"
#include "modules/core/error.hpp"

namespace reseda::app {
namespace {

std::string shown(const Flag& flag) { return flag.positional ? flag.name : "--" + flag.name; }

[[noreturn]] void unknown_flag(const FlagTable& table, const std::string& word) {
  std::vector<std::string> names;
  for (const Flag& flag : table.flags())
    if (!flag.positional && !flag.hidden) names.push_back("--" + flag.name);
  const std::string near = word.rfind("--", 0) == 0 ? nearest_name(word, names) : std::string();
  reseda::detail::raise(Errc::kUsage, "unknown flag '", word, "'",
                        near.empty() ? std::string("; see --help") : "; did you mean '" + near + "'?");
}

/// The words as TCLAP takes them ("--key value", one letter per word), and those that are positional whatever they
/// look like.
struct Words {
  std::vector<std::string> labelled, plain;
};

void split_long(const FlagTable& table, const std::string& word, std::vector<std::string>& out, bool& value_follows) {
  const std::size_t equals = word.find('=');
  const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
  const Flag* flag = table.find(name);
  if (flag == nullptr || flag->positional) unknown_flag(table, word.substr(0, equals));
  RESEDA_REQUIRE(equals == std::string::npos || flag->type != FlagType::kSwitch, Errc::kUsage, "--", name,
                 " takes no value, got '", word.substr(equals + 1), "'");
  out.push_back("--" + name);
  if (equals != std::string::npos) out.push_back(word.substr(equals + 1));
  value_follows = equals == std::string::npos && flag->type != FlagType::kSwitch;
}

void split_short(const FlagTable& table, const std::string& word, std::vector<std::string>& out, bool& value_follows) {
  for (std::size_t i = 1; i < word.size(); ++i) {
    const Flag* flag = table.find_letter(word[i]);
    if (flag == nullptr) unknown_flag(table, "-" + word.substr(i, 1));
    out.push_back("--" + flag->name);
    if (flag->type == FlagType::kSwitch) continue;
    std::string rest = word.substr(i + 1);
    value_follows = rest.empty();
    if (!rest.empty()) out.push_back(rest.front() == '=' ? rest.substr(1) : rest);
    return;
  }
}

Words split_words(const FlagTable& table, const std::vector<std::string>& words) {
  Words out;
  bool value_follows = false, only_plain = false;
  for (const std::string& word : words) {
    if (only_plain) {
      out.plain.push_back(word);
    } else if (std::exchange(value_follows, false)) {
      out.labelled.push_back(word);
    } else if (word == "--") {
      only_plain = true;
    } else if (word.rfind("--", 0) == 0) {
      split_long(table, word, out.labelled, value_follows);
    } else if (word.size() > 1 && word.front() == '-') {
      split_short(table, word, out.labelled, value_follows);
    } else {
      out.plain.push_back(word);
    }
  }
  RESEDA_REQUIRE(!value_follows, Errc::kUsage, out.labelled.back(), " needs a value");
  return out;
}

/// TCLAP's arguments for the labelled flags of a table.
struct TclapArguments {
  TCLAP::CmdLine line{"", ' ', "", false};
  std::vector<std::pair<std::string, std::unique_ptr<TCLAP::MultiArg<std::string>>>> values;
  std::vector<std::pair<std::string, std::unique_ptr<TCLAP::MultiSwitchArg>>> switches;

  explicit TclapArguments(const FlagTable& table) {
    line.setExceptionHandling(false);
    for (const Flag& flag : table.flags()) {
      if (flag.positional) continue;
      if (flag.type == FlagType::kSwitch) {
        switches.emplace_back(flag.name, std::make_unique<TCLAP::MultiSwitchArg>("", flag.name, flag.help));
        line.add(*switches.back().second);
      } else {
        values.emplace_back(flag.name,
                            std::make_unique<TCLAP::MultiArg<std::string>>("", flag.name, flag.help, false, "value"));
        line.add(*values.back().second);
      }
    }
  }
};

void assign_positionals(const FlagTable& table, const std::vector<std::string>& words, Flags& out) {
  std::size_t next = 0;
  for (const Flag& flag : table.flags()) {
    if (!flag.positional) continue;
    RESEDA_REQUIRE(next < words.size() || !flag.required, Errc::kUsage, flag.name, " is missing; see --help");
    const std::size_t end = flag.repeatable ? words.size() : std::min(next + 1, words.size());
    while (next < end) out.set(flag.name, words[next++]);
  }
  RESEDA_REQUIRE(next == words.size(), Errc::kUsage, "'", words[next], "' is one word too many; see --help");
}

}  // namespace

FlagTable& FlagTable::add(Flag flag) {
  RESEDA_INVARIANT(!flag.name.empty() && find(flag.name) == nullptr);
  RESEDA_INVARIANT(flag.letter == 0 || find_letter(flag.letter) == nullptr);
  if (flag.positional)
    for (const Flag& other : flags_) RESEDA_INVARIANT(!other.positional || !other.repeatable);
  flags_.push_back(std::move(flag));
  return *this;
}

FlagTable& FlagTable::add(const FlagTable& others) {
  for (const Flag& flag : others.flags_) add(flag);
  return *this;
}

const Flag* FlagTable::find(std::string_view name) const {
  const auto found = std::find_if(flags_.begin(), flags_.end(), [&](const Flag& flag) { return flag.name == name; });
  return found == flags_.end() ? nullptr : &*found;
}

const Flag* FlagTable::find_letter(char letter) const {
  const auto found =
      std::find_if(flags_.begin(), flags_.end(), [&](const Flag& flag) { return flag.letter == letter; });
  return found == flags_.end() ? nullptr : &*found;
}

Flags::Flags(const FlagTable& table) : table_(table) {
  for (const Flag& flag : table_.flags()) {
    Slot& slot = slots_[flag.name];
    if (!flag.repeatable && flag.type != FlagType::kSwitch) slot.values = {flag.value};
    if (flag.repeatable && !flag.value.empty()) slot.values = {flag.value};
  }
}

const Flag& Flags::flag(const std::string& name) const {
  const Flag* found = table_.find(name);
  if (found == nullptr) reseda::detail::raise(Errc::kInternal, "internal error: flag '", name, "' is not in the table");
  return *found;
}

void Flags::set(const std::string& name, const std::string& value) {
  const Flag& f = flag(name);
  Slot& slot = slots_.at(name);
  if (f.type == FlagType::kSwitch) {
    ++slot.given;
    return;
  }
  RESEDA_REQUIRE(f.repeatable || slot.given == 0, Errc::kUsage, shown(f), " is given twice");
  if (!f.choices.empty() && std::find(f.choices.begin(), f.choices.end(), value) == f.choices.end()) {
    std::string all;
    for (const std::string& choice : f.choices) all += (all.empty() ? "" : ", ") + choice;
    reseda::detail::raise(Errc::kUsage, shown(f), " must be one of ", all, "; got '", value, "'");
  }
  if (f.type == FlagType::kInteger || f.type == FlagType::kNumber) {
    double number = 0;
    std::int64_t whole = 0;
    const char *begin = value.data(), *end = begin + value.size();
    const auto result =
        f.type == FlagType::kInteger ? std::from_chars(begin, end, whole) : std::from_chars(begin, end, number);
    if (f.type == FlagType::kInteger) number = static_cast<double>(whole);
    RESEDA_REQUIRE(result.ec == std::errc() && result.ptr == end && std::isfinite(number), Errc::kUsage, shown(f),
                   " must be a ", f.type == FlagType::kInteger ? "whole number" : "finite number", ", got '", value,
                   "'");
    RESEDA_REQUIRE(!f.least || number >= *f.least, Errc::kUsage, shown(f), " must be >= ", number_text(*f.least),
                   ", got ", value);
    RESEDA_REQUIRE(!f.most || number <= *f.most, Errc::kUsage, shown(f), " must be <= ", number_text(*f.most), ", got ",
                   value);
  }
  if (slot.given++ == 0) slot.values.clear();
  slot.values.push_back(value);
}

bool Flags::given(const std::string& name) const { return count(name) > 0; }

std::int64_t Flags::count(const std::string& name) const {
  flag(name);
  return slots_.at(name).given;
}

bool Flags::on(const std::string& name) const {
  RESEDA_INVARIANT(flag(name).type == FlagType::kSwitch);
  return slots_.at(name).given > 0;
}

const std::string& Flags::text(const std::string& name) const {
  RESEDA_INVARIANT(flag(name).type != FlagType::kSwitch && !flag(name).repeatable);
  return slots_.at(name).values.front();
}

std::int64_t Flags::integer(const std::string& name) const {
  RESEDA_INVARIANT(flag(name).type == FlagType::kInteger);
  const std::string& value = text(name);
  std::int64_t number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  return number;
}

double Flags::number(const std::string& name) const {
  RESEDA_INVARIANT(flag(name).type == FlagType::kNumber || flag(name).type == FlagType::kInteger);
  const std::string& value = text(name);
  double number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  return number;
}

const std::vector<std::string>& Flags::list(const std::string& name) const {
  RESEDA_INVARIANT(flag(name).repeatable && flag(name).type != FlagType::kSwitch);
  return slots_.at(name).values;
}

Flags parse_flags(const FlagTable& table, const std::vector<std::string>& words) {
  const Words split = split_words(table, words);
  Flags out(table);
  try {
    TclapArguments arguments(table);
    std::vector<std::string> line = {"reseda"};
    line.insert(line.end(), split.labelled.begin(), split.labelled.end());
    arguments.line.parse(line);
    for (const auto& [name, argument] : arguments.switches)
      for (int i = 0; i < argument->getValue(); ++i) out.set(name, "");
    for (const auto& [name, argument] : arguments.values)
      for (const std::string& value : argument->getValue()) out.set(name, value);
  } catch (const TCLAP::ArgException& error) {
    reseda::detail::raise(Errc::kUsage, error.error(), " ", error.argId());
  }
  for (const Flag& flag : table.flags())
    RESEDA_REQUIRE(flag.positional || !flag.required || out.given(flag.name), Errc::kUsage, "--", flag.name,
                   " is missing; see --help");
  assign_positionals(table, split.plain, out);
  return out;
}

}  // namespace reseda::app
