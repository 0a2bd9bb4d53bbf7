#include "pipelines/speech/loudness_distance.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "modules/core/error.hpp"

namespace reseda::speech {
namespace {

constexpr std::int64_t kBands = 49, kFft = 512, kHop = 256, kBins = kFft / 2 + 1;
constexpr double kRate = 16000.0, kDensity = 100.0;

/// Critical-band rate of a frequency (Traunmueller 1990).
double bark(double hz) { return 26.81 * hz / (1960.0 + hz) - 0.53; }

/// Hearing threshold in quiet, dB SPL (Terhardt 1979), raised below 300 Hz, where a handset's listener hears less.
double threshold_db(double hz) {
  const double khz = hz / 1000.0;
  return 3.64 * std::pow(khz, -0.8) - 6.5 * std::exp(-0.6 * (khz - 3.3) * (khz - 3.3)) + 1e-3 * std::pow(khz, 4) +
         std::max(0.0, 33.0 - 110.0 * khz);
}

struct Tables {
  at::Tensor window;       // [512]
  at::Tensor speech_band;  // [257] power weights, 325 to 3250 Hz
  at::Tensor high_pass;    // [257] power response
  at::Tensor gather;       // [257, 49]
  at::Tensor width;        // [49] Bark
  at::Tensor threshold;    // [49] power
  at::Tensor exponent;     // [49]
};

Tables make_tables() {
  Tables t;
  t.window = at::hann_window(kFft, at::kFloat);
  t.speech_band = at::zeros({kBins}, at::kFloat);
  t.high_pass = at::zeros({kBins}, at::kFloat);
  t.gather = at::zeros({kBins, kBands}, at::kFloat);
  t.width = at::zeros({kBands}, at::kFloat);
  t.threshold = at::zeros({kBands}, at::kFloat);
  t.exponent = at::zeros({kBands}, at::kFloat);
  const double bin_hz = kRate / kFft, top = bark(kRate / 2), bottom = bark(bin_hz / 2);
  std::int64_t next = 1;  // the DC bin belongs to no band
  for (std::int64_t b = 0; b < kBands; ++b) {
    const double edge = bottom + (top - bottom) * static_cast<double>(b + 1) / kBands;
    const std::int64_t first = next;
    do ++next;  // every band has at least one bin, and enough are left for the bands above
    while (next < kBins - (kBands - 1 - b) &&
           (b == kBands - 1 || bark((static_cast<double>(next) + 0.5) * bin_hz) <= edge));
    // The density of a band, on a scale where 40 dB SPL at 1 kHz is 1e4.
    t.gather.slice(0, first, next).select(1, b).fill_(kDensity / static_cast<double>(next - first));
    const double low = (static_cast<double>(first) - 0.5) * bin_hz, high = (static_cast<double>(next) - 0.5) * bin_hz,
                 mid = 0.5 * (low + high);
    t.width[b] = bark(high) - bark(low);
    t.threshold[b] = std::pow(10.0, threshold_db(std::max(mid, 30.0)) / 10.0);
    const double z = 0.5 * (bark(low) + bark(high));
    // Below 4 Bark the law is steeper.
    t.exponent[b] = 0.23 * (z < 4.0 ? std::pow(std::min(2.0, 6.0 / (z + 2.0)), 0.15) : 1.0);
  }
  for (std::int64_t k = 0; k < kBins; ++k) {
    const double hz = static_cast<double>(k) * bin_hz;
    t.speech_band[k] = hz >= 325 && hz <= 3250 ? 1.0 : 0.0;
    const std::complex<double> z = std::polar(1.0, -2 * std::numbers::pi * hz / kRate);
    const auto response = (2.740826 - 5.4816519 * z + 2.740826 * z * z) / (1.0 - 1.9444777 * z + 0.94597794 * z * z);
    t.high_pass[k] = std::norm(response);
  }
  return t;
}

Tables tables(const at::Tensor& like) {
  static const Tables t = make_tables();
  Tables moved = t;
  for (at::Tensor* table : {&moved.window, &moved.speech_band, &moved.high_pass, &moved.gather, &moved.width,
                            &moved.threshold, &moved.exponent})
    *table = table->to(like.device());
  return moved;
}

/// Power spectra [B, frames, 257] at a level where the band 325 to 3250 Hz has power 1e7.
at::Tensor levelled_power(const at::Tensor& wave, const Tables& t) {
  const at::Tensor spectrum =
      at::stft(wave, kFft, kHop, kFft, t.window, /*center=*/false, "reflect", false, true, true).transpose(1, 2);
  const at::Tensor power = at::real(spectrum).square() + at::imag(spectrum).square();
  const at::Tensor band = (power * t.speech_band).sum(-1).mean(1);
  // sum |X|^2 over one side of a windowed frame: 2 / (N sum w^2) turns it into the mean power of the samples.
  const double to_power = 2.0 / (kFft * 0.375 * kFft);
  return power * (1e7 / (band * to_power + 1e-9)).view({-1, 1, 1}) * t.high_pass;
}

at::Tensor loudness(const at::Tensor& bark_power, const Tables& t) {
  const at::Tensor gain = 1.866055e-1 * (t.threshold / 0.5).pow(t.exponent);
  const at::Tensor value = gain * ((0.5 + 0.5 * bark_power / t.threshold).pow(t.exponent) - 1.0);
  return value.clamp_min(0.0);
}

/// y_t = 0.8 sum_k 0.2^k x_{t-k} along the frames, the recursion y_t = 0.2 y_{t-1} + 0.8 x_t cut after six terms.
at::Tensor smoothed(const at::Tensor& ratio) {
  const at::Tensor kernel =
      at::tensor(std::vector<double>{0.8 * 0.2 * 0.2 * 0.2 * 0.2 * 0.2, 0.8 * 0.2 * 0.2 * 0.2 * 0.2,
                                     0.8 * 0.2 * 0.2 * 0.2, 0.8 * 0.2 * 0.2, 0.8 * 0.2, 0.8},
                 at::kFloat)
          .to(ratio.device());
  const at::Tensor padded = at::cat({ratio.slice(1, 0, 1).expand({ratio.size(0), 5}), ratio}, 1);
  return at::conv1d(padded.unsqueeze(1), kernel.view({1, 1, 6})).squeeze(1);
}

/// L6 within windows of 20 frames that overlap by half, L2 over windows. [B, frames] -> [B]
at::Tensor over_time(const at::Tensor& frames) {
  const std::int64_t span = std::min<std::int64_t>(20, frames.size(1));
  const at::Tensor windows = frames.unfold(1, span, std::min<std::int64_t>(10, span));
  const at::Tensor sixth = (windows + 1e-6).pow(6).mean(-1).pow(1.0 / 6.0);
  return (sixth.square().mean(-1) + 1e-8).sqrt();
}

}  // namespace

at::Tensor loudness_distance(const at::Tensor& clean, const at::Tensor& estimate) {
  RESEDA_INVARIANT(clean.dim() == 2 && clean.sizes() == estimate.sizes() && clean.size(1) >= 8192);
  const Tables t = tables(estimate);
  constexpr double kSpectrumScale = 6.910853e-6;
  at::Tensor reference = at::matmul(levelled_power(clean, t), t.gather) * kSpectrumScale;
  at::Tensor degraded = at::matmul(levelled_power(estimate, t), t.gather) * kSpectrumScale;

  // A constant filter is forgiven: the reference takes the estimate's long-term spectrum, within 20 dB.
  const at::Tensor audible = (reference.sum(-1, true) > 1e3).to(at::kFloat);
  const at::Tensor filter = ((degraded * audible).sum(1, true) + 1e3) / ((reference * audible).sum(1, true) + 1e3);
  reference = reference * filter.clamp(0.01, 100.0);
  // Slow gain changes are forgiven: the estimate takes the reference's frame energy, smoothed.
  const at::Tensor ratio = (reference.sum(-1) + 5e3) / (degraded.sum(-1) + 5e3);
  degraded = degraded * smoothed(ratio).clamp(3e-4, 5.0).unsqueeze(-1);

  const at::Tensor loud_reference = loudness(reference, t), loud_degraded = loudness(degraded, t);
  const at::Tensor difference = loud_degraded - loud_reference;
  const at::Tensor dead_zone = 0.25 * at::minimum(loud_degraded, loud_reference);
  const at::Tensor disturbance = (difference.abs() - dead_zone).clamp_min(0.0);

  const at::Tensor total_width = t.width.sum();
  const at::Tensor symmetric = ((disturbance * t.width).square().sum(-1) + 1e-8).sqrt() * total_width.sqrt();
  at::Tensor asymmetry = ((degraded + 50.0) / (reference + 50.0)).pow(1.2);
  asymmetry = at::where(asymmetry < 3.0, at::zeros_like(asymmetry), asymmetry.clamp_max(12.0));
  const at::Tensor asymmetric = (disturbance * asymmetry * t.width).sum(-1);

  const at::Tensor weight = ((reference.sum(-1) + 1e5) / 1e7).pow(0.04);
  return 0.1 * over_time((symmetric / weight).clamp_max(45.0)) +
         0.0309 * over_time((asymmetric / weight).clamp_max(45.0));
}

}  // namespace reseda::speech
