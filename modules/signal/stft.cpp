#include "modules/signal/stft.hpp"

#include <ATen/ATen.h>

#include <vector>

#include "modules/core/error.hpp"

namespace reseda::signal {
namespace {

/// |X|^p X with 0 -> 0 and a finite gradient there. The modulus is a hypot: squares would underflow below 1e-19.
at::Tensor scale_modulus(const at::Tensor& spectrum, double power) {
  const at::Tensor modulus = spectrum.abs();
  return spectrum * modulus.masked_fill(modulus == 0, 1.0).pow(power);
}

}  // namespace

void StftConfig::validate() const {
  RESEDA_REQUIRE(n_fft >= 4 && n_fft % 2 == 0 && n_fft <= 65536, Errc::kUsage,
                 "stft.n_fft must be even, 4 to 65536, got ", n_fft);
  RESEDA_REQUIRE(hop >= 1 && hop <= n_fft, Errc::kUsage, "stft.hop must be 1 to n_fft, got ", hop);
  RESEDA_REQUIRE(window == "hann" || window == "sqrthann", Errc::kUsage, "stft.window must be hann or sqrthann, got '",
                 window, "'");
}

at::Tensor window(const StftConfig& config) {
  const at::Tensor hann = at::hann_window(config.n_fft, /*periodic=*/true, at::TensorOptions().dtype(at::kFloat));
  return config.window == "sqrthann" ? hann.sqrt() : hann;
}

at::Tensor stft(const at::Tensor& wave, const StftConfig& config) {
  RESEDA_REQUIRE(wave.size(-1) > config.n_fft / 2, Errc::kInput, "stft: ", wave.size(-1),
                 " samples are too few, more than ", config.n_fft / 2, " are needed");
  std::vector<std::int64_t> shape(wave.sizes().begin(), wave.sizes().end() - 1);
  const at::Tensor flat = wave.reshape({-1, wave.size(-1)});
  const at::Tensor spectrum = at::stft(flat, config.n_fft, config.hop, config.n_fft, window(config).to(wave.options()),
                                       /*center=*/true, "reflect",
                                       /*normalized=*/false, /*onesided=*/true, /*return_complex=*/true);
  shape.push_back(spectrum.size(1));
  shape.push_back(spectrum.size(2));
  return spectrum.reshape(shape);
}

at::Tensor istft(const at::Tensor& spectrum, const StftConfig& config, std::int64_t length) {
  std::vector<std::int64_t> shape(spectrum.sizes().begin(), spectrum.sizes().end() - 2);
  const at::Tensor flat = spectrum.reshape({-1, spectrum.size(-2), spectrum.size(-1)});
  const at::Tensor wave =
      at::istft(flat, config.n_fft, config.hop, config.n_fft, window(config).to(at::real(spectrum).options()),
                /*center=*/true, /*normalized=*/false, /*onesided=*/true, length, /*return_complex=*/false);
  shape.push_back(length);
  return wave.reshape(shape);
}

void SpectralTransformConfig::validate() const {
  RESEDA_REQUIRE(type == "exponent" || type == "log" || type == "none", Errc::kUsage,
                 "transform.type must be exponent, log or none, got '", type, "'");
  RESEDA_REQUIRE(exponent > 0 && exponent <= 1, Errc::kUsage, "transform.exponent must be in (0, 1], got ", exponent);
  RESEDA_REQUIRE(factor > 0, Errc::kUsage, "transform.factor must be positive, got ", factor);
}

at::Tensor compress(const at::Tensor& spectrum, const SpectralTransformConfig& config) {
  if (config.type == "none") return spectrum;
  if (config.type == "exponent")
    return (config.exponent == 1.0 ? spectrum : scale_modulus(spectrum, config.exponent - 1.0)) * config.factor;
  // Quirk: log(1 + m) and exp(m) - 1 in float32, which lose moduli below 1e-7; log1p would keep them (spec_fwd,
  // spec_back of the official data module).
  const at::Tensor modulus = spectrum.abs();
  return spectrum * (at::log(1 + modulus) / modulus.masked_fill(modulus == 0, 1.0)) * config.factor;
}

at::Tensor expand(const at::Tensor& compressed, const SpectralTransformConfig& config) {
  if (config.type == "none") return compressed;
  const at::Tensor scaled = compressed / config.factor;
  if (config.type == "exponent")
    return config.exponent == 1.0 ? scaled : scale_modulus(scaled, 1.0 / config.exponent - 1.0);
  const at::Tensor modulus = scaled.abs();
  return scaled * ((at::exp(modulus) - 1) / modulus.masked_fill(modulus == 0, 1.0));
}

FramePadding parse_frame_padding(const std::string& text) {
  if (text == "zero" || text == "zero_pad") return FramePadding::kZero;
  if (text == "repeat" || text == "replication") return FramePadding::kRepeat;
  RESEDA_REQUIRE(text == "reflect" || text == "reflection", Errc::kUsage,
                 "padding must be zero, reflect or repeat, got '", text, "'");
  return FramePadding::kReflect;
}

at::Tensor pad_frames(const at::Tensor& spectrum, std::int64_t multiple, FramePadding padding) {
  const std::int64_t frames = spectrum.size(-1), missing = (multiple - frames % multiple) % multiple;
  if (missing == 0) return spectrum;
  if (padding == FramePadding::kZero) return at::constant_pad_nd(spectrum, {0, missing}, 0);
  if (padding == FramePadding::kRepeat) {
    std::vector<std::int64_t> shape = spectrum.sizes().vec();
    shape.back() = missing;
    return at::cat({spectrum, spectrum.slice(-1, frames - 1).expand(shape)}, -1);
  }
  RESEDA_REQUIRE(missing < frames, Errc::kInput, "reflecting ", missing, " frames needs more than ", frames,
                 " frames of signal");
  return at::cat({spectrum, spectrum.slice(-1, frames - 1 - missing, frames - 1).flip(-1)}, -1);
}

}  // namespace reseda::signal
