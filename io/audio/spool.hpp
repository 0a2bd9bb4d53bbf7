#pragma once

#include "io/record/file_bytes.hpp"

namespace reseda::io::detail {

/// An unnamed temporary file in $TMPDIR or /tmp; it is gone when the descriptor closes.
/// @throws Error{kOutput}
Descriptor open_spool();

/// All of standard input, in an unnamed temporary file. @throws Error{kInput}, Error{kOutput} when the disk is full
Descriptor spool_standard_input();

/// Copies a whole file to standard output. @throws Error{kOutput}
void copy_to_standard_output(int descriptor);

}  // namespace reseda::io::detail
