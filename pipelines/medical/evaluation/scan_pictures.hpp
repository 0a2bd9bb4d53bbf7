#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/record/html_report.hpp"
#include "pipelines/medical/evaluation/evaluation_table.hpp"
#include "pipelines/medical/evaluation/slice_picture.hpp"

namespace reseda::medical {

/// Pictures of one slice, side by side.
struct SliceRow {
  std::string caption;
  std::vector<io::Picture> pictures;
};

/// Input, restored, reference and residual of the worst, the median and the best slice of a scan (shown_slices); the
/// residual is input - restored, or where there is no input restored - reference, in a window around zero that holds
/// 99.5 % of its absolute values.
/// @param window  of the images; by default -160 to 240 HU of CT, 0 to the reference's percentile 99.5 of the rest
/// @throws Error{kInput} if a file is gone or has another shape by now
std::vector<SliceRow> draw_slices(const ScanResult& scan, const std::optional<GrayWindow>& window);

}  // namespace reseda::medical
