#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace reseda::restoration {

/// Images in memory, with the names they go by.
struct ImageSet {
  std::vector<std::string> names;  ///< path below the folder
  std::vector<at::Tensor> images;  ///< [C,H,W] float32, pixels of the files
  /// Largest values that the files' samples can take, e.g. 65535 of 16 bits; none where they are not of image files.
  std::vector<double> full_scales = {};
  std::uint64_t bytes() const;
};

/// Reads every image below the folders, in the order of their names. @throws Error{kInput} if a folder is missing,
/// holds no image, or an image is not readable or smaller than `least` pixels a side
ImageSet read_images(const std::vector<std::filesystem::path>& folders, std::int64_t least);

/// Every n-th image apart from the rest. n = 0 holds nothing out. @throws Error{kInput} if a part would be empty
struct HeldOut {
  ImageSet training, validation;
};
HeldOut hold_out(ImageSet all, std::int64_t every);

/// Crops of one size: image, place, and one of the eight flips and turns depend on (seed, item, step) alone.
/// @return  [count,C,size,size]
at::Tensor random_crops(const ImageSet& set, std::int64_t count, std::int64_t size, std::uint64_t seed,
                        std::int64_t step);

}  // namespace reseda::restoration
