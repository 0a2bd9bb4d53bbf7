#pragma once

#include <functional>
#include <string>

#include "modules/diffusion/denoiser.hpp"
#include "modules/diffusion/processes/rddm.hpp"
#include "modules/diffusion/rddm_objective.hpp"

namespace reseda::diffusion {

struct RddmDenoiserConfig {
  std::string objective = "pred_res_noise";
  std::string use = "both";
  double clip = 1.0;
  double clip_residual = 1.0;
  bool guard = true;
  std::string noise_after_clip = "kept";
  double share_of_residual = 1.0;
  template <class V>
  void fields(V& v) {
    v("objective", objective,
      "what the network predicts: pred_res_noise, pred_res_add_noise, pred_x0_noise, pred_x0_add_noise, pred_noise, "
      "pred_res, pred_x0 or auto_res_noise");
    v("use", use, "which of two predictions are used: both, first or second");
    v("clip", clip, "x0 is clipped to this; 0 clips nothing");
    v("clip_residual", clip_residual, "the residual is clipped to this (official 1; it may reach 2); 0 clips nothing");
    v("guard", guard, "take the weight of x0 for 1e-6 at the last time index, as the official code does");
    v("noise_after_clip", noise_after_clip,
      "kept (official), or derived: the noise that agrees with the clipped x0, for solvers of other processes");
    v("share_of_residual", share_of_residual,
      "the learned scalar of auto_res_noise: above 1/2 the network predicts the residual, else the noise");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// A network of RDDM behind its objective, with the official clips. Its estimates hold the residual as well, which the
/// samplers rddm_* use; every other sampler takes x0 and eps.
///   call(x, condition, t) -> predictions along the channels, t as network_input_times gives it
/// Where the network computes one of two predictions alone (`use`), its result may hold that one only.
class RddmDenoiser final : public Denoiser {
 public:
  using Call = std::function<at::Tensor(const at::Tensor& x, const Condition& condition, const at::Tensor& t)>;
  RddmDenoiser(Call call, const RddmDenoiserConfig& config, const Rddm& process);
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override;

 private:
  RddmCoefficients coefficients(double t) const;

  Call call_;
  RddmObjective objective_;
  RddmUse use_;
  RddmClip clip_;
  bool guard_, derives_noise_;
  const Rddm& process_;
};

}  // namespace reseda::diffusion
