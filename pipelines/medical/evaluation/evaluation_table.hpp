#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/metrics/summary.hpp"
#include "pipelines/medical/evaluation/scan_scores.hpp"

namespace reseda::medical {

/// A pair and what became of it.
struct ScanResult {
  ScanPair pair;
  ScanScores scores;
  Errc code = Errc::kInternal;  ///< of `problem`
  std::string problem;          ///< why there are no scores; empty for a good pair
};

/// Everything that the record and the page show.
struct Evaluation {
  std::vector<ScanResult> scans;
  std::vector<std::pair<std::string, std::string>> facts;  ///< how it was made: name and value
  metrics::BootstrapConfig bootstrap;
};

/// One score over all slices that have it.
struct ScoreSummary {
  const ScoreName* name = nullptr;
  metrics::MeanInterval restored, input, change;  ///< change: restored - input, slice by slice; NaN without input
};

/// Whether any good scan has an input.
bool has_input(const Evaluation& evaluation);

/// The scores of the kinds of scan that there are, CT's first, each once.
std::vector<const ScoreName*> score_names(const Evaluation& evaluation);

/// Values of one score, a slice each, scan by scan; NaN for scans of another kind or without an input.
enum class Column { kRestored, kInput, kChange };
std::vector<double> score_column(const Evaluation& evaluation, const std::string& key, Column column);

/// Means over slices with bootstrap intervals.
std::vector<ScoreSummary> summarise(const Evaluation& evaluation);

/// What the summary says about a score, as the page shows it: "better", "worse" or "not clear" than the input by the
/// interval of the change; for the residual's correlations whether the mean is within +-0.1; else empty.
std::string verdict(const ScoreSummary& summary);

/// Positions of worst, median and best slice of a scan in its list, by RMSE (CT) or PSNR, each once.
std::vector<std::size_t> shown_slices(const ScanScores& scan);

/// Tab-separated: scan, slice, then each score of the restored image, and with inputs input_* and d_* = restored -
/// input; undefined numbers are empty.
std::string to_tsv(const Evaluation& evaluation);

/// The summary for a terminal: a line per score.
std::string summary_text(const Evaluation& evaluation, const std::vector<ScoreSummary>& summary);

}  // namespace reseda::medical
