#include "pipelines/speech/enhance_job.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>

namespace reseda::speech {
namespace {

constexpr std::int64_t kPieceFrames = 1 << 16;
/// Inputs of up to this many samples (all channels) are held in memory: about three minutes of stereo at 48 kHz.
constexpr std::int64_t kShortSamples = 16 << 20;
/// Below this level a recording is silence and is passed through.
constexpr double kSilence = 1e-9;

}  // namespace

EnhanceJob::EnhanceJob(const Enhancer& enhancer, const app::BatchItem& item, std::string provenance)
    : enhancer_(enhancer), item_(item), provenance_(std::move(provenance)), reader_(item.input) {
  const io::AudioInfo& info = reader_.info();
  RESEDA_REQUIRE(info.frames > 0, Errc::kInput, item.input.string(), ": holds no samples");
  short_ = info.frames * info.format.channels <= kShortSamples;
  if (!short_) return;
  for (at::Tensor piece = reader_.read(kPieceFrames); piece.size(1) > 0; piece = reader_.read(kPieceFrames))
    decoded_.push_back(piece);
}

at::Tensor EnhanceJob::read_piece() {
  if (!short_) return reader_.read(kPieceFrames);
  if (next_piece_ < decoded_.size()) return decoded_[next_piece_++];
  return at::empty({reader_.info().format.channels, 0}, at::kFloat);
}

void EnhanceJob::rewind() {
  next_piece_ = 0;
  if (!short_) reader_.rewind();
}

/// The divisor that brings the recording to the model's level, at the model's rate; 0 for silence.
double EnhanceJob::measure(app::ItemContext& context) {
  const auto& info = reader_.info();
  io::Resampler resampler(info.format.sample_rate_hz, enhancer_.model().config().sample_rate, info.format.channels);
  double peak = 0, energy = 0;
  std::int64_t count = 0;
  const auto add = [&](const at::Tensor& wave) {
    if (wave.numel() == 0) return;
    peak = std::max(peak, wave.abs().max().item<double>());
    energy += wave.to(at::kDouble).square().sum().item<double>();
    count += wave.numel();
  };
  for (at::Tensor piece = read_piece(); piece.size(1) > 0; piece = read_piece()) {
    add(resampler.process(piece));
    if (!short_) context.report(0, 1, "measuring the level");
  }
  add(resampler.finish());
  rewind();
  return peak < kSilence ? 0.0 : enhancer_.level(peak, energy / static_cast<double>(std::max<std::int64_t>(1, count)));
}

void EnhanceJob::put(const at::Tensor& samples) {
  if (samples.size(1) == 0) return;
  if (writer_)
    writer_->write(samples);
  else
    finished_.push_back(samples);
}

void EnhanceJob::enhance(app::ItemContext& context, double divisor) {
  const auto& info = reader_.info();
  const std::int64_t rate = info.format.sample_rate_hz, model_rate = enhancer_.model().config().sample_rate,
                     channels = info.format.channels;
  const double dry_share = enhancer_.dry_share();
  io::Resampler down(rate, model_rate, channels), up(model_rate, rate, channels);
  StreamEnhancer stream(enhancer_, item_.id, channels, io::resampled_length(info.frames, rate, model_rate), divisor,
                        context.progress);

  // Input that waits to be mixed with its enhanced counterpart; as long as what is inside the chunk and resamplers.
  std::deque<at::Tensor> waiting;
  std::int64_t written = 0;
  const auto emit = [&](at::Tensor wet) {
    wet = wet.narrow(1, 0, std::min(wet.size(1), info.frames - written));
    written += wet.size(1);
    if (dry_share == 0) return put(wet);
    std::vector<at::Tensor> dry;
    for (std::int64_t need = wet.size(1); need > 0;) {
      RESEDA_INVARIANT(!waiting.empty());
      const std::int64_t take = std::min(need, waiting.front().size(1));
      dry.push_back(waiting.front().narrow(1, 0, take));
      if (take == waiting.front().size(1))
        waiting.pop_front();
      else
        waiting.front() = waiting.front().narrow(1, take, waiting.front().size(1) - take);
      need -= take;
    }
    if (!dry.empty()) put(at::cat(dry, 1) * dry_share + wet * (1.0 - dry_share));
  };
  for (at::Tensor piece = read_piece(); piece.size(1) > 0; piece = read_piece()) {
    if (dry_share > 0) waiting.push_back(piece);
    emit(up.process(stream.push(down.process(piece))));
  }
  emit(up.process(stream.push(down.finish())));
  emit(up.finish());
  // ceil(L r) samples at the model's rate can come back a sample short of L.
  if (written < info.frames) emit(at::zeros({channels, info.frames - written}, at::kFloat));
}

void EnhanceJob::compute(app::ItemContext& context) {
  const auto started = std::chrono::steady_clock::now();
  if (!short_) {
    io::AudioWriterOptions options;
    options.provenance = provenance_;
    writer_ =
        std::make_unique<io::AudioWriter>(item_.staged, io::fit_format(reader_.info().format, item_.output), options);
  }
  level_ = measure(context);
  if (level_ > 0) {
    enhance(context, level_);
  } else {
    for (at::Tensor piece = read_piece(); piece.size(1) > 0; piece = read_piece()) put(piece);
  }
  decoded_.clear();
  seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

void EnhanceJob::save() {
  if (!writer_) {
    io::AudioWriterOptions options;
    options.provenance = provenance_;
    writer_ =
        std::make_unique<io::AudioWriter>(item_.staged, io::fit_format(reader_.info().format, item_.output), options);
    for (const at::Tensor& piece : finished_) writer_->write(piece);
    finished_.clear();
  }
  writer_->commit();
  clipped_ = writer_->clipped_count();
}

ConfigNode EnhanceJob::facts() const {
  const auto& info = reader_.info();
  const double duration = static_cast<double>(info.frames) / static_cast<double>(info.format.sample_rate_hz);
  const auto number = [](double value) { return ConfigNode(number_text(std::round(value * 1e4) / 1e4)); };
  ConfigNode facts = ConfigNode::map();
  facts["audio_seconds"] = number(duration);
  facts["sample_rate_hz"] = ConfigNode(std::to_string(info.format.sample_rate_hz));
  facts["channels"] = ConfigNode(std::to_string(info.format.channels));
  facts["network_calls"] = ConfigNode(std::to_string(enhancer_.network_calls()));
  facts["compute_seconds"] = number(seconds_);
  facts["real_time_factor"] = number(seconds_ / duration);
  facts["silent"] = ConfigNode(level_ > 0 ? "false" : "true");
  facts["clipped_samples"] = ConfigNode(std::to_string(clipped_));
  return facts;
}

}  // namespace reseda::speech
