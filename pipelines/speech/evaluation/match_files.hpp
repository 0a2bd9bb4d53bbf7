#pragma once

#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

namespace reseda::speech {

/// Files that belong together. Without `problem` all that were asked for exist.
struct EvaluationItem {
  std::string name;  ///< the enhanced file's path relative to its folder; of a missing one, the clean file's
  std::filesystem::path clean, enhanced, noisy;  ///< noisy is empty when no noisy folder was given
  std::string problem;                           ///< why the item cannot be compared, e.g. "no clean file for it"
};

struct EvaluationFolders {
  std::filesystem::path clean, enhanced, noisy;  ///< folders, or one file each; noisy may be empty
  bool subset = false;                           ///< clean files without an enhanced one are passed over
};

/// Pairs files by their path below the folder without extension (a/t1.wav fits a/t1.flac) or, where that finds nothing,
/// by the file name alone if it is the only one of that name in both folders. Extensions wav, flac, ogg, opus, mp3, in
/// any case; hidden files are passed over. An enhanced file without a clean or noisy partner, a clean file without an
/// enhanced one, and two files for one name are items with a problem.
/// @return sorted by name
/// @throws Error{kInput} if a folder is missing or unreadable, files and folders are mixed, or there is no item at all
std::vector<EvaluationItem> match_files(const EvaluationFolders& folders);

/// "a/t1.wav" -> "a/t1": the key by which files are matched.
std::string without_extension(const std::string& relative_path);

/// Names below one folder, found by path without extension or, failing that, by file name.
class NameIndex {
 public:
  enum class Match { kNone, kOne, kSeveral };
  void add(const std::string& relative_path, std::size_t value);
  /// @param among  the index of the folder that the asked name comes from: a file name must be the only one of its name
  ///               on both sides
  /// @param value  set where the answer is kOne
  Match find(const std::string& relative_path, const NameIndex& among, std::size_t& value) const;

 private:
  struct Entry {
    std::size_t value = 0, count = 0;
  };
  using Entries = std::unordered_map<std::string, Entry>;
  Entries paths_, stems_;
};

}  // namespace reseda::speech
