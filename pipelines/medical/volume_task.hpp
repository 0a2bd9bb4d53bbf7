#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "modules/core/config.hpp"
#include "modules/core/noise.hpp"
#include "pipelines/medical/volume_set.hpp"
#include "pipelines/restoration/training_pairs.hpp"

namespace reseda::medical {

/// Where a model file keeps what it restores.
inline constexpr const char* kTaskKey = "reseda.medical";

/// What a model of slices restores; as JSON in the metadata of its file.
struct VolumeTaskConfig {
  std::string task = "denoise";
  std::string modality = "any";
  IntensityConfig intensity = {};
  std::int64_t neighbours = 2;
  template <class V>
  void fields(V& v) {
    v("task", task, "denoise, or super_resolution: twice the pixels along one or both axes of a slice");
    v("modality", modality, "ct, mr or any");
    v("intensity", intensity, "how voxels become numbers");
    v("neighbours", neighbours, "slices that the network sees on either side of the one that it restores");
  }
  /// @throws Error{kUsage}
  void validate() const;
  /// Channels of the network's condition: the slice, its neighbours, and the level of the noise.
  std::int64_t condition_channels() const { return 2 * neighbours + 2; }
};

/// What takes the place of the noise level in super-resolution: about the error of cubic interpolation, numbers.
inline constexpr float kEnlargingSigma = 0.02F;

/// What the network sees besides the measured slice, in its range: the neighbours in the order of the stack, then the
/// standard deviation of the noise as a constant channel (restoration::noise_level)
/// @param slices  [B,2n+1,H,W] in the network's range, the slice itself in the middle
/// @param sigma   [B] float32, in numbers (of IntensityRange); kEnlargingSigma for super-resolution
/// @return  Pairs{x0 undefined, y [B,1,H,W], extra [B,2n+1,H,W]}
restoration::Pairs slice_condition(const at::Tensor& slices, const at::Tensor& sigma);

/// How training degrades slices.
struct VolumeDegradation {
  double noise_low = 0.004, noise_high = 0.05;
  double own_noise = 0.0;
  double sigma_error = 0.15;
  double unevenness = 0.0;
  double zoom = 1.0;
  template <class V>
  void fields(V& v) {
    v("noise_low", noise_low, "smallest standard deviation of the noise, numbers; drawn on a logarithmic scale");
    v("noise_high", noise_high, "largest");
    v("own_noise", own_noise,
      "every other crop gets noise of up to this that belongs to the clean image, as finer scans have");
    v("sigma_error", sigma_error, "standard deviation of the logarithm of the noise level that the network is told");
    v("unevenness", unevenness,
      "CT noise grows or falls across a crop by a factor of up to exp of this, as its level differs across a body");
    v("zoom", zoom, "crops are enlarged by up to this, as finer scans of the same body would be");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Gaussian noise of mean 0 and standard deviation 1 in slices that know nothing of each other, with the spectrum of
/// one of two kinds, drawn with its parameters: filtered back-projection of white detector noise, whose power is
/// f h(f)^2 with the Hann window h(f) = (1 + cos(pi f / c)) / 2 below a cut-off c, stronger along one direction, over a
/// white floor of up to 15 % of the largest amplitude, as interpolation and rounding leave; or white noise smoothed by
/// a Gaussian of 0 to 1.2 pixels.
/// @return  [count,size,size]
at::Tensor tomographic_noise(std::int64_t count, std::int64_t size, Chooser& choose, NoiseSource& noise,
                             const DrawKey& key);

/// exp(g), g a plane through 0 in the middle that differs by up to `unevenness` from corner to corner, shape
/// [size,size].
at::Tensor uneven_field(std::int64_t size, double unevenness, Chooser& choose);

/// Slices with neighbours, cut from volumes along all `sliceable` axes and degraded anew at every step: CT by
/// tomographic_noise, MR by Rician noise sqrt((x + sigma n1)^2 + (sigma n2)^2); for super-resolution by means of 2 x 2
/// or 2 x 1 pixels, enlarged again by cubic interpolation. Neighbours lie at distances drawn from a third to three
/// slices, between slices by linear interpolation, mirrored at the ends.
///
/// Where a model is for CT alone (task.modality), MR volumes stand for anatomy that no CT shows, heads above all: their
/// numbers x become HU by a drawn curve level + contrast x + edge s(1 - x / 0.2), s(t) = 3 t^2 - 2 t^3 for t in [0,1],
/// level -100 to 60 HU, contrast 20 to 200 HU of either sign, edge -1000 to 1000 HU (what is dark becomes air or bone),
/// with CT noise, none of it their own, and neighbours up to six slices away, as thick slices have.
/// Draws: "crop N" (crop, noise).
class DegradedVolumes final : public restoration::PairSource {
 public:
  /// @throws Error{kInput} if a volume is too small for crops of `size`, or has no axis
  DegradedVolumes(VolumeSet volumes, VolumeTaskConfig task, VolumeDegradation degradation);
  restoration::Pairs draw(std::int64_t count, std::int64_t size, std::uint64_t seed, std::int64_t step) const override;
  std::string contents() const override;

 private:
  at::Tensor stack(Chooser& choose, const at::Tensor& voxels, std::int64_t axis, std::int64_t size,
                   double farthest) const;
  bool toned_as_ct(std::size_t volume) const;
  at::Tensor crop(Chooser& choose, std::size_t volume, std::int64_t size) const;

  VolumeSet volumes_;
  VolumeTaskConfig task_;
  VolumeDegradation degradation_;
};

}  // namespace reseda::medical
