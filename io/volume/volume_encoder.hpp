#pragma once

#include <array>
#include <map>
#include <string>

#include "io/volume/volume.hpp"

namespace reseda::io::detail {

/// A volume as bytes of its type.
struct EncodedVolume {
  VolumeGeometry geometry;
  std::array<std::int64_t, 3> size;  ///< W, H, D
  at::ScalarType type;
  bool tilted = false;  ///< d is not at right angles to w and h
  std::string voxels;
};

using Metadata = std::map<std::string, std::string>;

/// Whole files. @throws Error{kOutput} with `name` where a format cannot hold the volume
std::string encode_nifti(const EncodedVolume& volume, const Metadata& metadata, const std::string& provenance,
                         bool packed, const std::string& name);
std::string encode_nrrd(const EncodedVolume& volume, const Metadata& metadata, const std::string& provenance,
                        bool packed);
std::string encode_meta(const EncodedVolume& volume, const Metadata& metadata, const std::string& provenance,
                        bool packed, const std::string& name);

enum class Wrapper { kGzip, kZlib };

/// Deflated bytes; the same input gives the same output.
std::string deflated(const std::string& bytes, Wrapper wrapper);

}  // namespace reseda::io::detail
