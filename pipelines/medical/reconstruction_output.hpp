#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>

#include "io/volume/volume.hpp"

namespace reseda::medical {

/// Outputs beside the image that one run may ask for.
struct FurtherOutputs {
  std::filesystem::path prediction, picture;  ///< empty: none
  bool overwrite = false;
};

/// Writes [slices,H,W] as .npy, .nii, .nii.gz, .nrrd or .mha by the name of `target`, into the file `staged`.
/// @throws Error{kOutput}
void write_reconstruction(const std::filesystem::path& staged, const std::filesystem::path& target,
                          const io::Volume& volume, const std::string& provenance);

/// The middle slice as a PNG in grey: black is 0 or the smallest value below it, white the 99.5th percentile.
std::string reconstruction_picture(const at::Tensor& voxels);

/// Writes a further output; a name that is empty is none. @throws Error{kOutput}
void write_further(const std::filesystem::path& file, const std::string& bytes, bool overwrite);

}  // namespace reseda::medical
