#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "pipelines/certify/certify_model.hpp"
#include "pipelines/certify/image_data.hpp"
#include "pipelines/certify/run_files.hpp"

namespace reseda::certify {

/// Brings an image of a data set to the model's size, uint8 [C,S,S]: --crop none, the size it has; centre, as published
/// ImageNet classifiers are shown photographs; halve, as rRCM is. With a crop, grey photographs become coloured ones
/// where the model takes these. @throws Error{kInput} naming the image
at::Tensor model_pixels(const ImageData& data, std::int64_t index, const std::string& crop, const ImageInput& input);

/// What a run over images tells while it goes.
struct RunEvents {
  std::function<void(const std::string& name)> start;             ///< an image
  std::function<void(std::int64_t votes, std::int64_t of)> step;  ///< its votes so far, and the most it takes
  std::function<void(const ImageRecord& record)> finish;          ///< it is in the files
};

struct SmoothingRun {
  const ImageData& data;
  const CertifyModel& model;  ///< prepared for the device
  RunSettings settings;
  std::vector<std::int64_t> indices;  ///< images of this shard
  std::int64_t batch = 400;           ///< noisy copies in one call of the network
  c10::Device device = c10::Device(c10::kCPU);
  bool record_times = false;
  double save_seconds = 1.0;  ///< between two savings of an image's votes
};

/// Certifies the images that the files lack, one after the other; votes are saved on the way.
/// @return votes cast
/// @throws Error{kInterrupted} where the program was asked to stop, with all votes saved; Error{kNumeric} where a
///         classifier's logits are not finite for a whole selection; Error{kInput} on an image that cannot be read
std::int64_t certify_images(const SmoothingRun& run, RunFiles& files, const RunEvents& events);

}  // namespace reseda::certify
