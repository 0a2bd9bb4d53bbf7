#include "pipelines/certify/smoothing_run.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "io/record/sha256.hpp"
#include "modules/core/log.hpp"
#include "pipelines/certify/photograph.hpp"
#include "pipelines/common/signals.hpp"

namespace reseda::certify {
namespace {

constexpr std::int64_t kMostElongated = 64;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::string pixels_sha256(const at::Tensor& pixels) {
  const at::Tensor whole = pixels.contiguous();
  return io::sha256({static_cast<const char*>(whole.data_ptr()), static_cast<std::size_t>(whole.numel())});
}

/// x in [0, 1] for Gaussian noise, levels for integer noise.
at::Tensor as_smoothed(const at::Tensor& pixels, const std::string& noise) {
  return noise == "integer" ? pixels : pixels.to(at::kFloat) / 255;
}

ImageRecord record_of(const SmoothingRun& run, std::int64_t index, const stats::Certificate& certificate,
                      VoteState state) {
  ImageRecord record;
  record.index = index;
  record.label = run.data.label(index);
  record.name = run.data.name(index);
  record.certificate = certificate;
  record.not_finite = state.selection.back() + state.estimation.back();
  state.selection.back() = state.estimation.back() = 0;
  record.selection = vote_table(state.selection);
  record.estimation = vote_table(state.estimation);
  return record;
}

void require_same_images(const SmoothingRun& run, const RunFiles& files) {
  for (const auto& [index, record] : files.records())
    RESEDA_REQUIRE(
        index < run.data.size() && run.data.label(index) == record.label && run.data.name(index) == record.name,
        Errc::kInput, "image ", index, " of the data is not the one that was certified before: the name is ",
        index < run.data.size() ? run.data.name(index) : "none", ", recorded was ", record.name);
}

}  // namespace

at::Tensor model_pixels(const ImageData& data, std::int64_t index, const std::string& crop, const ImageInput& input) {
  const auto channels = static_cast<std::int64_t>(input.mean.size());
  if (crop == "none") return pixels_of_shape(data, index, channels, input.size);
  at::Tensor pixels = data.pixels(index);
  if (pixels.size(0) == 1 && channels == 3) pixels = pixels.expand({3, -1, -1}).contiguous();
  RESEDA_REQUIRE(pixels.size(0) == channels, Errc::kInput, "image ", data.name(index), ": has ", pixels.size(0),
                 " channels, the model takes ", channels);
  RESEDA_REQUIRE(std::min(pixels.size(1), pixels.size(2)) >= 8, Errc::kInput, "image ", data.name(index), ": ",
                 pixels.size(2), " x ", pixels.size(1), " pixels are too few to crop");
  RESEDA_REQUIRE(std::max(pixels.size(1), pixels.size(2)) / std::min(pixels.size(1), pixels.size(2)) < kMostElongated,
                 Errc::kInput, "image ", data.name(index), ": ", pixels.size(2), " x ", pixels.size(1),
                 " pixels are too elongated to crop");
  const auto resize = static_cast<std::int64_t>(std::lround(static_cast<double>(input.size) * 256 / 224));
  return crop == "halve" ? halved_and_cropped(pixels, input.size) : resized_and_cropped(pixels, resize, input.size);
}

std::int64_t certify_images(const SmoothingRun& run, RunFiles& files, const RunEvents& events) {
  require_same_images(run, files);
  const RunSettings& settings = run.settings;
  CounterNoise noise(static_cast<std::uint64_t>(settings.seed));
  const NoisyClassifier noisy =
      settings.noise == "integer"
          ? run.model.under_integer_noise(settings.sigma, static_cast<std::uint64_t>(settings.seed))
          : run.model.under_noise(settings.sigma, noise);
  const SmoothedClassifier smoothed(noisy.classifier, noisy.smoother, run.model.config().classes,
                                    {.sigma = settings.sigma,
                                     .n0 = settings.n0,
                                     .n = settings.n,
                                     .alpha = settings.alpha,
                                     .batch = run.batch,
                                     .fixed_shape = !run.model.takes_any_batch()},
                                    run.device);
  const ImageVotes votes(smoothed, settings, run.model.config().classes);
  std::int64_t cast = 0;
  for (const std::int64_t index : run.indices) {
    if (files.records().count(index) != 0) continue;
    const Clock::time_point begin = Clock::now();
    const at::Tensor pixels = model_pixels(run.data, index, settings.crop, run.model.config().input);
    const std::string hash = pixels_sha256(pixels), name = run.data.name(index);
    VoteState state = files.votes(index, hash).value_or(votes.start());
    if (!votes.fits(state)) state = votes.start();
    const std::int64_t before = state.selected() + state.estimated();
    Clock::time_point saved = begin;
    events.start(name);
    const auto after_batch = [&](const VoteState& now) {
      events.step(now.selected() + now.estimated(), settings.n0 + settings.n);
      if (app::stop_requested() || seconds_since(saved) >= run.save_seconds) {
        files.save_votes(index, hash, now);
        saved = Clock::now();
      }
      app::throw_if_stopped();
    };
    const stats::Certificate certificate = votes.certify(as_smoothed(pixels, settings.noise), name, state, after_batch);
    ImageRecord record = record_of(run, index, certificate, state);
    record.pixels_sha256 = hash;
    if (run.record_times) record.seconds = seconds_since(begin);
    cast += state.selected() + state.estimated() - before;
    files.append(record);
    if (record.not_finite > 0)
      log::warning("image ", name, ": ", record.not_finite,
                   " noisy copies have logits that are not finite; they vote "
                   "for no class");
    events.finish(record);
  }
  files.finish();
  return cast;
}

}  // namespace reseda::certify
