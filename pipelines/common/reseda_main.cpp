// The umbrella program: "reseda speech enhance ..." runs reseda-speech, as git does with its commands.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "modules/core/config_node.hpp"
#include "modules/core/error.hpp"

namespace {

namespace fs = std::filesystem;
using reseda::Errc;

constexpr std::string_view kPrefix = "reseda-";

struct Known {
  const char *name, *about;
};
constexpr std::array<Known, 5> kKnown = {{{"speech", "enhance, evaluate and train on speech recordings"},
                                          {"medical", "restore CT, MR and PET, reconstruct from k-space"},
                                          {"infrared", "enlarge infrared images"},
                                          {"certify", "certify classifiers by randomised smoothing"},
                                          {"tools", "look at models, checkpoints and this machine"}}};

std::vector<fs::path> program_folders() {
  std::vector<fs::path> folders;
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (!error) folders.push_back(self.parent_path());
  const char* variable = std::getenv("PATH");
  std::string_view rest = variable == nullptr ? "" : variable;
  while (!rest.empty()) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    if (colon > 0) folders.emplace_back(rest.substr(0, colon));
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return folders;
}

/// Programs by name, each where it is found first.
std::map<std::string, fs::path> installed_programs() {
  std::map<std::string, fs::path> programs;
  for (const fs::path& folder : program_folders()) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator(); it.increment(error)) {
      const std::string name = it->path().filename().string();
      if (name.rfind(kPrefix, 0) != 0 || name.size() == kPrefix.size()) continue;
      std::error_code ignored;
      if (it->is_regular_file(ignored) && ::access(it->path().c_str(), X_OK) == 0)
        programs.emplace(name.substr(kPrefix.size()), it->path());
    }
  }
  return programs;
}

std::string about(const std::string& name) {
  for (const Known& known : kKnown)
    if (name == known.name) return known.about;
  return "";
}

void print_help() {
  std::printf(
      "Usage: reseda PROGRAM VERB [options]\n\nRestores degraded signals with residual diffusion.\n\nInstalled:\n");
  for (const auto& [name, path] : installed_programs()) std::printf("  %-12s %s\n", name.c_str(), about(name).c_str());
  std::printf("\nreseda help PROGRAM shows a program's verbs, reseda help PROGRAM VERB a verb's options.\n");
}

void print_completion(const std::string& shell) {
  std::string names;
  for (const auto& [name, path] : installed_programs()) names += (names.empty() ? "" : " ") + name;
  if (shell == "bash") {
    std::printf(
        "_reseda() {\n  if ((COMP_CWORD == 1)); then\n"
        "    COMPREPLY=($(compgen -W '%s help --help --version' -- \"${COMP_WORDS[1]}\"))\n    return\n  fi\n"
        "  local program=reseda-${COMP_WORDS[1]}\n  local complete_program=_${program//-/_}\n"
        "  declare -F \"$complete_program\" >/dev/null || eval \"$(\"$program\" --completion bash 2>/dev/null)\"\n"
        "  COMP_WORDS=(\"$program\" \"${COMP_WORDS[@]:2}\")\n  ((COMP_CWORD--))\n"
        "  declare -F \"$complete_program\" >/dev/null && \"$complete_program\"\n}\ncomplete -F _reseda reseda\n",
        names.c_str());
  } else if (shell == "zsh") {
    std::printf(
        "#compdef reseda\nif ((CURRENT == 2)); then\n  compadd %s help\nelse\n  shift words\n  ((CURRENT--))\n"
        "  words[1]=reseda-$words[1]\n  eval \"$($words[1] --completion zsh 2>/dev/null)\"\nfi\n",
        names.c_str());
  } else if (shell == "fish") {
    std::printf(
        "function __reseda_rest\n  set -l words (commandline -opc)\n  set -e words[1]\n"
        "  complete -C \"reseda-\"(string join ' ' -- $words)\" \"(commandline -ct)\nend\n"
        "complete -c reseda -n __fish_use_subcommand -f -a '%s help'\n"
        "complete -c reseda -n 'not __fish_use_subcommand' -a '(__reseda_rest)'\n",
        names.c_str());
  } else {
    reseda::detail::raise(Errc::kUsage, "--completion must be one of bash, zsh, fish; got '", shell, "'");
  }
}

[[noreturn]] void run(const std::string& name, const std::vector<std::string>& words) {
  const auto programs = installed_programs();
  const auto found = programs.find(name);
  if (found == programs.end()) {
    std::vector<std::string> names;
    std::string all;
    for (const auto& [known, path] : programs) {
      names.push_back(known);
      all += (all.empty() ? "" : ", ") + known;
    }
    const std::string near = reseda::nearest_name(name, names);
    reseda::detail::raise(Errc::kUsage, "no program '", name, "' is installed",
                          near.empty() ? std::string() : "; did you mean '" + near + "'?",
                          " (installed: ", all.empty() ? "none" : all, ")");
  }
  std::vector<char*> arguments = {const_cast<char*>(found->second.c_str())};
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execv(found->second.c_str(), arguments.data());
  reseda::detail::raise(Errc::kUsage, found->second.string(), ": cannot be run: ", std::strerror(errno));
}

int dispatch(std::vector<std::string> words) {
  RESEDA_REQUIRE(!words.empty(), Errc::kUsage, "a program is missing; see reseda help");
  std::string first = words.front();
  words.erase(words.begin());
  if (first == "--version") {
    std::printf("reseda %s\n", RESEDA_VERSION);
  } else if (first == "--completion") {
    print_completion(words.empty() ? "" : words.front());
  } else if ((first == "help" || first == "--help" || first == "-h") && words.empty()) {
    print_help();
  } else if (first == "help") {
    first = words.front();
    words.front() = words.size() > 1 ? words[1] : "--help";
    if (words.size() > 1) words = {words.front(), "--help"};
    run(first, words);
  } else {
    RESEDA_REQUIRE(first.rfind('-', 0) != 0, Errc::kUsage, "a program must come first, got '", first,
                   "'; see reseda help");
    run(first, words);
  }
  RESEDA_REQUIRE(std::fflush(stdout) == 0, Errc::kOutput, "standard output: cannot write: ", std::strerror(errno));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return dispatch(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
  } catch (const reseda::Error& error) {
    std::fprintf(stderr, "reseda: %s: %s\n", reseda::errc_name(error.code()), error.what());
    return error.exit_code();
  }
}
