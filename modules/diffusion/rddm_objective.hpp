#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "modules/diffusion/processes/rddm_schedule.hpp"

namespace reseda::diffusion {

/// abar, bbar and 1 - abar of RDDM at one time or at one time per item, broadcasting against the state.
struct RddmCoefficients {
  at::Tensor residual, noise, rest;
};
/// The official float32 arrays at time indices, [B,1,...,1] with `dimensions` axes.
/// @param index  [B] int64
RddmCoefficients rddm_coefficients(const RddmSchedule& schedule, const at::Tensor& index, std::int64_t dimensions);

/// The forward process x = x0 + abar (y - x0) + bbar eps in the official order of operations.
/// @param y  measurement; undefined stands for 0
at::Tensor rddm_sample(const RddmCoefficients& k, const at::Tensor& x0, const at::Tensor& y, const at::Tensor& eps);

/// What x = x0 + abar R + bbar eps says of one part when others are known. Divisions by 0 give infinities.
///   noise from residual  eps = (x - y - (abar - 1) R) / bbar
///   x0 from noise        x0 = (x - abar y - bbar eps) / rest
///   x0 from both         x0 = x - abar R - bbar eps
at::Tensor rddm_noise_from_residual(const RddmCoefficients& k, const at::Tensor& x, const at::Tensor& y,
                                    const at::Tensor& residual);
at::Tensor rddm_x0_from_noise(const RddmCoefficients& k, const at::Tensor& x, const at::Tensor& y,
                              const at::Tensor& eps);
at::Tensor rddm_x0_from_both(const RddmCoefficients& k, const at::Tensor& x, const at::Tensor& residual,
                             const at::Tensor& eps);

/// What RDDM's networks predict: of two predictions the first and the second, of one the only one.
enum class RddmObjective {
  kResNoise,     ///< pred_res_noise      R, eps
  kResAddNoise,  ///< pred_res_add_noise  R, R + eps
  kX0Noise,      ///< pred_x0_noise       x0, eps
  kX0AddNoise,   ///< pred_x0_add_noise   x0, x0 + eps
  kNoise,        ///< pred_noise          eps
  kRes,          ///< pred_res            R
  kX0,           ///< pred_x0             x0
  kAuto          ///< auto_res_noise      R or eps, by a learned scalar
};
/// @throws Error{kUsage} with the nearest name
RddmObjective parse_rddm_objective(const std::string& name);
/// Predictions of an objective: 1 or 2.
std::int64_t rddm_outputs(RddmObjective objective);

/// Which of two predictions are used.
enum class RddmUse { kBoth, kFirst, kSecond };

struct RddmClip {
  double x0 = 1.0;        ///< x0 is clipped to +- this; 0 is no clip
  double residual = 1.0;  ///< and the residual, which the forward process lets reach +-2
};

/// Residual, noise and clean image that predictions stand for. They need not agree with x where a clip acts.
struct RddmParts {
  at::Tensor residual, eps, x0;
};
/// @param first, second  predictions; the one that is not used may be undefined
/// Source: Liu et al. 2024, "Residual Denoising Diffusion Models", Sec. 3. Official: nachifur/RDDM,
/// src/residual_denoising_diffusion_pytorch.py, model_predictions.
/// Quirk: the residual is clipped to +-1 before x0 is made of it, and the noise is not made anew after a clip.
RddmParts rddm_parts(RddmObjective objective, RddmUse use, const RddmCoefficients& k, const at::Tensor& first,
                     const at::Tensor& second, const at::Tensor& x, const at::Tensor& y, const RddmClip& clip);

}  // namespace reseda::diffusion
