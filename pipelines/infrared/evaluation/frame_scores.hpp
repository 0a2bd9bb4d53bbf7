#pragma once

#include <string>
#include <vector>

#include "pipelines/common/score_text.hpp"
#include "pipelines/infrared/evaluation/frame_pair.hpp"

namespace reseda::infrared {

/// A score and what it means.
struct ScoreName {
  std::string key, label, unit;  ///< unit "" for none
  int decimals;
  app::Better better;
  std::string definition;  ///< in words, with range, window and border
};

/// What is measured of a frame, in this order.
const std::vector<ScoreName>& scores();

/// What is measured of a map of uncertainty beside the restored frame, in this order.
const std::vector<ScoreName>& uncertainty_scores();

/// Place of a score in scores(). @throws Error{kInternal} on an unknown key
std::size_t score_place(const std::string& key);

struct FrameScores {
  double range = 255;  ///< R of PSNR, SSIM and the spectral error
  int bits = 8;        ///< of a sample
  /// In the order of scores(), after which restored has uncertainty_scores() where there is a map. input: empty where
  /// there is none.
  std::vector<double> restored, input;
};

/// Scores of a pair. R is 255 for unsigned 8-bit samples, else the reference's largest value less its smallest.
/// @throws Error{kInput} on frames below 19 x 19 pixels, or a reference of one value where R depends on it
FrameScores score_frame(const FrameTriple& frames);

}  // namespace reseda::infrared
