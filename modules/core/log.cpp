#include "modules/core/log.hpp"

#include <atomic>
#include <cstdio>

namespace reseda::log {
namespace {

void write_to_stderr(Level, const std::string& message) { std::fprintf(stderr, "%s\n", message.c_str()); }

std::atomic<Sink> current_sink{&write_to_stderr};
std::atomic<Level> current_level{Level::kInfo};

}  // namespace

void set_sink(Sink sink) { current_sink = sink; }
void set_level(Level level) { current_level = level; }
Level level() { return current_level; }
void write(Level level, const std::string& message) {
  if (level >= current_level) current_sink.load()(level, message);
}

}  // namespace reseda::log
