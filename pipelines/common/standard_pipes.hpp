#pragma once

#include <filesystem>

#include "io/record/file_bytes.hpp"

namespace reseda::app {

/// A file without a name in the temporary folder, gone when closed or when the process dies. Libraries open it by
/// path().
class UnnamedFile {
 public:
  /// @throws Error{kOutput} if the temporary folder cannot be written
  UnnamedFile();
  std::filesystem::path path() const;
  int descriptor() const { return file_.get(); }

 private:
  io::Descriptor file_;
};

/// Copies standard input to its end. @throws Error{kInput} if it is a terminal, cannot be read or is empty,
///         Error{kInterrupted} when a signal asks to stop
void spool_standard_input(const UnnamedFile& to);

/// Copies the file from its start. @throws Error{kOutput}
void copy_to_standard_output(const UnnamedFile& from);

}  // namespace reseda::app
