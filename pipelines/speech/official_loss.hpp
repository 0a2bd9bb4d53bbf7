#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "modules/core/noise.hpp"
#include "modules/diffusion/process.hpp"
#include "modules/signal/stft.hpp"
#include "pipelines/speech/score_parametrization.hpp"

namespace reseda::speech {

struct OfficialLossConfig {
  std::string weighting = "sigma^2";
  double l1_weight = 0.001;
  double t_eps = 0.03;
  std::int64_t num_frames = 256;
  bool official_quirks = false;
  template <class V>
  void fields(V& v) {
    v("weighting", weighting, "1, sigma^2 or edm: weight of the denoiser's error over the process time");
    v("l1_weight", l1_weight, "data_prediction: weight of the wave's mean absolute error");
    v("t_eps", t_eps, "smallest time drawn in training");
    v("num_frames", num_frames, "data_prediction: the wave compared has (num_frames - 1) hop samples");
    v("official_quirks", official_quirks, "reproduce two oddities of the official code, see docs/deviations.md");
  }
  /// @throws Error{kUsage} naming the key
  void validate() const;
};

/// A batch on its way along the process: x_t = mean + sigma z.
struct DegradedBatch {
  at::Tensor t;          ///< [B] float32
  at::Tensor sigma;      ///< [B,1,1,1] float32
  at::Tensor z;          ///< [B,1,F,T] complex64
  at::Tensor mean, x_t;  ///< [B,1,F,T] complex64
};

/// The training losses of SGMSE+ and its Schroedinger bridge. With s = sigma, out what the parametrisation returns, S
/// half a sum over the elements of an item and E the mean over items:
///   score_matching   E S |s out + z|^2
///   denoiser         E S w |s^2 out + x_t - mean|^2,   w = 1, s^2 or ((s^2 + s_d^2) / (s s_d)^2)
///   data_prediction  E S |out - x0|^2 / (F T) + l1_weight E S |wave(out) - wave(x0)| / samples
/// The denoiser's target is the mean of the process, not x0. The PESQ term of data_prediction is not offered.
/// Source: Richter et al. 2023, "Speech Enhancement and Dereverberation with Diffusion-Based Generative Models";
/// Richter et al. 2025, "Investigating Training Objectives for Generative Speech Enhancement". Official: sp-uhh/sgmse,
/// sgmse/model.py, ScoreModel._step and _loss.
/// Quirk: official_quirks multiplies each edm weight by the error of the whole batch, and divides the absolute error of
/// a batch of one by the number of samples once more.
class OfficialLoss {
 public:
  /// @throws Error{kUsage} naming the key
  OfficialLoss(OfficialLossConfig config, ScoreParametrization parametrization, signal::StftConfig stft,
               signal::SpectralTransformConfig transform);

  /// Draws times in [t_eps, 1) and states.
  /// @param x0, y  compressed spectra of clean and noisy speech, [B,1,F,T] complex64
  /// Draws: ("train", "time", step) uniform [B], then ("train", "state", step) normal in the shape of x0.
  DegradedBatch degrade(const diffusion::Process& process, const at::Tensor& x0, const at::Tensor& y,
                        NoiseSource& noise, std::uint32_t step) const;

  /// The loss of what the parametrised network (score_parametrization.hpp) returned for (x_t, y, t).
  /// @return  scalar float32; differentiable in `output`
  at::Tensor operator()(const at::Tensor& output, const at::Tensor& x0, const DegradedBatch& batch) const;

 private:
  at::Tensor denoiser_loss(const at::Tensor& output, const DegradedBatch& batch) const;
  at::Tensor data_loss(const at::Tensor& output, const at::Tensor& x0) const;
  std::int64_t wave_samples() const { return (config_.num_frames - 1) * stft_.hop; }
  at::Tensor wave(const at::Tensor& spectrum) const;

  OfficialLossConfig config_;
  ScoreParametrization parametrization_;
  signal::StftConfig stft_;
  signal::SpectralTransformConfig transform_;
};

}  // namespace reseda::speech
