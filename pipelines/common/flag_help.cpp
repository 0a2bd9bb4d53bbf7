#include "pipelines/common/flag_help.hpp"

#include <algorithm>
#include <sstream>

#include "modules/core/config.hpp"

namespace reseda::app {
namespace {

constexpr std::size_t kWidth = 100, kIndent = 28;

std::string word_of(const Flag& flag) {
  if (!flag.word.empty()) return flag.word;
  if (!flag.choices.empty()) {
    std::string all;
    for (const std::string& choice : flag.choices) all += (all.empty() ? "" : "|") + choice;
    return all;
  }
  switch (flag.type) {
    case FlagType::kInteger:
      return "N";
    case FlagType::kNumber:
      return "X";
    default:
      return "TEXT";
  }
}

const char* type_name(FlagType type) {
  switch (type) {
    case FlagType::kSwitch:
      return "switch";
    case FlagType::kInteger:
      return "integer";
    case FlagType::kNumber:
      return "number";
    case FlagType::kText:
      return "text";
  }
  return "text";
}

void wrap(std::ostringstream& out, const std::string& text, std::size_t column, std::size_t indent) {
  std::istringstream words(text);
  std::string word;
  bool first = true;
  while (words >> word) {
    if (!first && column + 1 + word.size() > kWidth) {
      out << '\n' << std::string(indent, ' ');
      column = indent;
      first = true;
    }
    out << (first ? "" : " ") << word;
    column += word.size() + (first ? 0 : 1);
    first = false;
  }
  out << '\n';
}

void write_row(std::ostringstream& out, const std::string& left, const std::string& text) {
  out << "  " << left;
  std::size_t column = left.size() + 2;
  if (column + 2 > kIndent) {
    out << '\n';
    column = 0;
  }
  out << std::string(kIndent - column, ' ');
  wrap(out, text, kIndent, kIndent);
}

std::string description(const Flag& flag) {
  std::string text = flag.help;
  if (!flag.choices.empty() && !flag.word.empty()) {
    std::string all;
    for (const std::string& choice : flag.choices) all += (all.empty() ? "" : ", ") + choice;
    text += " (" + all + ")";
  }
  if (flag.required && !flag.positional) text += " (required)";
  if (flag.repeatable && !flag.positional && flag.type != FlagType::kSwitch) text += " (repeatable)";
  if (!flag.value.empty()) text += " [" + flag.value + "]";
  return text;
}

std::string left_column(const Flag& flag) {
  std::string left = flag.letter == 0 ? std::string("    ") : std::string("-") + flag.letter + ", ";
  left += "--" + flag.name;
  return flag.type == FlagType::kSwitch ? left : left + " " + word_of(flag);
}

}  // namespace

std::string help_text(const HelpPage& page, const FlagTable& table) {
  std::ostringstream out;
  out << "Usage: " << page.command << " [options]";
  std::vector<std::string> groups;
  for (const Flag& flag : table.flags()) {
    if (flag.hidden) continue;
    if (flag.positional) {
      const std::string word = flag.name + (flag.repeatable ? "..." : "");
      out << ' ' << (flag.required ? word : "[" + word + "]");
    } else if (std::find(groups.begin(), groups.end(), flag.group) == groups.end()) {
      groups.push_back(flag.group);
    }
  }
  out << "\n\n";
  wrap(out, page.about, 0, 0);
  bool headed = false;
  for (const Flag& flag : table.flags()) {
    if (!flag.positional || flag.hidden) continue;
    if (!headed) out << "\nArguments:\n";
    headed = true;
    write_row(out, flag.name, description(flag));
  }
  for (const std::string& group : groups) {
    out << '\n' << group << ":\n";
    for (const Flag& flag : table.flags())
      if (!flag.positional && !flag.hidden && flag.group == group) write_row(out, left_column(flag), description(flag));
  }
  if (!page.example.empty()) out << "\nExample:\n  " << page.example << '\n';
  return out.str();
}

std::string help_json(const HelpPage& page, const FlagTable& table) {
  std::ostringstream out;
  out << "{\"command\": " << json_quoted(page.command) << ", \"about\": " << json_quoted(page.about)
      << ", \"example\": " << json_quoted(page.example) << ", \"flags\": [";
  bool first = true;
  for (const Flag& flag : table.flags()) {
    if (flag.hidden) continue;
    out << (first ? "\n" : ",\n") << "  {\"name\": " << json_quoted(flag.name)
        << ", \"letter\": " << (flag.letter == 0 ? "null" : json_quoted(std::string(1, flag.letter)))
        << ", \"type\": \"" << type_name(flag.type)
        << "\", \"default\": " << (flag.value.empty() ? "null" : json_quoted(flag.value)) << ", \"choices\": [";
    for (std::size_t i = 0; i < flag.choices.size(); ++i) out << (i ? ", " : "") << json_quoted(flag.choices[i]);
    out << "], \"least\": " << (flag.least ? number_text(*flag.least) : "null")
        << ", \"most\": " << (flag.most ? number_text(*flag.most) : "null") << ", \"required\": " << std::boolalpha
        << flag.required << ", \"repeatable\": " << flag.repeatable << ", \"positional\": " << flag.positional
        << ", \"group\": " << json_quoted(flag.positional ? "Arguments" : flag.group)
        << ", \"help\": " << json_quoted(flag.help) << '}';
    first = false;
  }
  out << "\n]}\n";
  return out.str();
}

}  // namespace reseda::app
