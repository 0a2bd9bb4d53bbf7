#include <sstream>

#include "modules/core/error.hpp"
#include "pipelines/common/flag_help.hpp"

namespace reseda::app {
namespace {

/// Text between single quotes of a shell; `doubled` is how that shell writes a single quote there.
std::string quoted(const std::string& text, const char* doubled) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += doubled;
    else
      out += c;
  }
  return out + "'";
}

std::string identifier(const std::string& program) {
  std::string out = program;
  for (char& c : out)
    if (c == '-') c = '_';
  return out;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

/// The shell pattern of the words that name a flag: "--output|-o".
std::string pattern(const Flag& flag) {
  return "--" + flag.name + (flag.letter == 0 ? std::string() : std::string("|-") + flag.letter);
}

std::string bash_script(const std::string& program, const std::vector<CompletionVerb>& verbs) {
  std::ostringstream out;
  std::string names;
  for (const CompletionVerb& verb : verbs)
    if (!verb.name.empty()) names += (names.empty() ? "" : " ") + verb.name;
  out << "# bash completion of " << program << ": put it into ~/.local/share/bash-completion/completions/" << program
      << "\n_" << identifier(program) << "() {\n"
      << "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=\n  COMPREPLY=()\n";
  if (!names.empty())
    out << "  if ((COMP_CWORD == 1)); then\n    COMPREPLY=($(compgen -W '" << names
        << " --help --version' -- \"$word\"))\n    return\n  fi\n  verb=${COMP_WORDS[1]}\n";
  out << "  case $verb in\n";
  for (const CompletionVerb& verb : verbs) {
    std::vector<std::string> words;
    out << "    " << (verb.name.empty() ? "''" : verb.name) << ")\n      case $before in\n";
    for (const Flag& flag : verb.flags.flags()) {
      if (flag.hidden || flag.positional) continue;
      words.push_back("--" + flag.name);
      if (flag.type == FlagType::kSwitch) continue;
      out << "        " << pattern(flag) << ") ";
      if (!flag.choices.empty())
        out << "COMPREPLY=($(compgen -W '" << joined(flag.choices) << "' -- \"$word\")); ";
      else if (flag.hint != ValueHint::kNone)
        out << "compopt -o filenames; COMPREPLY=($(compgen " << (flag.hint == ValueHint::kFolder ? "-d" : "-f")
            << " -- \"$word\")); ";
      out << "return ;;\n";
    }
    out << "      esac\n      if [[ $word == -* ]]; then\n        COMPREPLY=($(compgen -W '" << joined(words)
        << "' -- \"$word\"))\n        return\n      fi ;;\n";
  }
  out << "  esac\n  compopt -o filenames\n  COMPREPLY=($(compgen -f -- \"$word\"))\n}\ncomplete -F _"
      << identifier(program) << ' ' << program << '\n';
  return out.str();
}

/// Text inside a zsh _arguments specification: brackets and colons are its syntax.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

void zsh_flags(std::ostringstream& out, const FlagTable& table) {
  out << "_arguments -s -S";
  bool has_positional = false;
  for (const Flag& flag : table.flags()) {
    if (flag.hidden) continue;
    has_positional = has_positional || flag.positional;
    if (flag.positional) continue;
    std::string value;
    if (flag.type != FlagType::kSwitch) {
      const char* action = flag.hint == ValueHint::kFolder ? "_files -/"
                           : flag.hint == ValueHint::kFile ? "_files"
                                                           : " ";
      value = ":" + zsh_text(flag.word.empty() ? "value" : flag.word) + ":" +
              (flag.choices.empty() ? std::string(action) : "(" + joined(flag.choices) + ")");
    }
    const std::string any = flag.repeatable ? "*" : "";
    const std::string tail = "[" + zsh_text(flag.help) + "]" + value;
    out << " \\\n      " << quoted(any + "--" + flag.name + (value.empty() ? "" : "=") + tail, "'\\''");
    if (flag.letter != 0)
      out << " \\\n      " << quoted(any + "-" + flag.letter + (value.empty() ? "" : "+") + tail, "'\\''");
  }
  out << (has_positional ? " \\\n      '*:input:_files'\n" : "\n");
}

std::string zsh_script(const std::string& program, const std::vector<CompletionVerb>& verbs) {
  std::ostringstream out;
  out << "#compdef " << program << "\n# zsh completion: put it into a folder of $fpath as _" << program << "\n_"
      << identifier(program) << "() {\n";
  const bool has_verbs = !verbs.empty() && !verbs.front().name.empty();
  if (has_verbs) {
    out << "  if ((CURRENT == 2)); then\n    local -a verbs=(\n";
    for (const CompletionVerb& verb : verbs)
      out << "      " << quoted(zsh_text(verb.name) + ":" + verb.about, "'\\''") << '\n';
    out << "    )\n    _describe verb verbs\n    return\n  fi\n  local verb=${words[2]}\n"
        << "  shift words\n  ((CURRENT--))\n  case $verb in\n";
  }
  for (const CompletionVerb& verb : verbs) {
    if (has_verbs) out << "    " << verb.name << ")\n      ";
    zsh_flags(out, verb.flags);
    if (has_verbs) out << "      ;;\n";
  }
  if (has_verbs) out << "  esac\n";
  out << "}\n_" << identifier(program) << " \"$@\"\n";
  return out.str();
}

std::string fish_script(const std::string& program, const std::vector<CompletionVerb>& verbs) {
  std::ostringstream out;
  out << "# fish completion: put it into ~/.config/fish/completions/" << program << ".fish\n";
  for (const CompletionVerb& verb : verbs) {
    std::string condition;
    if (!verb.name.empty()) {
      out << "complete -c " << program << " -n __fish_use_subcommand -f -a " << verb.name << " -d "
          << quoted(verb.about, "\\'") << '\n';
      condition = " -n '__fish_seen_subcommand_from " + verb.name + "'";
    }
    for (const Flag& flag : verb.flags.flags()) {
      if (flag.hidden || flag.positional) continue;
      out << "complete -c " << program << condition << " -l " << flag.name;
      if (flag.letter != 0) out << " -s " << flag.letter;
      if (flag.type != FlagType::kSwitch) out << (flag.hint == ValueHint::kNone ? " -x" : " -r");
      if (!flag.choices.empty()) out << " -a " << quoted(joined(flag.choices), "\\'");
      out << " -d " << quoted(flag.help, "\\'") << '\n';
    }
  }
  return out.str();
}

}  // namespace

std::string completion_script(const std::string& shell, const std::string& program,
                              const std::vector<CompletionVerb>& verbs) {
  if (shell == "bash") return bash_script(program, verbs);
  if (shell == "zsh") return zsh_script(program, verbs);
  if (shell == "fish") return fish_script(program, verbs);
  reseda::detail::raise(Errc::kUsage, "--completion must be one of bash, zsh, fish; got '", shell, "'");
}

}  // namespace reseda::app
