#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/metrics/summary.hpp"
#include "pipelines/infrared/evaluation/frame_scores.hpp"

namespace reseda::infrared {

/// A pair and what became of it.
struct FrameResult {
  FramePair pair;
  FrameScores scores;
  Errc code = Errc::kInput;  ///< of pair.problem, which is empty for a good pair
};

/// One score over all good frames.
struct ScoreSummary {
  metrics::MeanInterval restored, input, change;  ///< change: restored - input, frame by frame; NaN without input
  bool has_input() const { return input.count + input.left_out > 0; }
};

/// Everything that the record and the page show.
struct Evaluation {
  std::vector<FrameResult> frames;
  std::vector<std::pair<std::string, std::string>> facts;  ///< how it was made: name and value
  bool has_input = false, has_uncertainty = false;
  std::vector<ScoreSummary> summary;  ///< in the order of names()

  /// scores(), then uncertainty_scores() where there are maps, which inputs have not.
  std::vector<ScoreName> names() const;
};

/// The frames that were compared.
std::vector<const FrameResult*> good_frames(const Evaluation& evaluation);

/// Means over the good frames with bootstrap intervals, in the order of names().
std::vector<ScoreSummary> summarise(const Evaluation& evaluation, const metrics::BootstrapConfig& bootstrap);

/// "better", "worse" or "not clear" by the interval of the change, for scores that are better high or low; else empty.
std::string verdict(const ScoreName& name, const ScoreSummary& summary);

/// Frame, bits, range, the scores of the restored frame, and with inputs input_* and d_* = restored - input.
std::string to_csv(const Evaluation& evaluation);

/// How it was made, each score's definition beside its summary, frames and failures; undefined numbers are null.
std::string to_json(const Evaluation& evaluation);

/// The summary for a terminal: a line per score.
std::string summary_text(const Evaluation& evaluation);

}  // namespace reseda::infrared
