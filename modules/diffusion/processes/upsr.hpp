#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

#include "modules/diffusion/process.hpp"
#include "modules/diffusion/processes/resshift.hpp"
#include "modules/diffusion/uncertainty_weight.hpp"

namespace reseda::diffusion {

struct UpsrConfig {
  ResshiftScheduleConfig coefficients{
      .steps = 5, .power = 0.2, .min_noise_level = 0.2, .kappa = 2.5, .cap_start = true};
  UncertaintyWeightConfig uncertainty;
  template <class V>
  void fields(V& v) {
    coefficients.fields(v);
    uncertainty.fields(v);
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Residual shifting with a noise level for each pixel, the weight w of uncertainty_weight:
///   x_t = x0 + eta_t R + kappa sqrt(eta_t) w eps:   a = 1 - eta,  b = eta,  c = kappa sqrt(eta) w
/// The weight belongs to an image: with_weight() makes the process of that image from the one the config describes, for
/// which w = 1. Steps whose weights are ratios of c (DDIM, the posterior's mean) are those of Resshift; w enters by the
/// start and by fresh noise. The network is shown x_t / sqrt(0.3 kappa^2 eta + 0.25), whatever the weight is: 0.3
/// stands for the mean of w^2 and 0.25 for the variance of images. Draws: (item, "prior", 0): sampling starts from y +
/// c z. Source: Zhang et al. 2025, "Uncertainty-guided Perturbation for Image Super-Resolution Diffusion Model",
/// Sec. 3. Official: LabShuHangGU/UPSR, models/gaussian_diffusion.py. Quirk: the official code adds one draw of weight
/// 0 in every DDIM step.
class Upsr final : public Process {
 public:
  explicit Upsr(const UpsrConfig& config);
  /// The process of an image. @param weight  broadcasts against the state, > 0
  Upsr with_weight(const at::Tensor& weight) const;

  Marginal at(double t) const override;
  Rates rate(double t) const override;
  double t_end() const override { return base_.t_end(); }
  at::Tensor prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const override;
  double nearest_time(double t) const override { return base_.nearest_time(t); }
  double network_time(double t) const override { return base_.network_time(t); }
  double network_scale(double t) const override;
  std::int64_t steps() const override { return base_.steps(); }

  const UpsrConfig& config() const { return config_; }
  const ResshiftSchedule& schedule() const { return base_.schedule(); }

 private:
  Coef weighted(const Coef& c) const;

  UpsrConfig config_;
  Resshift base_;
  at::Tensor weight_;  ///< float64; undefined: 1
};

}  // namespace reseda::diffusion
