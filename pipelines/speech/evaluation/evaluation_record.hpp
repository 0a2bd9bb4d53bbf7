#pragma once

#include <string>
#include <vector>

#include "modules/core/error.hpp"
#include "pipelines/speech/evaluation/evaluation_page.hpp"
#include "pipelines/speech/evaluation/match_files.hpp"
#include "pipelines/speech/evaluation/score_files.hpp"
#include "pipelines/speech/evaluation/score_table.hpp"

namespace reseda::speech {

/// What became of one item.
struct ItemResult {
  EvaluationItem item;
  ItemScores scores{};
  Errc code = Errc::kInternal;  ///< of `problem`
  std::string problem;          ///< why there are no scores; empty for a good item
};

/// The table of the good items in their order: seconds, the computed scores, with `noisy` also noisy_* and
/// d_* = enhanced - noisy, then delay and length_diff in samples.
ScoreTable table_of(const std::vector<ItemResult>& results, bool noisy);

/// Facts, summary of each column, rows and failures as JSON; undefined numbers are null.
std::string to_json(const EvaluationPage& page);

/// Row numbers by one column, worst first; undefined values last. "lsd" and its like improve downwards, all other
/// columns upwards. @throws Error{kUsage} if there is no such column, with the known ones
std::vector<std::size_t> worst_first(const ScoreTable& table, const std::string& column);

/// Sentences about delays, cut lengths and undefined scores that a reader of the means should know.
std::vector<std::string> notes_on(const ScoreTable& table);

}  // namespace reseda::speech
