#include "pipelines/certify/live_table.hpp"

#include <algorithm>
#include <cstdio>

#include "io/record/json_lines.hpp"
#include "modules/core/log.hpp"
#include "pipelines/common/batch_progress.hpp"
#include "pipelines/common/program.hpp"
#include "pipelines/common/terminal.hpp"

namespace reseda::certify {
namespace {

constexpr double kPlainSeconds = 10;  // between two lines where there is no terminal

app::ProgressStyle chosen(app::ProgressStyle style) {
  if (style != app::ProgressStyle::kAuto) return style;
  if (log::level() > log::Level::kInfo) return app::ProgressStyle::kNone;
  return app::stderr_is_terminal() ? app::ProgressStyle::kBar : app::ProgressStyle::kPlain;
}

std::string percent(double share) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f%%", 100 * share);
  return text;
}

std::string padded(const std::string& text, std::size_t width) {
  return std::string(width > text.size() ? width - text.size() : 0, ' ') + text;
}

}  // namespace

void CertifiedTable::add(const ImageRecord& record) {
  images.push_back({record.correct(), record.certificate.radius});
  abstained += record.certificate.label == stats::kAbstain ? 1 : 0;
  not_finite += record.not_finite > 0 ? 1 : 0;
  std::int64_t sum = record.not_finite;
  for (const VoteTable* table : {&record.selection, &record.estimation})
    for (const auto& [label, count] : *table) sum += count;
  votes.push_back(sum);
}

double CertifiedTable::accuracy(double radius) const {
  return images.empty() ? 0 : stats::certified_accuracy(images, radius);
}

double CertifiedTable::median_votes() const {
  if (votes.empty()) return 0;
  std::vector<std::int64_t> sorted = votes;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t middle = sorted.size() / 2;
  const auto upper = static_cast<double>(sorted[middle]);
  return sorted.size() % 2 == 1 ? upper : 0.5 * (upper + static_cast<double>(sorted[middle - 1]));
}

std::string CertifiedTable::line() const {
  std::string out = "r";
  for (const double radius : radii) out += "  " + number_text(radius) + ": " + percent(accuracy(radius));
  return out;
}

std::string CertifiedTable::text(const RunSettings& settings) const {
  std::string radius_row = "radius             ", accuracy_row = "certified accuracy ";
  for (const double radius : radii) {
    radius_row += padded(number_text(radius), 8);
    accuracy_row += padded(percent(accuracy(radius)), 8);
  }
  const auto count = static_cast<std::int64_t>(images.size());
  return "sigma " + number_text(settings.sigma) + ", " + settings.bound + ", alpha " + number_text(settings.alpha) +
         ": " + std::to_string(count) + " images, " + std::to_string(abstained) + " abstained, " +
         number_text(median_votes()) + " votes for half of them\n" + radius_row + "\n" + accuracy_row + "\n";
}

std::string CertifiedTable::json(const RunSettings& settings, const std::string& log) const {
  ConfigNode accuracies = ConfigNode::map();
  for (const double radius : radii) accuracies[number_text(radius)] = ConfigNode(number_text(accuracy(radius)));
  io::JsonObject line;
  line.add("output", log).add("images", images.size()).add("certified_accuracy", accuracies);
  line.add("average_certified_radius", images.empty() ? 0.0 : stats::average_certified_radius(images));
  line.add("abstained", abstained).add("not_finite", not_finite).add("median_votes", median_votes());
  return line.add("settings", write_config(settings)).line();
}

LiveTable::LiveTable(app::ProgressStyle style, std::string shown, CertifiedTable table, std::size_t total)
    : style_(chosen(style)),
      shown_(std::move(shown)),
      table_(std::move(table)),
      total_(total),
      before_(table_.images.size()) {}

LiveTable::~LiveTable() {
  if (style_ == app::ProgressStyle::kBar) app::clear_status();
}

std::string LiveTable::left() const {
  const double worked = static_cast<double>(table_.images.size() - before_) + share_;
  if (worked <= 0) return "";
  const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  const double rest = static_cast<double>(total_ - std::min(total_, table_.images.size())) - share_;
  return "  " + app::duration_text(seconds / worked * std::max(0.0, rest)) + " left";
}

void LiveTable::draw() {
  drawn_ = Clock::now();
  const std::string text = shown_ + "  " + std::to_string(table_.images.size()) + "/" + std::to_string(total_) + left();
  if (style_ == app::ProgressStyle::kBar)
    app::show_status(text + "  " + table_.line() + (current_.empty() ? "" : "  " + app::one_line(current_)));
  else
    app::print_line(app::program_name() + ": " + text + "  " + table_.line());
}

void LiveTable::start(const std::string& name) {
  current_ = name;
  share_ = 0;
  if (style_ == app::ProgressStyle::kBar) draw();
}

void LiveTable::step(std::int64_t votes, std::int64_t of) {
  share_ = static_cast<double>(votes) / static_cast<double>(of);
  const double since = std::chrono::duration<double>(Clock::now() - drawn_).count();
  if ((style_ == app::ProgressStyle::kBar && since >= 0.1) ||
      (style_ == app::ProgressStyle::kPlain && !table_.images.empty() && since >= kPlainSeconds))
    draw();
}

void LiveTable::finish(const ImageRecord& record) {
  table_.add(record);
  share_ = 0;
  const bool last = table_.images.size() >= total_;
  const double since = std::chrono::duration<double>(Clock::now() - drawn_).count();
  if (style_ == app::ProgressStyle::kBar || (style_ == app::ProgressStyle::kPlain && (last || since >= kPlainSeconds)))
    draw();
  if (style_ == app::ProgressStyle::kJson)
    app::print_line(io::JsonObject()
                        .add("event", "finish")
                        .add("id", record.name)
                        .add("predict", record.certificate.label)
                        .add("radius", record.certificate.radius)
                        .add("finished", table_.images.size())
                        .add("total", total_)
                        .line());
}

}  // namespace reseda::certify
