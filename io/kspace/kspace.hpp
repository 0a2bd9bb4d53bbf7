#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

namespace reseda::io {

/// Samples of the spectra of slices, as coils received them.
struct Kspace {
  at::Tensor samples;  ///< [slices,coils,H,W] complex64, low frequencies in the middle; 0 where not measured
  at::Tensor mask;     ///< [slices,H,W] float32, 1 where measured
  /// Height and width of the images that the scanner shows, cut out around the middle; 0: all of it.
  std::array<std::int64_t, 2> shown = {0, 0};
  std::array<double, 3> spacing_mm = {1, 1, 1};  ///< of the image along w, h and slices, where the file says
  std::string format;                            ///< "NumPy", "fastMRI" or "ISMRMRD"
};

struct KspaceLimits {
  std::int64_t samples = std::int64_t{1} << 31;  ///< most complex numbers; they take eight bytes each
};

/// Reads a file of k-space: an array of NumPy (.npy, complex [coils,H,W] or [slices,coils,H,W]), or HDF5 as fastMRI or
/// ISMRMRD write it. A sample is measured where any coil's is not 0, unless the file has a mask.
/// @throws Error{kInput} naming file and rule
Kspace read_kspace(const std::filesystem::path& file, const KspaceLimits& limits = {});

/// Replaces the mask by an array of NumPy, [W] (lines), [H,W] or [slices,H,W], and clears the samples outside.
/// @throws Error{kInput} where it does not fit or holds more than 0 and 1
void apply_mask(Kspace& kspace, const std::filesystem::path& file);

/// A mask from the samples themselves: 1 where any coil's sample is not 0. [slices,H,W] float32
at::Tensor measured(const at::Tensor& samples);

}  // namespace reseda::io
