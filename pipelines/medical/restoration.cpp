#include "pipelines/medical/restoration.hpp"

#include <ATen/ATen.h>

#include <array>
#include <cstdio>
#include <variant>

#include "modules/core/error.hpp"
#include "modules/core/log.hpp"
#include "modules/core/noise.hpp"

namespace reseda::medical {
namespace {

constexpr std::int64_t kLeastMove = 8, kMostMove = 32;

using Engine = std::variant<VolumeRestorer, PriorRestorer>;

Engine engine_of(const OpenedModel& model, const RestoreRequest& request, const at::Tensor& voxels) {
  if (request.asks_prior()) return PriorRestorer(model.model, request.prior);
  VolumeRestorerConfig config = request.restorer;
  config.at_once = threads_used({voxels.size(0), voxels.size(1), voxels.size(2)}, request);
  return VolumeRestorer(model.model, std::move(config));
}

/// One run of the restoration with what its steps share.
class Restoring {
 public:
  Restoring(const OpenedScan& scan, const OpenedModel& model, const RestoreRequest& request, const std::string& item,
            const ProgressSink& progress)
      : scan_(scan),
        request_(request),
        item_(item),
        progress_(progress),
        engine_(engine_of(model, request, scan.volume.voxels)),
        noise_(request.seed) {
    out_.range = intensity_range(scan.volume.voxels, scan.modality == Modality::kCt, model.model.task.intensity, item);
  }

  Restoration run() {
    find_noise();
    out_.voxels = request_.enlarges() ? enlarged() : denoised(scan_.volume.voxels, item_, 0);
    if (!request_.deviation.empty()) find_deviation();
    return std::move(out_);
  }

 private:
  void find_noise() {
    if (request_.sigma) {
      out_.noise.sigma = out_.noise.low = out_.noise.high = *request_.sigma;
      return;
    }
    out_.measured = true;
    if (request_.enlarges()) return;
    out_.noise = blind_noise_level(scan_.volume.voxels, scan_.volume.padding, scan_.modality);
    log::info(item_, ": noise ", short_number(out_.noise.sigma), " ", scan_.units, " (95 % interval ",
              short_number(out_.noise.low), " to ", short_number(out_.noise.high), ", from ",
              metrics::noise_site_name(out_.noise.site), "); --noise says otherwise");
  }

  at::Tensor numbers_of(const at::Tensor& voxels) const {
    at::Tensor numbers = out_.range.to_numbers(voxels);
    if (scan_.volume.padding.defined()) numbers.masked_fill_(scan_.volume.padding, 0.0);
    return numbers;
  }

  bool wanted(std::int64_t slice) const {
    return request_.slices.holds(slice) && (!scan_.mask.defined() || scan_.mask[slice].any().item<bool>());
  }

  /// Steps of pass number `pass` as part of all.
  ProgressSink part(std::int64_t pass) const {
    if (!progress_) return {};
    const std::int64_t passes = request_.deviation.empty() ? 1 : 1 + request_.samples;
    return [this, pass, passes](const Progress& step) {
      return progress_({pass * step.total + step.done, passes * step.total, step.note});
    };
  }

  at::Tensor denoised(const at::Tensor& voxels, const std::string& item, std::int64_t pass) {
    const double span = out_.range.high - out_.range.low;
    at::Tensor out = std::visit(
        [&](const auto& engine) {
          return engine.denoise(numbers_of(voxels), out_.noise.sigma / span, noise_, item, part(pass),
                                [this](std::int64_t slice) { return wanted(slice); });
        },
        engine_);
    out.mul_(span).add_(out_.range.low);
    if (request_.strength < 1) out.sub_(voxels).mul_(request_.strength).add_(voxels);
    keep(out, voxels);
    return out;
  }

  /// Puts back what is not to be changed.
  void keep(const at::Tensor& out, const at::Tensor& voxels) const {
    for (std::int64_t slice = 0; slice < out.size(0); ++slice) {
      if (!wanted(slice)) {
        out[slice].copy_(voxels[slice]);
        continue;
      }
      if (scan_.mask.defined()) out[slice].copy_(at::where(scan_.mask[slice], out[slice], voxels[slice]));
      if (scan_.volume.padding.defined())
        out[slice].copy_(at::where(scan_.volume.padding[slice], voxels[slice], out[slice]));
    }
  }

  at::Tensor enlarged() {
    const at::Tensor numbers = numbers_of(scan_.volume.voxels);
    at::Tensor out = std::visit(
        [&](const auto& engine) {
          return request_.task == "sr-inplane" ? engine.enlarge_in_plane(numbers, noise_, item_, part(0))
                                               : engine.enlarge_through_plane(numbers, noise_, item_, part(0));
        },
        engine_);
    out.mul_(out_.range.high - out_.range.low).add_(out_.range.low);
    return out;
  }

  void find_deviation() {
    const at::Tensor& x = out_.voxels;
    const at::Tensor removed = scan_.volume.voxels - x;
    at::Tensor sum = at::zeros_like(x), squares = at::zeros_like(x);
    for (int k = 1; k <= request_.samples; ++k) {
      const std::string item = item_ + ", sample " + std::to_string(k);
      Chooser choose(request_.seed, item, "bootstrap", 0);
      std::array<std::int64_t, 2> move{};
      for (std::int64_t& pixels : move)
        pixels = (choose.chance(0.5) ? 1 : -1) * (kLeastMove + choose.below(kMostMove - kLeastMove + 1));
      at::Tensor y = at::roll(removed, move, {1, 2});
      if (choose.chance(0.5)) y.neg_();
      const at::Tensor d = denoised(y.add_(x), item, k).sub_(x);
      sum.add_(d);
      squares.addcmul_(d, d);
    }
    const double count = request_.samples;
    out_.deviation = squares.sub_(sum.square_().div_(count)).div_(count - 1).clamp_min_(0).sqrt_();
    if (scan_.volume.padding.defined()) out_.deviation.masked_fill_(scan_.volume.padding, 0.0);
  }

  const OpenedScan& scan_;
  const RestoreRequest& request_;
  const std::string& item_;
  const ProgressSink& progress_;
  Engine engine_;
  CounterNoise noise_;
  Restoration out_;
};

}  // namespace

Restoration restore_volume(const OpenedScan& scan, const OpenedModel& model, const RestoreRequest& request,
                           const std::string& item, const ProgressSink& progress) {
  return Restoring(scan, model, request, item, progress).run();
}

std::string short_number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return text.data();
}

}  // namespace reseda::medical
