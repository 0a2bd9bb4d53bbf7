#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "io/kspace/kspace.hpp"

namespace reseda::io {

/// Numbers of one acquisition's header that a Cartesian image depends on, in the order of the table that is read.
struct Acquisition {
  std::int32_t noise = 0;                              ///< 1 for a noise measurement
  std::int32_t skipped = 0;                            ///< 1 for navigators, phase correction, feedback and dummy scans
  std::int32_t reversed = 0;                           ///< 1 where the readout runs backwards
  std::int32_t samples = 0, channels = 0, centre = 0;  ///< of the readout; index of the centre of k-space
  std::int32_t line = 0, partition = 0, slice = 0, contrast = 0, phase = 0, set = 0;
};
inline constexpr std::int64_t kAcquisitionFields = 12;

/// What the XML header says.
struct EncodingHeader {
  std::int64_t encoded_x = 0, encoded_y = 0, encoded_z = 0;  ///< samples
  std::int64_t shown_x = 0, shown_y = 0;                     ///< pixels of the image
  std::int64_t centre_line = 0;                              ///< number of the line through the centre of k-space
  std::array<double, 3> shown_mm = {0, 0, 0};                ///< field of view of the image
  std::string trajectory;
};

/// @throws Error{kInput} where a number is missing or out of range
EncodingHeader parse_encoding_header(const std::string& xml, const std::string& name);

/// Readouts [..,W'] for an image of fewer pixels, F cut(F^{-1} x): what a scanner sampled more densely than the image
/// needs lies outside its field of view. Orthonormal transforms with the origin in the middle. [..,width]
at::Tensor without_oversampling(const at::Tensor& readouts, std::int64_t width);

/// Cartesian slices from acquisitions: noise scans whiten the coils (L^{-1}, L L^* their covariance) and are dropped;
/// readouts are put around their centre, turned where they run backwards, and cut to the image's field of view (inverse
/// transform, middle, transform); lines are sorted, repeated ones averaged. Of several contrasts, phases or sets the
/// first is taken.
/// @param samples  complex64, acquisition after acquisition, channel after channel
/// @throws Error{kInput} naming the rule: not Cartesian, 3-D, channels that change, a line outside
/// Source: Inati et al. 2017, "ISMRM Raw Data Format". Official: ismrmrd/ismrmrd, include/ismrmrd/ismrmrd.h.
Kspace assemble_slices(const std::vector<Acquisition>& acquisitions, const at::Tensor& samples,
                       const EncodingHeader& header, const std::string& name, const KspaceLimits& limits);

}  // namespace reseda::io
