#include "pipelines/common/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

namespace reseda::app {
namespace {

std::mutex mutex;
std::string status;

/// One write per call where the system allows it, so that lines of several processes do not mix.
void write_all(const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    done += static_cast<std::size_t>(written);
  }
}

/// The first `columns` characters; a character is a byte that does not continue a UTF-8 sequence.
std::string cut(const std::string& text, std::size_t columns) {
  std::size_t shown = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && ++shown > columns) return text.substr(0, i);
  return text;
}

constexpr const char* kEraseLine = "\r\033[K";

}  // namespace

bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

std::size_t terminal_columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void print_line(const std::string& text) {
  const std::lock_guard lock(mutex);
  write_all(status.empty() ? text + "\n" : kEraseLine + text + "\n" + status);
}

void show_status(const std::string& text) {
  const std::lock_guard lock(mutex);
  status = cut(text, terminal_columns() - 1);
  write_all(kEraseLine + status);
}

void clear_status() {
  const std::lock_guard lock(mutex);
  if (!status.empty()) write_all(kEraseLine);
  status.clear();
}

std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  return text;
}

}  // namespace reseda::app
