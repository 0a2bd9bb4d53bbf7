#include "pipelines/medical/modality.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "modules/core/parallel.hpp"

namespace reseda::medical {
namespace {

constexpr double kAirHu = -500, kLeastHu = -1024;
constexpr std::int64_t kSlicesLookedAt = 64;

}  // namespace

const char* modality_name(Modality modality) {
  if (modality == Modality::kCt) return "CT";
  return modality == Modality::kMr ? "MR" : "PET";
}

std::optional<Modality> find_modality(std::string_view name) {
  if (name == "CT" || name == "ct") return Modality::kCt;
  if (name == "MR" || name == "mr") return Modality::kMr;
  if (name == "PT" || name == "pet") return Modality::kPet;
  return {};
}

Modality guess_modality(const at::Tensor& voxels) {
  return voxels.min().item<double>() <= kAirHu ? Modality::kCt : Modality::kMr;
}

metrics::NoiseLevel blind_noise_level(const at::Tensor& voxels, const at::Tensor& padding, Modality modality) {
  const std::int64_t count = std::min(voxels.size(0), kSlicesLookedAt), first = (voxels.size(0) - count) / 2;
  at::Tensor slices = voxels.narrow(0, first, count);
  if (padding.defined()) {
    const at::Tensor outside = padding.narrow(0, first, count);
    const at::Tensor inside = slices.masked_select(outside.logical_not());
    if (inside.numel() > 0) slices = slices.masked_fill(outside, inside.min());
  }
  // Below the air of CT lies only padding that no header marks.
  if (modality == Modality::kCt) slices = slices.clamp_min(kLeastHu);
  metrics::NoiseLevel level;
  on_one_thread([&] {
    level = modality == Modality::kMr ? metrics::rician_noise_level(slices) : metrics::gaussian_noise_level(slices);
  });
  return level;
}

}  // namespace reseda::medical
