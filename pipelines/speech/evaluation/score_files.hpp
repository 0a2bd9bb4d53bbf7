#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "pipelines/speech/evaluation/match_files.hpp"

namespace reseda::speech {

/// What one signal scores against its clean reference; means over channels.
struct Quality {
  double si_sdr;   ///< dB, means removed
  double estoi;    ///< about 0 to 1
  double lsd;      ///< dB, less is better
  double seg_snr;  ///< dB, -10 to 35
};

/// @param clean, estimate  [C, L] float32
Quality measure_quality(const at::Tensor& clean, const at::Tensor& estimate, std::int64_t rate_hz);

/// The three waves of an item at one rate and length.
struct EvaluationWaves {
  at::Tensor clean, enhanced;  ///< [C, L] float32
  std::optional<at::Tensor> noisy;
  std::int64_t rate_hz = 0;
  std::int64_t length_difference = 0;  ///< samples of the enhanced file minus those of the clean one, before cutting
};

enum class LengthRule {
  kExact,    ///< other lengths are an error
  kShortest  ///< cut to the shortest
};

/// Reads the files of an item.
/// @throws Error{kInput} naming the file: unreadable, without samples, or of another rate, channel count or length than
///         the clean one; also if the item has a problem
EvaluationWaves read_waves(const EvaluationItem& item, LengthRule rule);

/// Scores of one item.
struct ItemScores {
  Quality enhanced;
  std::optional<Quality> noisy;
  double seconds = 0;
  std::int64_t length_difference = 0;
  std::int64_t delay = 0;  ///< samples by which the enhanced signal lags behind the clean one (within 100 ms)
};

/// @throws Error{kInput} as read_waves
ItemScores score_item(const EvaluationItem& item, LengthRule rule);

}  // namespace reseda::speech
