#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace reseda::io {

/// A file to work on, and its stable name: the path relative to the input it was found by.
struct InputFile {
  std::string id;
  std::filesystem::path path;
  /// Where an item is more than one file, as a series of slices: all of them, `path` being their folder. Its output is
  /// a folder too.
  std::vector<std::filesystem::path> files = {};
};

struct DiscoveryOptions {
  bool recursive = false;               ///< search the folders of a folder too
  std::vector<std::string> extensions;  ///< what a folder is searched for: ".wav", lower case; empty: everything
  std::vector<std::filesystem::path> leave_out;  ///< folders not entered, e.g. the output folder
};

struct Discovery {
  std::vector<InputFile> files;  ///< sorted by id (byte order), each file once
  bool one_file = false;         ///< the input was a single file named as such
};

/// Finds the files that inputs name:
///   FILE      itself; id: its name
///   FOLDER    its files with a known extension; with `recursive` also below; id: path below the folder
///   PATTERN   *, ?, [a-z], ** for any depth; id: path below the part without wildcards. A last component without a dot
///             ("**", "take*") takes known extensions only
///   @LIST     a text file with one of the above per line, relative to the current folder; id: the line (of an absolute
///             path without the leading /)
/// Hidden files and folders are left out unless named. Links to folders are followed, each real folder once.
/// A folder below that cannot be read is left out with a warning.
/// @throws Error{kInput} when an input names nothing, its folder cannot be read, or two files get one id
Discovery discover_inputs(const std::vector<std::string>& inputs, const DiscoveryOptions& options);

}  // namespace reseda::io
