#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modules/train/trainer.hpp"
#include "pipelines/speech/mixer.hpp"
#include "pipelines/speech/speech_model.hpp"

namespace reseda::speech {

/// The loss of a data-predicting bridge model meant for few calls.
///   L = spectral (|X - X^|^2 + (|X| - |X^|)^2) + wave |x - x^|_1 - distortion SI-SDR(x, x^) + loudness d(x, x^)
/// averaged over bins or samples; capitals are compressed spectra, d is loudness_distance.
/// The first call is trained as it is used: state y at t_start. A second call, where on, is trained on states made from
/// the network's own first estimate, x_t = a x1^ + b y, not on the ideal bridge.
struct FewCallLossConfig {
  double spectral = 20.0, wave = 2.0, distortion = 0.0, loudness = 0.0;
  double ideal_share = 0.25;
  double second_call_from = 0.75;
  double second_call_share = 0.5;
  double t_low = 0.05, t_high = 0.65;
  template <class V>
  void fields(V& v) {
    v("spectral", spectral, "weight of the compressed spectrum's error");
    v("wave", wave, "weight of the wave's mean absolute error");
    v("distortion", distortion, "weight of the negative scale-invariant signal-to-distortion ratio, per dB");
    v("loudness", loudness, "weight of the loudness distance");
    v("ideal_share", ideal_share, "share of pairs trained on ideal bridge states, before second calls begin");
    v("second_call_from", second_call_from, "share of the steps after which second calls are trained; 1 is never");
    v("second_call_share", second_call_share, "share of pairs that get a second call");
    v("t_low", t_low, "lowest time of a second call");
    v("t_high", t_high, "highest time of a second call");
  }
  void validate() const;
};

/// Loss of one batch at a training step; `progress` is step / steps. Draws its times and noise from `noise` under item
/// "train".
train::StepLoss few_call_loss(const SpeechModel& model, const FewCallLossConfig& config, const Mixer::Batch& batch,
                              std::int64_t step, double progress, NoiseSource& noise);

}  // namespace reseda::speech
