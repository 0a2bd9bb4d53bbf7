#include "pipelines/common/logging.hpp"

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "modules/core/error.hpp"
#include "pipelines/common/terminal.hpp"

namespace reseda::app {
namespace {

/// Hands formatted lines to the terminal, which keeps them clear of the progress bar. print_line has its own lock.
class TerminalSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t buffer;
    const spdlog::string_view_t text = message.payload;
    const char* label = message.level == spdlog::level::warn    ? "warning: "
                        : message.level == spdlog::level::err   ? "error: "
                        : message.level == spdlog::level::debug ? "debug: "
                                                                : "";
    std::string line(message.logger_name.data(), message.logger_name.size());
    line += ": ";
    if (verbose_) {
      formatter_->format(message, buffer);
      line.append(buffer.data(), buffer.size());
    }
    line.append(label).append(text.data(), text.size());
    print_line(one_line(std::move(line)));
  }
  void flush_() override {}

 public:
  explicit TerminalSink(bool verbose) : verbose_(verbose) { set_pattern_("%H:%M:%S.%e "); }

 private:
  bool verbose_;
};

std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance;
  return instance;
}

spdlog::level::level_enum level_of(log::Level level) {
  switch (level) {
    case log::Level::kDebug:
      return spdlog::level::debug;
    case log::Level::kInfo:
      return spdlog::level::info;
    case log::Level::kWarning:
      return spdlog::level::warn;
    case log::Level::kError:
      return spdlog::level::err;
    case log::Level::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

void write_to_spdlog(log::Level level, const std::string& message) {
  logger()->log(level_of(level), spdlog::string_view_t(message.data(), message.size()));
}

}  // namespace

void install_logging(const std::string& program, log::Level level) {
  auto sink = std::make_shared<TerminalSink>(level == log::Level::kDebug);
  logger() = std::make_shared<spdlog::logger>(program, std::move(sink));
  logger()->set_level(spdlog::level::trace);  // the facade filters
  log::set_level(level);
  log::set_sink(&write_to_spdlog);
}

log::Level parse_log_level(const std::string& text) {
  if (text == "debug") return log::Level::kDebug;
  if (text == "info") return log::Level::kInfo;
  if (text == "warning") return log::Level::kWarning;
  if (text == "error") return log::Level::kError;
  if (text == "off") return log::Level::kOff;
  reseda::detail::raise(Errc::kUsage, "--log-level must be one of debug, info, warning, error, off; got '", text, "'");
}

}  // namespace reseda::app
