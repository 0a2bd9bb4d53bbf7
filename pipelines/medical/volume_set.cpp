#include "pipelines/medical/volume_set.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "io/batch/discovery.hpp"
#include "io/volume/volume.hpp"
#include "modules/core/error.hpp"

namespace reseda::medical {
namespace {

/// The value below which this share of the voxels lies.
double percentile(const at::Tensor& voxels, double percent) {
  const at::Tensor flat = voxels.flatten();
  const auto index = static_cast<std::int64_t>(percent / 100.0 * static_cast<double>(flat.numel() - 1));
  return std::get<0>(flat.kthvalue(index + 1)).item<double>();
}

void add_volumes(VolumeSet& set, const std::vector<std::string>& inputs, bool ct, const IntensityConfig& config) {
  if (inputs.empty()) return;
  const io::Discovery found =
      io::discover_inputs(inputs, {.recursive = true, .extensions = io::volume_extensions(), .leave_out = {}});
  for (const io::InputFile& file : found.files) {
    const io::Volume volume = io::read_volume(file.path);
    const IntensityRange range = intensity_range(volume.voxels, ct, config, file.id);
    set.names.push_back(file.id);
    set.voxels.push_back(range.to_numbers(volume.voxels).clamp_(config.least, config.most));
    const io::Vector3& spacing = volume.geometry.spacing_mm;
    set.spacing_mm.push_back({spacing[2], spacing[1], spacing[0]});
    set.ct.push_back(ct);
  }
}

}  // namespace

void IntensityConfig::validate() const {
  RESEDA_REQUIRE(ct_high > ct_low, Errc::kUsage, "intensity.ct_high must lie above ct_low, got ", ct_high, " and ",
                 ct_low);
  RESEDA_REQUIRE(mr_percentile > 0 && mr_percentile <= 100, Errc::kUsage,
                 "intensity.mr_percentile must be above 0 and at most 100, got ", mr_percentile);
  RESEDA_REQUIRE(least <= 0, Errc::kUsage, "intensity.least must be at most 0, got ", least);
  RESEDA_REQUIRE(most >= 1, Errc::kUsage, "intensity.most must be at least 1, got ", most);
}

at::Tensor IntensityRange::to_numbers(const at::Tensor& voxels) const { return (voxels - low).div_(high - low); }
at::Tensor IntensityRange::to_voxels(const at::Tensor& numbers) const { return (numbers * (high - low)).add_(low); }

IntensityRange intensity_range(const at::Tensor& voxels, bool ct, const IntensityConfig& config,
                               const std::string& name) {
  if (ct) return {config.ct_low, config.ct_high};
  const double high = percentile(voxels, config.mr_percentile);
  RESEDA_REQUIRE(high > 0, Errc::kInput, name, ": percentile ", config.mr_percentile,
                 " of the MR volume is not positive");
  return {0, high};
}

VolumeSet read_volumes(const std::vector<std::string>& ct, const std::vector<std::string>& mr,
                       const IntensityConfig& config) {
  VolumeSet set;
  add_volumes(set, ct, true, config);
  add_volumes(set, mr, false, config);
  RESEDA_REQUIRE(!set.names.empty(), Errc::kInput, "no volume to train on: --ct and --mr name none");
  return set;
}

bool sliceable(const std::array<double, 3>& spacing_mm, std::int64_t axis) {
  const double tall = spacing_mm[axis == 0 ? 1 : 0], wide = spacing_mm[axis == 2 ? 1 : 2];
  return std::max(tall, wide) <= 2 * std::min(tall, wide);
}

}  // namespace reseda::medical
