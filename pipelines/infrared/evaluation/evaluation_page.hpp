#pragma once

#include <string>
#include <vector>

#include "pipelines/infrared/evaluation/evaluation_table.hpp"
#include "pipelines/infrared/evaluation/frame_pictures.hpp"

namespace reseda::infrared {

/// The page: how it was made, means with intervals and what they are, pictures, every frame, and what failed.
std::string evaluation_html(const Evaluation& evaluation, const std::vector<FrameRow>& pictures);

}  // namespace reseda::infrared
