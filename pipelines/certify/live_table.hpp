#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "modules/stats/certified_accuracy.hpp"
#include "pipelines/certify/image_record.hpp"
#include "pipelines/common/batch_runner.hpp"

namespace reseda::certify {

/// Certified accuracies of a run's images, by exact radii.
struct CertifiedTable {
  std::vector<double> radii = {};
  std::vector<stats::CertifiedImage> images = {};
  std::int64_t abstained = 0, not_finite = 0;  ///< images
  std::vector<std::int64_t> votes = {};        ///< of each image, both kinds

  void add(const ImageRecord& record);
  double accuracy(double radius) const;
  double median_votes() const;
  /// "r 0: 74.2%  0.25: 60.1%"
  std::string line() const;
  /// For people: the settings in words, radii and accuracies below each other.
  std::string text(const RunSettings& settings) const;
  /// One JSON object.
  std::string json(const RunSettings& settings, const std::string& log) const;
};

/// The table on standard error while a run goes on: on a terminal one line that changes, with the time left; else a
/// line now and then; or JSON lines, or nothing.
class LiveTable {
 public:
  /// @param style  kAuto: the line on a terminal, else plain   @param shown  what the line begins with, e.g. "sigma
  /// 0.25"
  LiveTable(app::ProgressStyle style, std::string shown, CertifiedTable table, std::size_t total);
  ~LiveTable();
  void start(const std::string& name);
  void step(std::int64_t votes, std::int64_t of);
  void finish(const ImageRecord& record);
  const CertifiedTable& table() const { return table_; }

 private:
  using Clock = std::chrono::steady_clock;
  std::string left() const;
  void draw();

  app::ProgressStyle style_;
  std::string shown_, current_;
  CertifiedTable table_;
  std::size_t total_, before_;
  double share_ = 0;  // of the image at work
  Clock::time_point begin_ = Clock::now(), drawn_ = {};
};

}  // namespace reseda::certify
