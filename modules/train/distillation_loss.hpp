#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "modules/core/noise.hpp"
#include "modules/diffusion/processes/resshift.hpp"

namespace reseda::train {

struct DistillationConfig {
  bool learn_start = true;
  double finetune = 1.0;
  double start_covariance = 0.0;
  double uncertainty = 0.0;
  std::int64_t uncertainty_draws = 2;
  bool image_space = false;
  double guidance_scale = 1.0;
  std::string student_guidance = "descent";
  std::string teacher_guidance = "none";
  template <class V>
  void fields(V& v) {
    v("learn_start", learn_start, "the student also learns to name the noisy start of a clean image, asked at time 0");
    v("finetune", finetune,
      "factor of the error to the true image from the start that the student names; 0 is without");
    v("start_covariance", start_covariance,
      "factor of the distance of the named start's noise from independent pixels; 0 is without");
    v("uncertainty", uncertainty,
      "the target turns from the true image to the teacher's where the student's answers differ: factor of their "
      "range, "
      "0 is always the teacher's");
    v("uncertainty_draws", uncertainty_draws, "answers of the student that are compared");
    v("image_space", image_space, "errors are those of decoded images");
    v("guidance_scale", guidance_scale, "rho: factor of the guidance's gradient");
    v("student_guidance", student_guidance, "descent, or official, whose sign leads up the guidance loss");
    v("teacher_guidance", teacher_guidance, "none, or official, which corrects a target with mistaken noise");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// A batch of latents and what the loss needs to look at them as images.
struct DistillationBatch {
  at::Tensor x0, y;  ///< clean and degraded latent, [B,C,H,W]
  at::Tensor noise;  ///< standard normal, the start of teacher and student
  /// Zero-dimensional guidance loss of a batch of latents against the true images; empty while guidance rests.
  std::function<at::Tensor(const at::Tensor& latent)> guide = {};
  /// With image_space: the decoded latents, and the true images.
  std::function<at::Tensor(const at::Tensor& latent)> decode = {};
  at::Tensor image = {};
};

/// The parts of the loss, [B] each, undefined where they are switched off.
struct DistillationTerms {
  at::Tensor loss;  ///< the sum with its factors
  at::Tensor distilled, start, finetuned, covariance;
  at::Tensor guidance_norm;      ///< root mean square of the gradient by the state
  at::Tensor teacher, estimate;  ///< the teacher's latent, and the student's after guidance, detached
};

/// Distillation of a sampler of many calls into one call, with gradient guidance. With T the noisiest time, f(x, t) the
/// student's estimate of x0 for a scaled state, s = network_scale(T), x_T = y + c_T noise and z* the teacher's DDIM
/// from x_T, the loss of an item is the sum of mean squares
///   |z - x~|^2 + |x_T - f(s z*, 0)|^2 + finetune |x0 - f(s x^, T)|^2,   x^ = f(s x0, 0), held fixed
/// z = z*, or u z* + (1 - u) x0 with u = clip(uncertainty range_j f(s q(z*, noise_j), T)), the range's maximum over
/// the channels. Guidance with the gradient g of the guidance loss by the estimate, rho = guidance_scale:
///   official  x~ = x0^ - rho (c/a)^2 g at T: eps moved by rho c dL/dx, as DifIISR's Eq. (9)
///   descent   x~ = x0^ + rho (c/a)^2 g, so that the raw estimate x0^ is drawn to z - rho (c/a)^2 g
/// Draws: ("train", "uncertainty", i) for each further answer.
/// Source: Li et al. 2025, "DifIISR: A Diffusion Model with Gradient Guidance for Infrared Image Super-Resolution";
/// Wang et al. 2024, "SinSR: Diffusion-Based Image Super-Resolution in a Single Step", Sec. 3. Official:
/// zirui0625/DifIISR, models/gaussian_diffusion_train.py, training_losses_distill.
/// Quirk: official matches the corrected estimate to the target, so that the raw one is drawn up the guidance loss. Its
/// teacher takes for noise e = (x - c x0^ - b y) / a of the last call and returns v - rho (c / a^2) dL/dv with
/// v = (x0^ - c e - b y) / a at the cleanest time: near 0.96 x0^, and moved by less than the student.
class DistillationLoss {
 public:
  /// (scaled state, time number [B] float32) -> estimate of x0
  using Call = std::function<at::Tensor(const at::Tensor& x, const at::Tensor& t)>;

  DistillationLoss(DistillationConfig config, const diffusion::Resshift& process);
  /// @throws Error{kInternal} where image_space has nothing to decode with
  DistillationTerms operator()(const Call& student, const Call& teacher, const DistillationBatch& batch,
                               NoiseSource& noise) const;

 private:
  at::Tensor called(const Call& network, const at::Tensor& x, double scaled_for, double time) const;
  at::Tensor teacher_latent(const Call& teacher, const DistillationBatch& batch, at::Tensor x) const;
  at::Tensor wanted_latent(const Call& student, const DistillationBatch& batch, const at::Tensor& teacher,
                           NoiseSource& noise) const;
  at::Tensor guided(const at::Tensor& estimate, const DistillationBatch& batch, DistillationTerms& terms) const;
  void finetune(const Call& student, const DistillationBatch& batch, DistillationTerms& terms) const;
  at::Tensor error(const at::Tensor& latent, const at::Tensor& wanted, const DistillationBatch& batch) const;

  DistillationConfig config_;
  const diffusion::Resshift& process_;
};

}  // namespace reseda::train
