#include "pipelines/medical/volume_restorer.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "modules/core/error.hpp"
#include "modules/core/parallel.hpp"

namespace reseda::medical {
namespace {

/// Adds what a network of slices sees besides the slice itself.
class WithNeighbours final : public diffusion::Denoiser {
 public:
  WithNeighbours(const diffusion::Denoiser& inner, at::Tensor extra) : inner_(inner), extra_(std::move(extra)) {}
  diffusion::Estimates operator()(const at::Tensor& x, double t, const diffusion::Condition& condition) const override {
    return inner_(x, t, {.y = condition.y, .extra = extra_, .x0_before = condition.x0_before});
  }

 private:
  const diffusion::Denoiser& inner_;
  at::Tensor extra_;
};

/// The same noise for every item of a batch.
class SharedNoise final : public NoiseSource {
 public:
  explicit SharedNoise(NoiseSource& one) : one_(one) {}
  at::Tensor normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype) override {
    return one_.normal(key, single(shape), dtype).expand(shape);
  }
  at::Tensor uniform(const DrawKey& key, at::IntArrayRef shape) override {
    return one_.uniform(key, single(shape)).expand(shape);
  }

 private:
  static std::vector<std::int64_t> single(at::IntArrayRef shape) {
    std::vector<std::int64_t> out = shape.vec();
    if (!out.empty()) out.front() = 1;
    return out;
  }

  NoiseSource& one_;
};

/// The ways in which a slice is turned, best first: 1 mirrors its rows, 2 its columns, then 4 transposes it. Noise of
/// CT has directions, so transposing comes early; of planes across slices only rows were halved in training, so of
/// finer grids it comes last.
constexpr std::array<int, 8> kDenoisingTurns = {0, 4, 3, 7, 1, 2, 5, 6}, kEnlargingTurns = {0, 3, 1, 2, 4, 7, 5, 6};

/// @param slices  [B,C,H,W]
at::Tensor turned(at::Tensor slices, int way) {
  if (way & 1) slices = slices.flip(2);
  if (way & 2) slices = slices.flip(3);
  if (way & 4) slices = slices.transpose(2, 3);
  return slices.contiguous();
}

at::Tensor turned_back(at::Tensor slices, int way) {
  if (way & 4) slices = slices.transpose(2, 3);
  if (way & 2) slices = slices.flip(3);
  if (way & 1) slices = slices.flip(2);
  return slices.contiguous();
}

/// Slices that are restored in one go: as many small ones as fill a large one.
constexpr std::int64_t kPixelsAtOnce = 262144;

/// Slices that follow each other, and which of them are asked for.
struct Group {
  std::int64_t first, end;
  std::vector<std::int64_t> wanted;
};

/// A slice with its neighbours, mirrored at the ends of the stack: [1,2n+1,H,W].
at::Tensor neighbourhood(const at::Tensor& numbers, std::int64_t axis, std::int64_t index, std::int64_t n) {
  const std::int64_t last = numbers.size(axis) - 1;
  std::vector<at::Tensor> slices;
  for (std::int64_t i = index - n; i <= index + n; ++i) {
    std::int64_t place = i;
    while (last > 0 && (place < 0 || place > last)) place = place < 0 ? -place : 2 * last - place;
    slices.push_back(numbers.select(axis, last == 0 ? 0 : place));
  }
  return at::stack(slices).unsqueeze(0);
}

}  // namespace

VolumeRestorer::VolumeRestorer(const MedicalModel& model, VolumeRestorerConfig config)
    : model_(model), config_(std::move(config)), network_(model.restoration.denoiser()) {
  config_.tiling.multiple = model.restoration.multiple();
  config_.tiling.validate();
  RESEDA_REQUIRE(config_.turns >= 1 && config_.turns <= 8, Errc::kUsage, "turns must be 1 to 8, got ", config_.turns);
  const ConfigNode& sampler = config_.sampler.is_null() ? model.restoration.config().sampler : config_.sampler;
  sampler_ = diffusion::make_sampler(sampler);
}

at::Tensor VolumeRestorer::restore(const at::Tensor& numbers, std::int64_t axis, double sigma, NoiseSource& noise,
                                   const std::string& item, const ProgressSink& progress,
                                   const std::function<bool(std::int64_t)>& wanted) const {
  const at::NoGradGuard no_gradients;
  const IntensityConfig& range = model_.task.intensity;
  const std::array<int, 8>& turns = model_.task.task == "denoise" ? kDenoisingTurns : kEnlargingTurns;
  const c10::Device device = model_.restoration.network().tensors().front().second.device();
  const diffusion::TiledDenoiser tiled(*network_, config_.tiling);
  SharedNoise shared(noise);
  at::Tensor out = numbers.clone();
  const std::int64_t count = numbers.size(axis),
                     group =
                         std::max<std::int64_t>(kPixelsAtOnce * count / std::max<std::int64_t>(numbers.numel(), 1), 1);
  // A group is computed whole wherever one of its slices is wanted: what the network sees has one shape for any choice.
  std::vector<Group> groups;
  for (std::int64_t first = 0; first < count; first += group) {
    Group one{first, std::min(first + group, count), {}};
    for (std::int64_t i = first; i < one.end; ++i)
      if (!wanted || wanted(i)) one.wanted.push_back(i);
    if (!one.wanted.empty()) groups.push_back(std::move(one));
  }
  std::mutex mutex;
  std::int64_t done = 0;
  const auto restore_group = [&](std::int64_t number) {
    const Group& these = groups[static_cast<std::size_t>(number)];
    std::vector<at::Tensor> seen;
    for (std::int64_t i = these.first; i < these.end; ++i)
      seen.push_back(neighbourhood(numbers, axis, i, model_.task.neighbours));
    const at::Tensor slices = (2.0 * at::cat(seen).clamp_(range.least, range.most) - 1.0).to(device),
                     level = at::full({slices.size(0)}, static_cast<float>(sigma));
    at::Tensor change;
    for (std::int64_t turn = 0; turn < config_.turns; ++turn) {
      const int way = turns[static_cast<std::size_t>(turn)];
      const restoration::Pairs pairs = slice_condition(turned(slices, way), level);
      const WithNeighbours denoiser(tiled, pairs.extra);
      diffusion::SampleContext context{shared, item, {}, {}};
      const at::Tensor one =
          turned_back(sampler_->run(pairs.y, model_.restoration.process(), denoiser, context) - pairs.y, way);
      change = change.defined() ? change + one : one;
    }
    change = (change * (0.5 / static_cast<double>(config_.turns))).cpu();
    for (const std::int64_t i : these.wanted) out.select(axis, i).add_(change[i - these.first][0]);
    const std::scoped_lock lock(mutex);
    done += these.end - these.first;
    RESEDA_REQUIRE(!progress || progress({done, count, ""}), Errc::kInterrupted, "stopped after ", done, " of ", count,
                   " slices");
  };
  parallel_items(static_cast<std::int64_t>(groups.size()), config_.at_once, restore_group);
  return out;
}

at::Tensor VolumeRestorer::denoise(const at::Tensor& numbers, double sigma, NoiseSource& noise, const std::string& item,
                                   const ProgressSink& progress,
                                   const std::function<bool(std::int64_t)>& wanted) const {
  RESEDA_REQUIRE(model_.task.task == "denoise", Errc::kUsage, "the model does not denoise, its task is ",
                 model_.task.task);
  return restore(numbers, 0, sigma, noise, item, progress, wanted);
}

at::Tensor VolumeRestorer::enlarge_in_plane(const at::Tensor& numbers, NoiseSource& noise, const std::string& item,
                                            const ProgressSink& progress) const {
  RESEDA_REQUIRE(model_.task.task == "super_resolution", Errc::kUsage, "the model does not enlarge, its task is ",
                 model_.task.task);
  const at::Tensor slices = numbers.unsqueeze(1);
  const at::Tensor large =
      at::upsample_bicubic2d(slices, {2 * numbers.size(1), 2 * numbers.size(2)}, /*align_corners=*/false).squeeze(1);
  at::Tensor out = restore(large, 0, kEnlargingSigma, noise, item, progress, {});
  const at::Tensor missing = slices - at::avg_pool2d(out.unsqueeze(1), {2, 2});
  return out.add_(at::upsample_nearest2d(missing, {large.size(1), large.size(2)}).squeeze(1));
}

at::Tensor VolumeRestorer::enlarge_through_plane(const at::Tensor& numbers, NoiseSource& noise, const std::string& item,
                                                 const ProgressSink& progress) const {
  RESEDA_REQUIRE(model_.task.task == "super_resolution", Errc::kUsage, "the model does not enlarge, its task is ",
                 model_.task.task);
  const std::int64_t depth = numbers.size(0), height = numbers.size(1), width = numbers.size(2);
  const at::Tensor large = at::upsample_bicubic2d(numbers.permute({1, 0, 2}).unsqueeze(1), {2 * depth, width},
                                                  /*align_corners=*/false)
                               .squeeze(1)
                               .permute({1, 0, 2})
                               .contiguous();
  const auto half = [&](std::int64_t before) -> ProgressSink {
    if (!progress) return {};
    return [&progress, before, total = height + width](const Progress& p) {
      return progress({before + p.done, total, p.note});
    };
  };
  at::Tensor out = restore(large, 1, kEnlargingSigma, noise, item, half(0), {});
  out.add_(restore(large, 2, kEnlargingSigma, noise, item, half(height), {})).mul_(0.5);
  at::Tensor pairs = out.view({depth, 2, height, width});
  pairs.add_((numbers - pairs.mean(1)).unsqueeze(1));
  return out;
}

}  // namespace reseda::medical
