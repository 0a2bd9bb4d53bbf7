#pragma once

#include <string>
#include <vector>

#include "pipelines/common/flags.hpp"

namespace reseda::app {

/// What the help says besides the flags.
struct HelpPage {
  std::string command;  ///< e.g. "reseda-speech enhance"
  std::string about;
  std::string example;
};

/// Usage line, description, positionals, then the options by group with their defaults, and an example; at most 100
/// columns.
std::string help_text(const HelpPage& page, const FlagTable& table);

/// The same as one JSON object: {"command", "about", "example", "flags": [{"name", "letter", "type", "default", ...}]}.
std::string help_json(const HelpPage& page, const FlagTable& table);

/// One verb as completion sees it.
struct CompletionVerb {
  std::string name, about;  ///< name "" for a program without verbs
  FlagTable flags;
};

/// A script for bash, zsh or fish that completes verbs, flags, choices and file names of a program.
/// @throws Error{kUsage} for another shell
std::string completion_script(const std::string& shell, const std::string& program,
                              const std::vector<CompletionVerb>& verbs);

}  // namespace reseda::app
