#pragma once

#include <cstddef>
#include <string>

/// Standard error as people see it: whole lines, and on a terminal one status line below them.
namespace reseda::app {

bool stderr_is_terminal();
/// Columns of the terminal on stderr; 80 when unknown.
std::size_t terminal_columns();

/// Writes one line, above the status line where one is shown. Safe from any thread.
void print_line(const std::string& text);

/// Shows or replaces the status line (cut to the terminal's width).
void show_status(const std::string& text);
void clear_status();

/// The text fit for one line: line breaks and other control characters become spaces.
std::string one_line(std::string text);

}  // namespace reseda::app
