#pragma once

#include "modules/diffusion/process.hpp"
#include "modules/nets/network.hpp"
#include "pipelines/certify/image_input.hpp"
#include "pipelines/certify/smoothed_classifier.hpp"

namespace reseda::certify {

/// rRCM's classifier of noisy images in [0, 1]: the network sees (x - mean) / std, scaled as its process says, at the
/// time sigma / std, the noise in its own coordinates, or the process's last where that is less; it is told the grid's
/// time nearest to that.
/// @param network, process  outlive the classifier   @throws Error{kUsage} unless every channel has the same std
/// Official: jiachenlei/rRCM, certify.py (BaseModel), rrcm_tune.py (FinetuneModel).
Classifier rrcm_classifier(nets::Network& network, const diffusion::Process& process, const ImageInput& input,
                           double sigma);

}  // namespace reseda::certify
