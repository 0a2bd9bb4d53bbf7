#pragma once

#include <array>
#include <string>

#include "io/volume/volume.hpp"
#include "pipelines/medical/modality.hpp"
#include "pipelines/medical/restore_request.hpp"
#include "pipelines/medical/scans.hpp"

namespace reseda::medical {

/// A volume as it was read.
struct OpenedScan {
  io::Volume volume;
  Modality modality = Modality::kMr;
  std::string units;  ///< "HU", "BQML", "stored units", ...
  at::Tensor mask;    ///< [D,H,W] bool, what is to be restored; undefined: everything
};

/// Reads a scan and the request's mask. Of tilted or uneven stacks, and of those that lack slices, the slices are taken
/// as they are, with a warning; through the plane they are refused.
/// @throws Error{kInput}; Error{kUsage}: more memory is needed than the request allows, or it has none of the slices
OpenedScan open_scan(const Scan& scan, const RestoreRequest& request);

/// D, H, W, without the voxels. @throws Error{kInput}
std::array<std::int64_t, 3> scan_size(const Scan& scan);

/// Of the volume with a finer grid over the same field of view:
///   spacing' = spacing / f,   origin' = origin + direction (1 / f - 1) / 2 spacing
io::VolumeGeometry refined(const io::VolumeGeometry& geometry, const io::Refinement& refinement);

}  // namespace reseda::medical
