#include "pipelines/medical/volume_task.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "modules/core/error.hpp"

namespace reseda::medical {
namespace {

using restoration::Pairs;

/// The place in a stack of `size` of an index beyond its ends, mirrored there.
std::int64_t mirrored(std::int64_t index, std::int64_t size) {
  if (size == 1) return 0;
  const std::int64_t period = 2 * (size - 1), place = ((index % period) + period) % period;
  return place < size ? place : period - place;
}

/// The slice at a place between slices.
at::Tensor slice_at(const at::Tensor& voxels, std::int64_t axis, double place) {
  const double below = std::floor(place), share = place - below;
  const auto index = static_cast<std::int64_t>(below);
  const at::Tensor near = voxels.select(axis, mirrored(index, voxels.size(axis)));
  if (share == 0) return near;
  return near + share * (voxels.select(axis, mirrored(index + 1, voxels.size(axis))) - near);
}

/// Turned and mirrored, one of eight ways.
at::Tensor turned(at::Tensor slices, Chooser& choose) {
  const std::int64_t way = choose.below(8);
  if (way & 1) slices = slices.flip(1);
  if (way & 2) slices = slices.flip(2);
  if (way & 4) slices = slices.transpose(1, 2);
  return slices.contiguous();
}

double between(Chooser& choose, double low, double high) {
  return std::exp(choose.uniform(std::log(low), std::log(high)));
}

/// The slices of a volume of any modality as CT shows soft tissue and bone (DegradedVolumes), numbers.
at::Tensor toned(const at::Tensor& x, const IntensityConfig& intensity, Chooser& choose) {
  const double range = intensity.ct_high - intensity.ct_low;
  const double level = choose.uniform(-100.0, 60.0), contrast = between(choose, 20.0, 200.0),
               edge = choose.uniform(-1000.0, 1000.0);
  const at::Tensor dark = (1.0 - x / 0.2).clamp_(0.0, 1.0);
  const at::Tensor hu =
      level + (choose.chance(0.5) ? contrast : -contrast) * x + edge * dark.square() * (3.0 - 2.0 * dark);
  return ((hu - intensity.ct_low) / range).clamp_(intensity.least, intensity.most);
}

at::Tensor rician(const at::Tensor& x, double sigma, NoiseSource& noise, const DrawKey& key) {
  const at::Tensor n = noise.normal(key, {2, x.size(0), x.size(1), x.size(2)});
  return at::hypot(x + sigma * n[0], sigma * n[1]);
}

/// Means of 2 x 2 pixels, or of 2 x 1, enlarged to the old size by cubic interpolation.
at::Tensor halved(const at::Tensor& slices, bool both) {
  const at::Tensor small =
      both ? at::avg_pool2d(slices.unsqueeze(0), {2, 2}) : at::avg_pool2d(slices.unsqueeze(0), {2, 1}, {2, 1});
  return at::upsample_bicubic2d(small, slices.sizes().slice(1), /*align_corners=*/false).squeeze(0);
}

}  // namespace

void VolumeTaskConfig::validate() const {
  RESEDA_REQUIRE(task == "denoise" || task == "super_resolution", Errc::kUsage,
                 "task.task must be denoise or super_resolution, got '", task, "'");
  RESEDA_REQUIRE(modality == "ct" || modality == "mr" || modality == "any", Errc::kUsage,
                 "task.modality must be ct, mr or any, got '", modality, "'");
  RESEDA_REQUIRE(neighbours >= 0 && neighbours <= 16, Errc::kUsage, "task.neighbours must be 0 to 16, got ",
                 neighbours);
  intensity.validate();
}

void VolumeDegradation::validate() const {
  RESEDA_REQUIRE(noise_low > 0 && noise_high >= noise_low && noise_high <= 1, Errc::kUsage,
                 "degradation: 0 < noise_low <= noise_high <= 1, got ", noise_low, " and ", noise_high);
  RESEDA_REQUIRE(own_noise >= 0 && own_noise <= 1, Errc::kUsage, "degradation.own_noise must be 0 to 1, got ",
                 own_noise);
  RESEDA_REQUIRE(sigma_error >= 0 && sigma_error <= 2, Errc::kUsage, "degradation.sigma_error must be 0 to 2, got ",
                 sigma_error);
  RESEDA_REQUIRE(unevenness >= 0 && unevenness <= 3, Errc::kUsage, "degradation.unevenness must be 0 to 3, got ",
                 unevenness);
  RESEDA_REQUIRE(zoom >= 1 && zoom <= 4, Errc::kUsage, "degradation.zoom must be 1 to 4, got ", zoom);
}

Pairs slice_condition(const at::Tensor& slices, const at::Tensor& sigma) {
  const std::int64_t middle = slices.size(1) / 2;
  const at::Tensor level = restoration::noise_level(2.0 * sigma)
                               .to(slices.device())
                               .view({-1, 1, 1, 1})
                               .expand({slices.size(0), 1, slices.size(2), slices.size(3)});
  return {{},
          slices.narrow(1, middle, 1),
          at::cat({slices.narrow(1, 0, middle), slices.narrow(1, middle + 1, middle), level}, 1)};
}

at::Tensor tomographic_noise(std::int64_t count, std::int64_t size, Chooser& choose, NoiseSource& noise,
                             const DrawKey& key) {
  const at::Tensor fy = at::fft_fftfreq(size).view({-1, 1}), fx = at::fft_rfftfreq(size).view({1, -1});
  const at::Tensor f = at::sqrt(fy.square() + fx.square());
  at::Tensor amplitude;
  if (choose.chance(0.5)) {
    const double cut = choose.uniform(0.35, 0.75), lean = choose.uniform(0.0, 0.8),
                 direction = choose.uniform(0.0, std::numbers::pi);
    const at::Tensor window = 0.5 * (1.0 + at::cos(f * (std::numbers::pi / cut))) * (f < cut);
    const at::Tensor along = 1.0 + lean * at::cos(2.0 * (at::atan2(fy, fx) - direction));
    amplitude = at::sqrt(f * along) * window;
    const at::Tensor floor = choose.uniform(0.0, 0.15) * amplitude.max();
    amplitude = at::hypot(amplitude, floor);
  } else {
    const double blur = choose.uniform(0.0, 1.2);
    amplitude = at::exp(f.square() * (-2.0 * std::numbers::pi * std::numbers::pi * blur * blur));
  }
  // Frequencies 0 and size / 2 along the last axis stand once in a half spectrum, all others twice.
  at::Tensor times = at::full({1, amplitude.size(1)}, 2.0);
  times.select(1, 0).fill_(1.0);
  if (size % 2 == 0) times.select(1, -1).fill_(1.0);
  const double power = (amplitude.square() * times).sum().item<double>() / static_cast<double>(size * size);
  const at::Tensor white = noise.normal(key, {count, size, size});
  return at::fft_irfft2(at::fft_rfft2(white) * amplitude, at::IntArrayRef({size, size})) / std::sqrt(power);
}

at::Tensor uneven_field(std::int64_t size, double unevenness, Chooser& choose) {
  const double down = choose.uniform(-0.5, 0.5) * unevenness, across = choose.uniform(-0.5, 0.5) * unevenness;
  const at::Tensor place = at::linspace(-0.5, 0.5, size);
  return at::exp(down * place.unsqueeze(1) + across * place);
}

DegradedVolumes::DegradedVolumes(VolumeSet volumes, VolumeTaskConfig task, VolumeDegradation degradation)
    : volumes_(std::move(volumes)), task_(std::move(task)), degradation_(degradation) {
  task_.validate();
  degradation_.validate();
  for (std::size_t v = 0; v < volumes_.names.size(); ++v)
    RESEDA_REQUIRE(sliceable(volumes_.spacing_mm[v], 0) || sliceable(volumes_.spacing_mm[v], 1) ||
                       sliceable(volumes_.spacing_mm[v], 2),
                   Errc::kInput, volumes_.names[v], ": no axis across which pixels are about square");
}

bool DegradedVolumes::toned_as_ct(std::size_t volume) const { return task_.modality == "ct" && !volumes_.ct[volume]; }

at::Tensor DegradedVolumes::stack(Chooser& choose, const at::Tensor& voxels, std::int64_t axis, std::int64_t size,
                                  double farthest) const {
  const std::int64_t n = task_.neighbours;
  const double zoom = choose.uniform(1.0, degradation_.zoom), distance = between(choose, 1.0 / 3, farthest);
  const auto cut = static_cast<std::int64_t>(std::ceil(static_cast<double>(size) / zoom));
  const at::Tensor some = voxels.select(axis, 0);
  RESEDA_REQUIRE(some.size(0) >= cut && some.size(1) >= cut, Errc::kInput, "training crops of ", cut,
                 " pixels do not fit into slices of ", some.size(1), "x", some.size(0));
  const std::int64_t top = choose.below(some.size(0) - cut + 1), left = choose.below(some.size(1) - cut + 1),
                     index = choose.below(voxels.size(axis));
  std::vector<at::Tensor> slices;
  for (std::int64_t k = -n; k <= n; ++k)
    slices.push_back(slice_at(voxels, axis, static_cast<double>(index) + distance * static_cast<double>(k))
                         .narrow(0, top, cut)
                         .narrow(1, left, cut));
  const at::Tensor stack = at::stack(slices);
  if (cut == size) return stack;
  return at::upsample_bicubic2d(stack.unsqueeze(0), {size, size}, /*align_corners=*/false).squeeze(0);
}

at::Tensor DegradedVolumes::crop(Chooser& choose, std::size_t volume, std::int64_t size) const {
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = 0; axis < 3; ++axis) {
    const at::Tensor& voxels = volumes_.voxels[volume];
    const std::int64_t tall = voxels.size(axis == 0 ? 1 : 0), wide = voxels.size(axis == 2 ? 1 : 2);
    if (sliceable(volumes_.spacing_mm[volume], axis) && std::min(tall, wide) >= size) axes.push_back(axis);
  }
  RESEDA_REQUIRE(!axes.empty(), Errc::kInput, volumes_.names[volume], ": too small for training crops of ", size,
                 " pixels");
  // A few tries find a crop with content.
  at::Tensor slices;
  for (int tries = 0; tries < 8; ++tries) {
    const std::int64_t axis = axes[static_cast<std::size_t>(choose.below(static_cast<std::int64_t>(axes.size())))];
    slices = stack(choose, volumes_.voxels[volume], axis, size, toned_as_ct(volume) ? 6.0 : 3.0);
    if (slices[task_.neighbours].std().item<double>() > 0.03) break;
  }
  return turned(slices, choose);
}

Pairs DegradedVolumes::draw(std::int64_t count, std::int64_t size, std::uint64_t seed, std::int64_t step) const {
  CounterNoise noise(seed);
  std::vector<at::Tensor> clean, seen;
  std::vector<float> told;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string item = "crop " + std::to_string(i);
    const auto number = static_cast<std::uint32_t>(step);
    Chooser choose(seed, item, "crop", number);
    const auto volume = static_cast<std::size_t>(choose.below(static_cast<std::int64_t>(volumes_.names.size())));
    at::Tensor x = crop(choose, volume, size), y;
    const bool toned_slices = toned_as_ct(volume), ct = volumes_.ct[volume] || toned_slices;
    double own = 0, sigma = 0;
    if (toned_slices)
      x = toned(x, task_.intensity, choose);
    else if (degradation_.own_noise > 0 && choose.chance(0.5))
      own = choose.uniform(0.0, degradation_.own_noise);
    if (ct) {
      if (own > 0) x = x + own * tomographic_noise(x.size(0), size, choose, noise, {item, "own noise", number});
    } else if (own > 0) {
      x = rician(x, own, noise, {item, "own noise", number});
    }
    if (task_.task == "super_resolution") {
      y = halved(x, choose.chance(0.5));
    } else {
      sigma = between(choose, degradation_.noise_low, degradation_.noise_high);
      const DrawKey key{item, "measurement noise", number};
      if (ct) {
        const at::Tensor level = sigma * uneven_field(size, degradation_.unevenness, choose);
        y = x + level * tomographic_noise(x.size(0), size, choose, noise, key);
      } else {
        y = rician(x, sigma, noise, key);
      }
    }
    clean.push_back(x.narrow(0, task_.neighbours, 1));
    seen.push_back(y);
    told.push_back(static_cast<float>(std::hypot(own, sigma) * std::exp(degradation_.sigma_error * choose.normal())));
  }
  if (task_.task == "super_resolution") std::fill(told.begin(), told.end(), kEnlargingSigma);
  Pairs pairs = slice_condition(2.0 * at::stack(seen) - 1.0, at::tensor(told));
  pairs.x0 = 2.0 * at::stack(clean) - 1.0;
  return pairs;
}

std::string DegradedVolumes::contents() const {
  std::string names;
  for (const std::string& name : volumes_.names) names += name + '\n';
  return names;
}

}  // namespace reseda::medical
