#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pipelines/medical/restoration.hpp"

namespace reseda::medical {

/// What values are shown as black and white.
struct DisplayWindow {
  std::string name;
  double low = 0, high = 1;
};

/// CT: soft tissue (-160 to 240 HU) and lung (-1350 to 150 HU); else 0 up to the 99.5th percentile.
std::vector<DisplayWindow> display_windows(const at::Tensor& voxels, Modality modality);

/// A page with the middle of a volume before and after, their difference, and what is known in numbers.
/// @param facts  how the result was made
std::string restore_page(const std::string& item, const OpenedScan& before, const Restoration& after,
                         const RestoreRequest& request, const std::vector<std::pair<std::string, std::string>>& facts);

}  // namespace reseda::medical
