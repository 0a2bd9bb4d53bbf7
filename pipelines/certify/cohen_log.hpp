#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "modules/stats/certified_accuracy.hpp"

namespace reseda::certify {

/// A row of the text that official certification programs write.
struct CohenRow {
  std::int64_t index = 0, label = 0;
  std::int64_t predicted = -1;         ///< -1 where it abstained
  std::optional<double> radius = 0.0;  ///< absent in logs of predictions
  int radius_digits = 3;               ///< significant ones that the text has: three, or five of SmoothAdv
  double seconds = 0;
  bool plain_seconds = false;  ///< the time is written as seconds with three digits

  bool correct() const { return predicted == label; }
};

struct CohenLog {
  std::vector<CohenRow> rows;
  /// Whether the column `correct` was something else than label == predict, such as the running total of denoised
  /// smoothing; what it said is not used.
  bool other_correct = false;

  std::vector<stats::CertifiedImage> images() const;
};

/// Reads `idx label predict [radius] correct time`, separated by tabs, under a header with these names. Times are
/// H:MM:SS with or without a fraction, "N day(s), " before it, or plain seconds. Every line must have its end: a file
/// that was cut inside its last number would otherwise read as another number.
/// @throws Error{kInput} naming the line: cut, not as many columns, not a number, a radius or time that cannot be, an
///         image that was there before
/// Official: locuslab/smoothing, code/certify.py, predict.py.
CohenLog parse_cohen_log(std::string_view text);

/// The header and a row, each without its end of line.
std::string cohen_header(bool with_radius);
std::string cohen_line(const CohenRow& row);

/// A number as Python's '{:.3}' writes it, rounded to nearest: 0.5, 1.0, 0.0314, 1e-05, 1e+02. With other digits as
/// '{:.5}' and so on.
std::string three_digits(double value);
std::string significant_digits(double value, int digits);
/// A duration as Python's timedelta prints it, to the nearest microsecond, halves to even.
std::string duration_text(double seconds);

/// The images that the official program takes of `total` with --skip and --max: every skip-th, until index `max` is met
/// exactly. Quirk: a max that is no multiple of skip never stops it. max -1 takes all.
std::vector<std::int64_t> cohen_subset(std::int64_t total, std::int64_t skip, std::int64_t max);

}  // namespace reseda::certify
