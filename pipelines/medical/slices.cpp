#include "pipelines/medical/slices.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "io/batch/discovery.hpp"
#include "io/volume/volume.hpp"
#include "modules/core/error.hpp"

namespace reseda::medical {
namespace {

/// The value below which this share of the voxels lies.
double percentile(const at::Tensor& voxels, double percent) {
  const at::Tensor sorted = std::get<0>(voxels.flatten().sort());
  const auto index = static_cast<std::int64_t>(percent / 100.0 * static_cast<double>(sorted.numel() - 1));
  return sorted[index].item<double>();
}

at::Tensor scaled(const at::Tensor& voxels, bool ct, const IntensityConfig& config, const std::string& name) {
  const double low = ct ? config.ct_low : 0.0;
  const double high = ct ? config.ct_high : percentile(voxels, config.mr_percentile);
  RESEDA_REQUIRE(high > low, Errc::kInput, name, ": percentile ", config.mr_percentile,
                 " of the MR volume is not positive");
  return ((voxels - low) / (high - low)).clamp(0.0, config.most);
}

void add_slices(restoration::ImageSet& set, const io::Volume& volume, const at::Tensor& voxels, const std::string& name,
                std::int64_t least) {
  const std::array<double, 3> step{volume.geometry.spacing_mm[2], volume.geometry.spacing_mm[1],
                                   volume.geometry.spacing_mm[0]};
  for (std::int64_t axis = 0; axis < 3; ++axis) {
    const double tall = step[axis == 0 ? 1 : 0], wide = step[axis == 2 ? 1 : 2];
    if (std::max(tall, wide) > 2 * std::min(tall, wide)) continue;
    for (std::int64_t i = 0; i < voxels.size(axis); ++i) {
      const at::Tensor slice = voxels.select(axis, i).unsqueeze(0);
      if (slice.size(1) < least || slice.size(2) < least || slice.std().item<double>() < 0.02) continue;
      set.names.push_back(name + ", axis " + std::to_string(axis) + ", slice " + std::to_string(i));
      set.images.push_back(slice);
    }
  }
}

void add_volumes(restoration::ImageSet& set, const std::vector<std::string>& inputs, bool ct,
                 const IntensityConfig& config, std::int64_t least) {
  if (inputs.empty()) return;
  const io::Discovery found =
      io::discover_inputs(inputs, {.recursive = true, .extensions = io::volume_extensions(), .leave_out = {}});
  for (const io::InputFile& file : found.files) {
    const io::Volume volume = io::read_volume(file.path);
    add_slices(set, volume, scaled(volume.voxels, ct, config, file.id), file.id, least);
  }
}

}  // namespace

void IntensityConfig::validate() const {
  RESEDA_REQUIRE(ct_high > ct_low, Errc::kUsage, "intensity.ct_high must lie above ct_low, got ", ct_high, " and ",
                 ct_low);
  RESEDA_REQUIRE(mr_percentile > 0 && mr_percentile <= 100, Errc::kUsage,
                 "intensity.mr_percentile must be above 0 and at most 100, got ", mr_percentile);
  RESEDA_REQUIRE(most >= 1, Errc::kUsage, "intensity.most must be at least 1, got ", most);
}

restoration::ImageSet read_slices(const std::vector<std::string>& ct, const std::vector<std::string>& mr,
                                  const IntensityConfig& config, std::int64_t least) {
  restoration::ImageSet set;
  add_volumes(set, ct, true, config, least);
  add_volumes(set, mr, false, config, least);
  RESEDA_REQUIRE(!set.images.empty(), Errc::kInput, "no slice of at least ", least, " pixels a side with content");
  return set;
}

}  // namespace reseda::medical
