#include "pipelines/common/batch_progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "io/record/json_lines.hpp"
#include "modules/core/log.hpp"
#include "pipelines/common/program.hpp"
#include "pipelines/common/terminal.hpp"

namespace reseda::app {
namespace {

constexpr std::size_t kBarCells = 20;

ProgressStyle chosen(ProgressStyle style) {
  if (style != ProgressStyle::kAuto) return style;
  if (log::level() > log::Level::kInfo) return ProgressStyle::kNone;
  return stderr_is_terminal() ? ProgressStyle::kBar : ProgressStyle::kPlain;
}

const char* status_text(ItemOutcome::Status status) {
  switch (status) {
    case ItemOutcome::Status::kDone:
      return "done";
    case ItemOutcome::Status::kSkipped:
      return "skipped";
    case ItemOutcome::Status::kFailed:
      return "failed";
  }
  return "done";
}

double fraction_of(const Progress& progress) {
  return progress.total > 0
             ? std::clamp(static_cast<double>(progress.done) / static_cast<double>(progress.total), 0.0, 1.0)
             : 0.0;
}

}  // namespace

std::string duration_text(double seconds) {
  char text[32];
  if (seconds < 1)
    std::snprintf(text, sizeof text, "%.0f ms", seconds * 1000);
  else if (seconds < 10)
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  else if (seconds < 100)
    std::snprintf(text, sizeof text, "%.0f s", seconds);
  else if (seconds < 6000)
    std::snprintf(text, sizeof text, "%.0f min", std::ceil(seconds / 60));
  else
    std::snprintf(text, sizeof text, "%.0f h %.0f min", std::floor(seconds / 3600), std::fmod(seconds, 3600) / 60);
  return text;
}

BatchProgress::BatchProgress(ProgressStyle style, std::size_t total) : style_(chosen(style)), total_(total) {}

BatchProgress::~BatchProgress() {
  if (style_ == ProgressStyle::kBar) clear_status();
}

double BatchProgress::seconds_left() const {
  const double elapsed = std::chrono::duration<double>(Clock::now() - begin_).count();
  const double worked = static_cast<double>(worked_) + fraction_of(progress_);
  return worked > 0 ? elapsed / worked * (static_cast<double>(total_ - finished_) - fraction_of(progress_)) : -1;
}

void BatchProgress::draw() {
  drawn_ = Clock::now();
  const double share =
      total_ == 0 ? 1 : (static_cast<double>(finished_) + fraction_of(progress_)) / static_cast<double>(total_);
  const auto cells = static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * kBarCells);
  const double left = seconds_left();
  std::string text = "[" + std::string(cells, '#') + std::string(kBarCells - cells, '.') + "] " +
                     std::to_string(finished_) + "/" + std::to_string(total_);
  if (left >= 0) text += "  " + duration_text(left) + " left";
  if (!current_.empty()) text += "  " + one_line(current_);
  if (progress_.total > 0) text += " " + std::to_string(progress_.done) + "/" + std::to_string(progress_.total);
  if (!progress_.note.empty()) text += " " + one_line(progress_.note);
  show_status(text);
}

void BatchProgress::start(const std::string& id) {
  const std::lock_guard lock(mutex_);
  current_ = id;
  progress_ = {};
  if (style_ == ProgressStyle::kBar) draw();
  if (style_ == ProgressStyle::kJson)
    print_line(
        io::JsonObject().add("event", "start").add("id", id).add("finished", finished_).add("total", total_).line());
}

void BatchProgress::step(const Progress& progress) {
  const std::lock_guard lock(mutex_);
  progress_ = progress;
  if (Clock::now() - drawn_ < std::chrono::milliseconds(100)) return;
  if (style_ == ProgressStyle::kBar) draw();
  if (style_ == ProgressStyle::kJson) {
    drawn_ = Clock::now();
    print_line(io::JsonObject()
                   .add("event", "step")
                   .add("id", current_)
                   .add("done", progress.done)
                   .add("of", progress.total)
                   .add("note", progress.note)
                   .line());
  }
}

void BatchProgress::finish(const ItemOutcome& outcome) {
  const std::lock_guard lock(mutex_);
  ++finished_;
  if (outcome.status != ItemOutcome::Status::kSkipped) ++worked_;
  if (outcome.id == current_) {
    current_.clear();
    progress_ = {};
  }
  if (style_ == ProgressStyle::kBar) draw();
  if (style_ == ProgressStyle::kPlain && outcome.status == ItemOutcome::Status::kDone)
    print_line(program_name() + ": " + std::to_string(finished_) + "/" + std::to_string(total_) + " " +
               one_line(outcome.id) + " " + status_text(outcome.status) + " in " + duration_text(outcome.seconds));
  if (style_ == ProgressStyle::kJson)
    print_line(io::JsonObject()
                   .add("event", "finish")
                   .add("id", outcome.id)
                   .add("status", status_text(outcome.status))
                   .add("seconds", outcome.seconds)
                   .add("finished", finished_)
                   .add("total", total_)
                   .add("seconds_left", seconds_left())
                   .line());
}

}  // namespace reseda::app
