#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reseda::app {

enum class FlagType { kSwitch, kInteger, kNumber, kText };

/// What a text value names, for shell completion.
enum class ValueHint { kNone, kFile, kFolder };

/// One option or positional argument: the single source of its parsing, help, JSON description and completion.
struct Flag {
  std::string name = "";  ///< without dashes, e.g. "output"; of a positional: its word in the help
  char letter = 0;        ///< short form, 0 for none
  FlagType type = FlagType::kText;
  std::string value = "";                       ///< default as text, "" for none
  std::string word = "";                        ///< what stands for the value in the help; by default from the type
  std::string help = "";                        ///< one sentence, without a full stop
  std::string group = "Options";                ///< heading in the help
  std::vector<std::string> choices = {};        ///< allowed values; empty for any
  std::optional<double> least = {}, most = {};  ///< allowed range of a number
  ValueHint hint = ValueHint::kNone;
  bool required = false;
  bool repeatable = false;  ///< may be given several times; a positional takes any number of words
  bool positional = false;
  bool hidden = false;  ///< accepted, but in no help or completion
};

/// The flags of one verb, in the order in which the help shows them.
class FlagTable {
 public:
  /// @throws Error{kInternal} if the name or letter is taken, or a positional follows one that takes any number of
  /// words
  FlagTable& add(Flag flag);
  FlagTable& add(const FlagTable& others);
  const std::vector<Flag>& flags() const { return flags_; }
  const Flag* find(std::string_view name) const;
  const Flag* find_letter(char letter) const;

 private:
  std::vector<Flag> flags_;
};

/// Parsed flags. Asking for a name that the table lacks, or as another type, is Error{kInternal}.
class Flags {
 public:
  explicit Flags(const FlagTable& table);

  bool given(const std::string& name) const;          ///< whether it was on the command line
  bool on(const std::string& name) const;             ///< of a switch
  std::int64_t count(const std::string& name) const;  ///< how often it was given
  const std::string& text(const std::string& name) const;
  std::int64_t integer(const std::string& name) const;
  double number(const std::string& name) const;
  const std::vector<std::string>& list(const std::string& name) const;  ///< of a repeatable flag
  const FlagTable& table() const { return table_; }

  /// Stores a value from the command line. @throws Error{kUsage} when it is not of the flag's type, range or choices
  void set(const std::string& name, const std::string& value);

 private:
  struct Slot {
    std::vector<std::string> values;
    std::int64_t given = 0;
  };
  const Flag& flag(const std::string& name) const;
  FlagTable table_;
  std::map<std::string, Slot> slots_;
};

/// Parses the words after the program's and verb's name. Accepts --key value, --key=value, -k value, -kvalue, joined
/// switches (-rv) and "--" before words that start with a dash; a lone "-" is a positional.
/// @throws Error{kUsage} on an unknown flag (naming the nearest), a missing or bad value, a flag given twice, or
/// missing
///         or surplus positionals
Flags parse_flags(const FlagTable& table, const std::vector<std::string>& words);

}  // namespace reseda::app
