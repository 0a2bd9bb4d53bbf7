#include "pipelines/speech/enhancer.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "modules/core/error.hpp"

namespace reseda::speech {
namespace {

/// Every piece is a multiple of this many frames: few different shapes reach the network.
constexpr std::int64_t kFrameBucket = 64;

/// Draws in frame-major order from frame `first` on: the noise at a frame does not depend on where a piece begins.
class FrameNoise final : public NoiseSource {
 public:
  FrameNoise(NoiseSource& source, std::int64_t first_frame) : source_(source), first_(first_frame) {}
  at::Tensor normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype) override {
    RESEDA_INVARIANT(shape.size() == 4 && shape[0] == 1 && shape[1] == 1);
    const std::int64_t bins = shape[2], frames = shape[3];
    DrawKey moved = key;
    moved.first += static_cast<std::uint64_t>(first_ * bins);
    return source_.normal(moved, {1, 1, frames, bins}, dtype).transpose(2, 3).contiguous();
  }
  at::Tensor uniform(const DrawKey& key, at::IntArrayRef shape) override { return source_.uniform(key, shape); }

 private:
  NoiseSource& source_;
  std::int64_t first_;
};

std::int64_t frames_of(double seconds, const SpeechModelConfig& model) {
  const double frames = seconds * static_cast<double>(model.sample_rate) / static_cast<double>(model.stft.hop);
  return std::max<std::int64_t>(1, std::llround(frames / kFrameBucket)) * kFrameBucket;
}

}  // namespace

void EnhanceConfig::validate() const {
  RESEDA_REQUIRE(chunk_seconds >= 1 && chunk_seconds <= 3600, Errc::kUsage,
                 "enhance.chunk_seconds must be 1 to 3600, got ", chunk_seconds);
  RESEDA_REQUIRE(overlap_seconds > 0 && overlap_seconds <= chunk_seconds / 2, Errc::kUsage,
                 "enhance.overlap_seconds must be positive and at most half of chunk_seconds, got ", overlap_seconds);
  RESEDA_REQUIRE(mix >= 0 && mix <= 1, Errc::kUsage, "enhance.mix must be in [0, 1], got ", mix);
  RESEDA_REQUIRE(attenuation_limit_db >= 0, Errc::kUsage, "enhance.attenuation_limit_db must not be negative, got ",
                 attenuation_limit_db);
}

ConfigNode chosen_sampler(const SpeechModelConfig& model, const EnhanceConfig& config) {
  ConfigNode sampler = model.sampler;
  sampler.merge_component(config.sampler);
  return sampler;
}

Enhancer::Enhancer(SpeechModel model, EnhanceConfig config, c10::Device device, NoiseSource& noise, NoiseLayout layout)
    : model_(std::move(model)),
      config_(std::move(config)),
      device_(device),
      noise_(noise),
      layout_(layout),
      stft_(model_.config().stft),
      chunk_(frames_of(config_.chunk_seconds, model_.config())),
      overlap_(frames_of(config_.overlap_seconds, model_.config())) {
  config_.validate();
  RESEDA_REQUIRE(overlap_ * 2 <= chunk_, Errc::kUsage, "enhance: chunks of ", chunk_, " frames cannot overlap by ",
                 overlap_);
  const std::int64_t multiple = model_.network().time_multiple();
  RESEDA_REQUIRE(kFrameBucket % multiple == 0 || multiple % kFrameBucket == 0, Errc::kUsage,
                 "enhance: the network's frame multiple ", multiple, " does not fit");
  const ConfigNode sampler = chosen_sampler(model_.config(), config_);
  RESEDA_REQUIRE(!sampler.is_null(), Errc::kUsage, "enhance: model '", model_.config().name,
                 "' names no sampler; give one, e.g. --set sampler.name=bridge_ddim");
  sampler_ = diffusion::make_sampler(sampler, "sampler");
  model_.network().to(device_);
  auto [call, target] = parametrize(model_.config().parametrization, model_.network(), model_.process());
  denoiser_ = std::make_unique<diffusion::NetworkDenoiser>(std::move(call), target, model_.process());
}

double Enhancer::dry_share() const {
  const double limit = config_.attenuation_limit_db > 0 ? std::pow(10.0, -config_.attenuation_limit_db / 20.0) : 0.0;
  return std::max(1.0 - config_.mix, limit);
}

double Enhancer::level(double peak, double mean_square) const {
  return (model_.config().normalize == "peak" ? peak : std::sqrt(mean_square)) / model_.config().level;
}

at::Tensor Enhancer::restore(const at::Tensor& spectrum, const std::string& item, std::int64_t first_frame,
                             const ProgressSink& progress) const {
  c10::InferenceMode inference;
  FrameNoise frames(noise_, first_frame);
  diffusion::SampleContext context{layout_ == NoiseLayout::kOfficial ? noise_ : frames, item, progress, {}};
  return sampler_->run(spectrum.to(device_), model_.process(), *denoiser_, context).cpu();
}

at::Tensor Enhancer::analyse(const at::Tensor& wave) const {
  return signal::compress(stft_.forward(wave), model_.config().transform).unsqueeze(0);
}

at::Tensor Enhancer::synthesise(const at::Tensor& spectrum, std::int64_t samples) const {
  return stft_.inverse(signal::expand(spectrum.squeeze(0), model_.config().transform), samples);
}

at::Tensor Enhancer::pad(const at::Tensor& spectrum, std::int64_t multiple) const {
  const std::int64_t frames = spectrum.size(-1), missing = (multiple - frames % multiple) % multiple;
  // Reflection needs more frames than it adds; a clip that is too short is followed by silence.
  const auto padding =
      missing >= frames ? signal::FramePadding::kZero : signal::parse_frame_padding(model_.config().padding);
  return signal::pad_frames(spectrum, multiple, padding);
}

at::Tensor Enhancer::enhance_whole(const at::Tensor& wave, double divisor, const std::string& item,
                                   const ProgressSink& progress) const {
  c10::InferenceMode inference;
  const std::int64_t samples = wave.size(1), least = model_.config().stft.n_fft;
  if (samples < least) {
    const at::Tensor longer = at::constant_pad_nd(wave, {0, least - samples});
    return enhance_whole(longer, divisor, item, progress).narrow(1, 0, samples);
  }
  const at::Tensor spectrum = analyse(wave / divisor);
  const at::Tensor padded = pad(spectrum, std::max(kFrameBucket, model_.network().time_multiple()));
  const at::Tensor restored = restore(padded, item, 0, progress);
  return synthesise(restored, samples) * divisor;
}

StreamEnhancer::StreamEnhancer(const Enhancer& enhancer, std::string item, std::int64_t channels, std::int64_t samples,
                               double divisor, ProgressSink progress)
    : enhancer_(enhancer),
      item_(std::move(item)),
      channels_(channels),
      samples_(samples),
      hop_(enhancer.model().config().stft.hop),
      divisor_(divisor),
      progress_(std::move(progress)),
      pending_(at::empty({channels, 0}, at::kFloat)),
      tail_(at::empty({channels, 0}, at::kFloat)) {
  RESEDA_INVARIANT(samples > 0 && channels > 0);
  frames_ = enhancer.model().config().stft.frames(samples);
  step_ = enhancer.chunk_frames() - enhancer.overlap_frames();
  chunks_ = frames_ <= enhancer.chunk_frames() ? 1 : 1 + (frames_ - enhancer.chunk_frames() + step_ - 1) / step_;
}

bool StreamEnhancer::ready() const {
  if (done_ == chunks_) return false;
  const std::int64_t have = pending_first_ + pending_.size(1);
  if (have >= samples_) return true;
  if (chunks_ == 1) return false;
  const std::int64_t last_frame = done_ * step_ + enhancer_.chunk_frames() - 1;
  return have >= (last_frame + 1) * hop_ + enhancer_.model().config().stft.n_fft;
}

at::Tensor StreamEnhancer::push(const at::Tensor& wave) {
  if (divisor_ == 0) return wave;
  pending_ = at::cat({pending_, wave}, 1);
  std::vector<at::Tensor> out;
  while (ready()) out.push_back(next());
  return out.empty() ? at::empty({channels_, 0}, at::kFloat) : at::cat(out, 1);
}

/// Frames first .. first + frames - 1 of the whole recording's spectrum, enhanced; the wave from sample first * hop on.
at::Tensor StreamEnhancer::enhance_chunk(std::int64_t channel, std::int64_t first, std::int64_t frames,
                                         const ProgressSink& progress) const {
  c10::InferenceMode inference;
  const std::int64_t n_fft = enhancer_.model().config().stft.n_fft;
  // The window of an edge frame reaches n_fft/2 beyond it: transform a few frames more and drop them.
  const std::int64_t margin = (n_fft / 2 + hop_ - 1) / hop_ + 1;
  const std::int64_t from = std::max<std::int64_t>(0, first - margin), begin = from * hop_;
  const std::int64_t end = std::min(samples_, (first + frames - 1 + margin) * hop_);
  const at::Tensor segment = pending_.narrow(0, channel, 1).narrow(1, begin - pending_first_, end - begin);
  const at::Tensor spectrum = enhancer_.analyse(segment / divisor_);
  const std::int64_t kept = std::min(frames, spectrum.size(3) - (first - from));
  const at::Tensor padded = enhancer_.pad(spectrum.narrow(3, first - from, kept), frames);
  const at::Tensor restored = enhancer_.restore(padded, item_, first, progress);
  const bool last = first + frames >= frames_;
  return enhancer_.synthesise(restored, last ? samples_ - first * hop_ : (frames - 1) * hop_) * divisor_;
}

at::Tensor StreamEnhancer::next() {
  const std::int64_t chunk = done_++;
  std::vector<at::Tensor> waves;
  for (std::int64_t channel = 0; channel < channels_; ++channel) {
    const std::int64_t base = chunk * channels_ + channel;
    bool go_on = true;
    const ProgressSink progress = [&](const Progress& inner) {
      // One unit per chunk and channel, in thousandths.
      const std::int64_t part = inner.total > 0 ? 1000 * inner.done / inner.total : 0;
      go_on = !progress_ || progress_({1000 * base + part, 1000 * chunks_ * channels_, inner.note});
      return go_on;
    };
    if (chunks_ == 1)
      waves.push_back(
          enhancer_.enhance_whole(pending_.narrow(0, channel, 1).narrow(1, 0, samples_), divisor_, item_, progress));
    else
      waves.push_back(enhance_chunk(channel, chunk * step_, enhancer_.chunk_frames(), progress));
    // A sampler does not stop at its last step; here more may follow.
    RESEDA_REQUIRE(go_on || base + 1 == chunks_ * channels_, Errc::kInterrupted, item_, ": stopped after piece ",
                   base + 1, " of ", chunks_ * channels_);
  }
  at::Tensor wave = at::cat(waves, 0);
  if (chunks_ == 1) return wave;

  // tail_ holds the previous chunk from this chunk's first sample on; fade over the middle half of the overlap.
  const std::int64_t overlap = (enhancer_.overlap_frames() - 1) * hop_, quarter = overlap / 4;
  if (chunk > 0) {
    const std::int64_t shared = std::min(tail_.size(1), wave.size(1));
    const at::Tensor place =
        (at::arange(shared, at::kFloat) - static_cast<double>(quarter)) / static_cast<double>(overlap - 2 * quarter);
    const at::Tensor rise = (place.clamp(0.0, 1.0) * (std::numbers::pi / 2)).sin().square();
    wave.narrow(1, 0, shared).copy_(wave.narrow(1, 0, shared) * rise + tail_.narrow(1, 0, shared) * (1.0 - rise));
  }
  if (done_ == chunks_) return wave;
  const std::int64_t final_samples = step_ * hop_;
  tail_ = wave.narrow(1, final_samples, wave.size(1) - final_samples).clone();
  const std::int64_t margin = (enhancer_.model().config().stft.n_fft / 2 + hop_ - 1) / hop_ + 1;
  const std::int64_t keep_from = std::max<std::int64_t>(0, (done_ * step_ - margin) * hop_);
  pending_ = pending_.narrow(1, keep_from - pending_first_, pending_.size(1) - (keep_from - pending_first_)).clone();
  pending_first_ = keep_from;
  return wave.narrow(1, 0, final_samples).clone();
}

}  // namespace reseda::speech
