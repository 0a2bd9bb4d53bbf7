#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "modules/metrics/summary.hpp"
#include "pipelines/speech/evaluation/score_plots.hpp"
#include "pipelines/speech/evaluation/score_table.hpp"

namespace reseda::speech {

/// A score as people see it. Table columns: `key` of the enhanced file, "noisy_" + key, and "d_" + key = enhanced -
/// noisy.
struct ScoreName {
  std::string key, label, unit;
  int decimals;
  Better better;
};

/// The four scores that are computed: SI-SDR, ESTOI, log-spectral distance, segmental SNR.
const std::vector<ScoreName>& computed_scores();

/// Spectrograms of one file side by side.
struct PictureRow {
  std::string file, caption;
  std::vector<std::string> pictures;  ///< SVG elements
};

/// Everything the page shows.
struct EvaluationPage {
  std::vector<std::pair<std::string, std::string>> facts;  ///< what was compared: name and value
  const ScoreTable* table = nullptr;
  std::vector<metrics::MeanInterval> summary;                 ///< of each column
  std::vector<std::pair<std::string, std::string>> failures;  ///< file and reason
  std::vector<std::string> notes;                             ///< sentences to read before the figures
  std::vector<PictureRow> pictures;
  std::string colour_bar;          ///< SVG element
  std::vector<std::size_t> order;  ///< rows of the table, worst first
  std::string ordered_by;          ///< column
};

/// The page: summary, distributions, spectrograms, every file, what failed (io::HtmlReport).
std::string evaluation_html(const EvaluationPage& page);

/// The summary for a terminal: one line per score with mean and interval of noisy, enhanced and change.
std::string summary_text(const ScoreTable& table, const std::vector<metrics::MeanInterval>& summary);

}  // namespace reseda::speech
