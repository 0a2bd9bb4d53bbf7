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

/// One score over all slices of one kind.
struct ScoreSummary {
  const ScoreName* name = nullptr;
  metrics::MeanInterval restored, input, change;  ///< change: restored - input, slice by slice; NaN without input
};

/// CT and other scans have scores and units of their own, so their means are apart.
struct KindSummary {
  ScanKind kind = ScanKind::kOther;
  std::size_t slices = 0;
  std::vector<ScoreSummary> scores;  ///< in the order of scores_of(kind)
};

/// Whether any good scan has an input.
bool has_input(const Evaluation& evaluation);

/// The good scans of a kind.
std::vector<const ScanResult*> scans_of(const Evaluation& evaluation, ScanKind kind);

/// Values of one score of slices, in their order; NaN without an input.
enum class Column { kRestored, kInput, kChange };
std::vector<double> score_column(const std::vector<SliceScores>& slices, std::size_t place, Column column);

/// Means over slices with bootstrap intervals, of the kinds that there are, CT first.
std::vector<KindSummary> summarise(const Evaluation& evaluation);

/// What the summary says about a score, as the page shows it: "better", "worse" or "not clear" than the input by the
/// interval of the change; for the residual's correlations whether the mean is within +-0.1, above or below; else
/// empty.
std::string verdict(const ScoreSummary& summary);

/// Positions of worst, median and best slice of a scan in its list, by RMSE (CT) or PSNR, each once.
std::vector<std::size_t> shown_slices(const ScanScores& scan);

/// Tab-separated: scan, slice, then each score of the restored image (of CT and other scans), and with inputs input_*
/// and d_* = restored - input; what is undefined or not of the scan's kind is empty.
std::string to_tsv(const Evaluation& evaluation);

/// The summary for a terminal: a line per score.
std::string summary_text(const Evaluation& evaluation, const std::vector<KindSummary>& summary);

}  // namespace reseda::medical
