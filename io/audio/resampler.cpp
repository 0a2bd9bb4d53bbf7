#include "io/audio/resampler.hpp"

#include <ATen/ATen.h>
#include <soxr.h>

#include <algorithm>
#include <vector>

#include "io/audio/audio_format.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::int64_t kFlushFrames = 1 << 14;

struct SoxrDeleter {
  void operator()(soxr* resampler) const { soxr_delete(resampler); }
};

std::vector<float*> channel_pointers(const at::Tensor& samples, std::int64_t offset) {
  std::vector<float*> pointers;
  for (std::int64_t c = 0; c < samples.size(0); ++c)
    pointers.push_back(samples.data_ptr<float>() + c * samples.size(1) + offset);
  return pointers;
}

}  // namespace

struct Resampler::State {
  std::int64_t in_rate, out_rate, channels;
  std::unique_ptr<soxr, SoxrDeleter> soxr_state;
  std::int64_t taken = 0, given = 0;

  /// Feeds `in` (null: end of the signal) and returns what comes out, at most `capacity` frames; `used` counts input.
  at::Tensor step(const at::Tensor* in, std::int64_t offset, std::int64_t capacity, std::int64_t& used) const;
};

at::Tensor Resampler::State::step(const at::Tensor* in, std::int64_t offset, std::int64_t capacity,
                                  std::int64_t& used) const {
  at::Tensor out = at::empty({channels, capacity}, at::kFloat);
  const std::vector<float*> sources = in != nullptr ? channel_pointers(*in, offset) : std::vector<float*>{};
  std::vector<float*> targets = channel_pointers(out, 0);
  const auto available = in != nullptr ? static_cast<std::size_t>(in->size(1) - offset) : 0;
  std::size_t consumed = 0, produced = 0;
  const soxr_error_t error = soxr_process(soxr_state.get(), in != nullptr ? sources.data() : nullptr, available,
                                          &consumed, targets.data(), static_cast<std::size_t>(capacity), &produced);
  RESEDA_REQUIRE(error == nullptr, Errc::kInternal, "resampling ", in_rate, " Hz to ", out_rate, " Hz: ", error);
  used = static_cast<std::int64_t>(consumed);
  return out.narrow(1, 0, static_cast<std::int64_t>(produced));
}

Resampler::Resampler(std::int64_t in_rate_hz, std::int64_t out_rate_hz, std::int64_t channels)
    : state_(std::make_unique<State>()) {
  for (const std::int64_t rate : {in_rate_hz, out_rate_hz})
    RESEDA_REQUIRE(rate >= kMinSampleRateHz && rate <= kMaxSampleRateHz, Errc::kInput, "sample rate is ", rate,
                   " Hz, expected ", kMinSampleRateHz, " to ", kMaxSampleRateHz);
  RESEDA_REQUIRE(channels >= 1 && channels <= kMaxChannels, Errc::kInput, "resampling ", channels,
                 " channels, expected 1 to ", kMaxChannels);
  state_->in_rate = in_rate_hz;
  state_->out_rate = out_rate_hz;
  state_->channels = channels;
  if (in_rate_hz == out_rate_hz) return;
  const soxr_io_spec_t layout = soxr_io_spec(SOXR_FLOAT32_S, SOXR_FLOAT32_S);
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
  const soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
  soxr_error_t error = nullptr;
  state_->soxr_state.reset(soxr_create(static_cast<double>(in_rate_hz), static_cast<double>(out_rate_hz),
                                       static_cast<unsigned>(channels), &error, &layout, &quality, &runtime));
  RESEDA_REQUIRE(error == nullptr, Errc::kInput, "cannot resample ", in_rate_hz, " Hz to ", out_rate_hz,
                 " Hz: ", error);
}

Resampler::~Resampler() = default;
Resampler::Resampler(Resampler&&) noexcept = default;
Resampler& Resampler::operator=(Resampler&&) noexcept = default;

at::Tensor Resampler::process(const at::Tensor& samples) {
  State& state = *state_;
  RESEDA_INVARIANT(samples.dim() == 2 && samples.size(0) == state.channels);
  RESEDA_INVARIANT(samples.scalar_type() == at::kFloat && samples.is_cpu());
  const std::int64_t count = samples.size(1);
  state.taken += count;
  if (state.soxr_state == nullptr) {
    state.given += count;
    return samples.clone();
  }
  if (count == 0) return at::empty({state.channels, 0}, at::kFloat);
  const at::Tensor in = samples.contiguous();
  const std::int64_t capacity = resampled_length(count, state.in_rate, state.out_rate) + kFlushFrames;
  std::vector<at::Tensor> parts;
  std::int64_t offset = 0;
  // An output buffer left unfilled means that libsoxr has nothing more to give.
  while (offset < count || parts.back().size(1) == capacity) {
    std::int64_t used = 0;
    parts.push_back(state.step(&in, offset, capacity, used));
    offset += used;
    state.given += parts.back().size(1);
  }
  return parts.size() == 1 ? parts.front() : at::cat(parts, 1);
}

at::Tensor Resampler::finish() {
  State& state = *state_;
  std::vector<at::Tensor> parts = {at::empty({state.channels, 0}, at::kFloat)};
  std::int64_t left = resampled_length(state.taken, state.in_rate, state.out_rate) - state.given, used = 0;
  RESEDA_INVARIANT(left >= 0);
  while (state.soxr_state != nullptr && left > 0) {
    const at::Tensor part = state.step(nullptr, 0, kFlushFrames, used);
    if (part.size(1) == 0) break;
    parts.push_back(part.narrow(1, 0, std::min(left, part.size(1))));
    left -= parts.back().size(1);
  }
  parts.push_back(at::zeros({state.channels, left}, at::kFloat));
  if (state.soxr_state != nullptr) soxr_clear(state.soxr_state.get());
  state.taken = state.given = 0;
  return at::cat(parts, 1);
}

std::int64_t resampled_length(std::int64_t frames, std::int64_t in_rate_hz, std::int64_t out_rate_hz) {
  return frames / in_rate_hz * out_rate_hz + (frames % in_rate_hz * out_rate_hz + in_rate_hz - 1) / in_rate_hz;
}

at::Tensor resample(const at::Tensor& samples, std::int64_t in_rate_hz, std::int64_t out_rate_hz) {
  Resampler resampler(in_rate_hz, out_rate_hz, samples.size(0));
  const at::Tensor head = resampler.process(samples);
  return at::cat({head, resampler.finish()}, 1);
}

at::Tensor resample_to_length(const at::Tensor& samples, std::int64_t in_rate_hz, std::int64_t out_rate_hz,
                              std::int64_t frames) {
  const at::Tensor out = resample(samples, in_rate_hz, out_rate_hz);
  if (out.size(1) >= frames) return out.narrow(1, 0, frames).contiguous();
  return at::constant_pad_nd(out, {0, frames - out.size(1)});
}

}  // namespace reseda::io
