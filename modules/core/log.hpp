#pragma once

#include <sstream>
#include <string>
#include <utility>

/// Words for people, on stderr. Modules call these; what is behind them is set by the program (pipelines/common).
namespace reseda::log {

enum class Level { kDebug, kInfo, kWarning, kError, kOff };

using Sink = void (*)(Level, const std::string&);

/// Replaces where messages go; by default warnings and errors go to stderr as they are.
void set_sink(Sink sink);
void set_level(Level level);
Level level();
void write(Level level, const std::string& message);

template <class... Parts>
void message(Level at, Parts&&... parts) {
  if (at < level()) return;
  std::ostringstream text;
  (text << ... << std::forward<Parts>(parts));
  write(at, text.str());
}
template <class... Parts>
void debug(Parts&&... parts) { message(Level::kDebug, std::forward<Parts>(parts)...); }
template <class... Parts>
void info(Parts&&... parts) { message(Level::kInfo, std::forward<Parts>(parts)...); }
template <class... Parts>
void warning(Parts&&... parts) { message(Level::kWarning, std::forward<Parts>(parts)...); }
template <class... Parts>
void error(Parts&&... parts) { message(Level::kError, std::forward<Parts>(parts)...); }

}  // namespace reseda::log
