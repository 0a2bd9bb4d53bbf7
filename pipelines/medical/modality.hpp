#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <string_view>

#include "modules/metrics/noise_level.hpp"

namespace reseda::medical {

/// Where a volume comes from: it decides about units, the kind of noise, and the model.
enum class Modality { kCt, kMr, kPet };

/// "CT", "MR", "PET".
const char* modality_name(Modality modality);

/// Of DICOM's Modality: "CT", "MR", "PT"; of a flag: "ct", "mr", "pet". Nothing for others.
std::optional<Modality> find_modality(std::string_view name);

/// CT where a value is -500 or less, as air in HU is, else MR. @param voxels  of a file that does not say
Modality guess_modality(const at::Tensor& voxels);

/// Noise of the middle slices, at most 64: gaussian_noise_level of CT and PET, rician_noise_level of MR. It does not
/// depend on the number of threads.
/// @param voxels   [D,H,W]  @param padding  bool of the same shape, where there is no image; undefined: nowhere
/// @throws Error{kInput} where slices are too small
metrics::NoiseLevel blind_noise_level(const at::Tensor& voxels, const at::Tensor& padding, Modality modality);

}  // namespace reseda::medical
