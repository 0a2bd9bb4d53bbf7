#include "pipelines/speech/enhance_job.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <filesystem>

namespace reseda::speech {
namespace {

constexpr std::int64_t kPieceFrames = 1 << 16;
/// Inputs of up to this many samples (all channels) are held in memory: about three minutes of stereo at 48 kHz.
constexpr std::int64_t kShortSamples = 16 << 20;
/// Below this level a recording is silence and is passed through.
constexpr double kSilence = 1e-9;

bool to_standard_output(const app::BatchItem& item) { return item.output == "-"; }

/// The message with the names that a person gave: standard input is read from a copy, and outputs are written under
/// another name first.
std::string with_given_names(std::string message, const app::BatchItem& item) {
  const auto replace = [&](const std::string& from, const std::string& to) {
    for (std::size_t at = message.find(from); at != std::string::npos; at = message.find(from, at + to.size()))
      message.replace(at, from.size(), to);
  };
  if (item.id == "-") replace(item.input.string(), "standard input");
  replace(item.staged.string(), to_standard_output(item) ? "standard output" : item.output.string());
  return message;
}

template <class Action>
auto naming_files(const app::BatchItem& item, Action&& action) {
  try {
    return action();
  } catch (const Error& error) {
    throw Error(error.code(), with_given_names(error.what(), item));
  }
}

}  // namespace

EnhanceJob::EnhanceJob(const Enhancer& enhancer, const app::BatchItem& item, std::string provenance)
    : enhancer_(enhancer),
      item_(item),
      provenance_(std::move(provenance)),
      reader_(naming_files(item, [&] { return io::AudioReader(item.input); })) {
  naming_files(item_, [&] { decode(); });
}

/// What can be known to fail is found here, before any computing.
void EnhanceJob::decode() {
  const io::AudioInfo& info = reader_.info();
  RESEDA_REQUIRE(info.frames > 0, Errc::kInput, item_.input.string(), ": holds no samples");
  written_format_ = io::fit_format(info.format, to_standard_output(item_) ? "standard_output.wav" : item_.output);
  short_ = info.frames <= kShortSamples / info.format.channels;
  if (!short_) return;
  for (at::Tensor piece = reader_.read(kPieceFrames); piece.size(1) > 0; piece = reader_.read(kPieceFrames))
    decoded_.push_back(piece);
}

void EnhanceJob::open_writer() {
  io::AudioWriterOptions options;
  options.provenance = provenance_;
  const bool piped = to_standard_output(item_);
  std::error_code error;  // a folder that cannot be made is the writer's to report
  if (!piped && item_.staged.has_parent_path()) std::filesystem::create_directories(item_.staged.parent_path(), error);
  writer_ =
      std::make_unique<io::AudioWriter>(piped ? std::filesystem::path("-") : item_.staged, written_format_, options);
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
  naming_files(item_, [&] {
    if (!short_) open_writer();
    level_ = measure(context);
    if (level_ > 0)
      enhance(context, level_);
    else
      pass_through(context);
  });
  decoded_.clear();
  seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

void EnhanceJob::pass_through(app::ItemContext& context) {
  for (at::Tensor piece = read_piece(); piece.size(1) > 0; piece = read_piece()) {
    put(piece);
    if (!short_) context.report(reader_.position(), reader_.info().frames, "silence");
  }
}

void EnhanceJob::save() {
  naming_files(item_, [&] {
    if (!writer_) open_writer();
    for (const at::Tensor& piece : finished_) writer_->write(piece);
    finished_.clear();
    writer_->commit();
    clipped_ = writer_->clipped_count();
  });
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
