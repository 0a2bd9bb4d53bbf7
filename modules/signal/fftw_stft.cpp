#include "modules/signal/fftw_stft.hpp"

#include <ATen/ATen.h>
#include <fftw3.h>

#include <algorithm>
#include <complex>
#include <mutex>
#include <new>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/core/planner_lock.hpp"

namespace reseda::signal {
namespace {

/// Frames per FFTW call: enough to write whole cache lines of the [bins, frames] result, small enough to stay in cache.
constexpr std::int64_t kBatch = 16;

/// Memory with FFTW's alignment, as new-array execution needs it.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::int64_t count)
      : data_(static_cast<T*>(fftwf_malloc(static_cast<std::size_t>(count) * sizeof(T)))) {
    if (data_ == nullptr) throw std::bad_alloc();
    std::fill_n(data_, count, T{});
  }
  ~Buffer() { fftwf_free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  T* get() const { return data_; }

 private:
  T* data_;
};

using Complex = std::complex<float>;
fftwf_complex* fftw_pointer(Complex* data) { return reinterpret_cast<fftwf_complex*>(data); }

/// Index into a signal of `length` samples, reflected at both ends without repeating them.
std::int64_t reflected(std::int64_t index, std::int64_t length) {
  if (index < 0) index = -index;
  return index < length ? index : 2 * (length - 1) - index;
}

}  // namespace

struct FftwStft::Plans {
  StftConfig config;
  std::vector<float> window;
  fftwf_plan to_spectrum = nullptr, to_wave = nullptr;

  explicit Plans(const StftConfig& c) : config(c) {
    config.validate();
    const at::Tensor w = signal::window(config);
    window.assign(w.data_ptr<float>(), w.data_ptr<float>() + w.numel());
    const Buffer<float> frames(kBatch * config.n_fft);
    const Buffer<Complex> bins(kBatch * config.bins());
    const int n = static_cast<int>(config.n_fft), f = static_cast<int>(config.bins()), count = static_cast<int>(kBatch);
    const std::lock_guard guard(planner_lock());
    to_spectrum = fftwf_plan_many_dft_r2c(1, &n, count, frames.get(), nullptr, 1, n, fftw_pointer(bins.get()), nullptr,
                                          1, f, FFTW_ESTIMATE);
    to_wave = fftwf_plan_many_dft_c2r(1, &n, count, fftw_pointer(bins.get()), nullptr, 1, f, frames.get(), nullptr, 1,
                                      n, FFTW_ESTIMATE);
    if (to_spectrum == nullptr || to_wave == nullptr) destroy();
    RESEDA_REQUIRE(to_spectrum != nullptr, Errc::kInternal, "stft: FFTW made no plan for n_fft ", config.n_fft);
  }
  ~Plans() {
    const std::lock_guard guard(planner_lock());
    destroy();
  }
  Plans(const Plans&) = delete;
  Plans& operator=(const Plans&) = delete;

  void destroy() {
    if (to_spectrum != nullptr) fftwf_destroy_plan(to_spectrum);
    if (to_wave != nullptr) fftwf_destroy_plan(to_wave);
    to_spectrum = to_wave = nullptr;
  }

  void window_frame(const float* wave, std::int64_t length, std::int64_t frame, float* out) const {
    const std::int64_t n = config.n_fft, start = frame * config.hop - n / 2;
    if (start >= 0 && start + n <= length) {
      for (std::int64_t i = 0; i < n; ++i) out[i] = wave[start + i] * window[static_cast<std::size_t>(i)];
    } else {
      for (std::int64_t i = 0; i < n; ++i)
        out[i] = wave[reflected(start + i, length)] * window[static_cast<std::size_t>(i)];
    }
  }

  void forward(const float* wave, std::int64_t length, Complex* spectrum) const {
    const std::int64_t frames = config.frames(length), bins = config.bins();
    const Buffer<float> time(kBatch * config.n_fft);
    const Buffer<Complex> freq(kBatch * bins);
    for (std::int64_t first = 0; first < frames; first += kBatch) {
      const std::int64_t count = std::min(kBatch, frames - first);
      for (std::int64_t m = 0; m < count; ++m) window_frame(wave, length, first + m, time.get() + m * config.n_fft);
      fftwf_execute_dft_r2c(to_spectrum, time.get(), fftw_pointer(freq.get()));
      for (std::int64_t f = 0; f < bins; ++f)
        for (std::int64_t m = 0; m < count; ++m) spectrum[f * frames + first + m] = freq.get()[m * bins + f];
    }
  }

  /// Adds the windowed inverse frames into `sum`, of n_fft + (frames - 1) hop samples.
  void overlap_add(const Complex* spectrum, std::int64_t frames, float* sum) const {
    const std::int64_t n = config.n_fft, bins = config.bins();
    const Buffer<float> time(kBatch * n);
    const Buffer<Complex> freq(kBatch * bins);
    const float scale = 1.0F / static_cast<float>(n);
    for (std::int64_t first = 0; first < frames; first += kBatch) {
      const std::int64_t count = std::min(kBatch, frames - first);
      for (std::int64_t f = 0; f < bins; ++f) {
        const bool real_bin = f == 0 || f == bins - 1;
        for (std::int64_t m = 0; m < count; ++m) {
          const Complex value = spectrum[f * frames + first + m];
          freq.get()[m * bins + f] = real_bin ? Complex(value.real(), 0.0F) : value;
        }
      }
      fftwf_execute_dft_c2r(to_wave, fftw_pointer(freq.get()), time.get());
      for (std::int64_t m = 0; m < count; ++m) {
        float* out = sum + (first + m) * config.hop;
        const float* frame = time.get() + m * n;
        for (std::int64_t i = 0; i < n; ++i) out[i] += frame[i] * scale * window[static_cast<std::size_t>(i)];
      }
    }
  }

  /// Sum of squared windows of all frames, [n_fft + (frames - 1) hop].
  std::vector<float> envelope(std::int64_t frames) const {
    std::vector<float> sum(static_cast<std::size_t>(config.n_fft + (frames - 1) * config.hop), 0.0F);
    for (std::int64_t m = 0; m < frames; ++m)
      for (std::size_t i = 0; i < window.size(); ++i)
        sum[static_cast<std::size_t>(m * config.hop) + i] += window[i] * window[i];
    return sum;
  }
};

FftwStft::FftwStft(const StftConfig& config) : plans_(std::make_unique<Plans>(config)) {}
FftwStft::~FftwStft() = default;
FftwStft::FftwStft(FftwStft&&) noexcept = default;
FftwStft& FftwStft::operator=(FftwStft&&) noexcept = default;
const StftConfig& FftwStft::config() const { return plans_->config; }

at::Tensor FftwStft::forward(const at::Tensor& wave) const {
  const StftConfig& c = config();
  RESEDA_REQUIRE(wave.dim() >= 1 && wave.scalar_type() == at::kFloat && wave.is_cpu(), Errc::kInternal,
                 "stft: the wave must be float32 on the CPU, got ", wave.toString());
  const std::int64_t length = wave.size(-1), bins = c.bins(), frames = c.frames(length);
  RESEDA_REQUIRE(length > c.n_fft / 2, Errc::kInput, "stft: ", length, " samples are too few, more than ", c.n_fft / 2,
                 " are needed");
  std::vector<std::int64_t> shape(wave.sizes().begin(), wave.sizes().end() - 1);
  const at::Tensor flat = wave.detach().reshape({-1, length}).contiguous();
  const at::Tensor out = at::empty({flat.size(0), bins, frames}, flat.options().dtype(at::kComplexFloat));
  auto* spectrum = reinterpret_cast<Complex*>(out.data_ptr<c10::complex<float>>());
  for (std::int64_t i = 0; i < flat.size(0); ++i)
    plans_->forward(flat.data_ptr<float>() + i * length, length, spectrum + i * bins * frames);
  shape.insert(shape.end(), {bins, frames});
  return out.view(shape);
}

at::Tensor FftwStft::inverse(const at::Tensor& spectrum, std::int64_t length) const {
  const StftConfig& c = config();
  RESEDA_REQUIRE(spectrum.dim() >= 2 && spectrum.scalar_type() == at::kComplexFloat && spectrum.is_cpu() &&
                     spectrum.size(-2) == c.bins() && spectrum.size(-1) >= 1 && length >= 0,
                 Errc::kInternal, "istft: the spectrum must be complex64 on the CPU with ", c.bins(), " bins, got ",
                 spectrum.toString(), " ", spectrum.sizes());
  const std::int64_t bins = c.bins(), frames = spectrum.size(-1), half = c.n_fft / 2;
  std::vector<std::int64_t> shape(spectrum.sizes().begin(), spectrum.sizes().end() - 2);
  const at::Tensor flat = spectrum.detach().resolve_conj().reshape({-1, bins, frames}).contiguous();
  const at::Tensor out = at::zeros({flat.size(0), length}, flat.options().dtype(at::kFloat));
  const std::vector<float> envelope = plans_->envelope(frames);
  const std::int64_t covered = std::min(length, static_cast<std::int64_t>(envelope.size()) - half);
  for (std::int64_t i = 0; i < covered; ++i)
    RESEDA_REQUIRE(envelope[static_cast<std::size_t>(i + half)] > 1e-11F, Errc::kUsage, "istft: stft.hop ", c.hop,
                   " with n_fft ", c.n_fft, " leaves sample ", i, " without a window");
  const auto* values = reinterpret_cast<const Complex*>(flat.data_ptr<c10::complex<float>>());
  for (std::int64_t channel = 0; channel < flat.size(0); ++channel) {
    std::vector<float> sum(envelope.size(), 0.0F);
    plans_->overlap_add(values + channel * bins * frames, frames, sum.data());
    float* wave = out.data_ptr<float>() + channel * length;
    for (std::int64_t i = 0; i < covered; ++i) {
      const auto position = static_cast<std::size_t>(i + half);
      wave[i] = sum[position] / envelope[position];
    }
  }
  shape.push_back(length);
  return out.view(shape);
}

}  // namespace reseda::signal
