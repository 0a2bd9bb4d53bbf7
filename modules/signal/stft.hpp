#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

namespace reseda::signal {

/// Short-time Fourier transform with a centred, reflect-padded frame grid, one-sided, not normalised.
struct StftConfig {
  std::int64_t n_fft = 510;  ///< window and transform length in samples
  std::int64_t hop = 128;    ///< samples between frames
  std::string window = "hann";  ///< hann (periodic) or sqrthann
  template <class V>
  void fields(V& v) {
    v("n_fft", n_fft, "window and transform length in samples");
    v("hop", hop, "samples between frames");
    v("window", window, "hann or sqrthann");
  }
  void validate() const;
  std::int64_t bins() const { return n_fft / 2 + 1; }
  std::int64_t frames(std::int64_t samples) const { return 1 + samples / hop; }
};

/// periodic window, [n_fft] float32
at::Tensor window(const StftConfig& config);

/// X[f, m] = sum_n x[m hop + n - n_fft/2] w[n] exp(-2 pi i f n / n_fft), reflect padding of n_fft/2 at both ends.
/// @param wave  [..., L] float32, L > n_fft / 2
/// @return      [..., n_fft/2 + 1, 1 + L / hop] complex64; differentiable (at::stft)
at::Tensor stft(const at::Tensor& wave, const StftConfig& config);
/// Weighted overlap-add inverse, normalised by the sum of squared windows, cut to `length`. Imaginary parts of the DC
/// and Nyquist bins are ignored. Differentiable (at::istft).
at::Tensor istft(const at::Tensor& spectrum, const StftConfig& config, std::int64_t length);

/// Compression of the spectrum's modulus, phase kept.
///   exponent: |X|^e e^{j arg X} factor      log: ln(1 + |X|) e^{j arg X} factor      none: X
struct SpectralTransformConfig {
  std::string type = "exponent";
  double exponent = 0.5, factor = 0.15;
  template <class V>
  void fields(V& v) {
    v("type", type, "exponent, log or none");
    v("exponent", exponent, "power of the modulus");
    v("factor", factor, "scale after compression");
  }
  void validate() const;
};
at::Tensor compress(const at::Tensor& spectrum, const SpectralTransformConfig& config);
at::Tensor expand(const at::Tensor& compressed, const SpectralTransformConfig& config);

/// What continues a spectrogram beyond its last frame.
enum class FramePadding {
  kZero,     ///< silence
  kReflect,  ///< the last frames backwards, the very last one not repeated
  kRepeat    ///< the last frame again and again
};
/// @throws Error{kUsage} unless the text is zero, reflect or repeat (or official: zero_pad, reflection, replication)
FramePadding parse_frame_padding(const std::string& text);
/// Appends frames until their number is a multiple.
/// @param spectrum  [..., F, T], T >= 1
/// @return          [..., F, ceil(T / multiple) multiple]; `spectrum` itself where nothing is missing
/// @throws Error{kInput} where reflection would append T frames or more
at::Tensor pad_frames(const at::Tensor& spectrum, std::int64_t multiple, FramePadding padding);

}  // namespace reseda::signal
