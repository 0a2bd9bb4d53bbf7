#pragma once

#include <string>
#include <vector>

#include "io/record/html_report.hpp"
#include "pipelines/infrared/evaluation/evaluation_table.hpp"

namespace reseda::infrared {

/// Pictures of one frame, side by side, and below them a part of each enlarged.
struct FrameRow {
  std::string caption;
  std::vector<io::Picture> whole, zoom;
};

/// The frames to show, by PSNR with border 4: the worst half of `count`, then the best; each once. Places in
/// good_frames(), the worst first.
std::vector<std::size_t> shown_frames(const Evaluation& evaluation, std::size_t count);

/// Input (enlarged), restored, reference and restored - reference. 8 bits are shown as they are, others from the 0.5th
/// to the 99.5th percentile of the reference; the error in a window around zero that holds 99.5 % of it. The zoom is
/// the square of 64 pixels with the largest sum of squared errors, framed in the whole pictures.
/// @param rank  e.g. "worst"
/// @throws Error{kInput} if a file is gone or has another shape by now
FrameRow draw_frame(const FrameResult& frame, const std::string& rank);

}  // namespace reseda::infrared
