#pragma once

#include <string>

#include "modules/diffusion/process.hpp"
#include "modules/diffusion/processes/monotone_curve.hpp"
#include "modules/diffusion/processes/resshift_schedule.hpp"

namespace reseda::diffusion {

struct ResshiftConfig {
  ResshiftScheduleConfig coefficients;
  bool normalize_input = true;
  bool latent_flag = true;
  std::string times = "any";
  template <class V>
  void fields(V& v) {
    coefficients.fields(v);
    v("normalize_input", normalize_input, "the network is shown the state divided by its spread");
    v("latent_flag", latent_flag,
      "the spread is that of a latent of variance 1, sqrt(c^2 + 1); otherwise that of an image, 3 c + 1");
    v("times", times, "table: time grids of samplers keep to the trained times; any: they may lie between");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Residual shifting: the residual R = y - x0 and noise enter together,
///   x_t = x0 + eta_t R + kappa sqrt(eta_t) eps:   a = 1 - eta,  b = eta,  c = kappa sqrt(eta)
/// Index i = 0 .. T-1 of the official code is the time (i + 1) / T, and 0 is clean. Between the steps sqrt(eta) follows
/// a MonotoneCurve. The posterior of a step, mean (eta'/eta) x + (1 - eta'/eta) x0 with variance kappa^2 (eta'/eta)
/// (eta
/// - eta'), is rddm_step's mixed form with eta = 1 (sampler rddm_ancestral); DDIM is bridge_ddim on the grid trailing.
/// Draws: (item, "prior", 0): sampling starts from y + c z, without the share of x0 that the marginal at 1 still holds.
/// Source: Yue et al. 2023, "ResShift: Efficient Diffusion Model for Image Super-resolution by Residual Shifting",
/// Sec. 3. Official: zsyOAOA/ResShift, models/gaussian_diffusion.py; zirui0625/DifIISR,
/// models/gaussian_diffusion_test.py.
class Resshift final : public Process {
 public:
  explicit Resshift(ResshiftConfig config);
  Marginal at(double t) const override;
  Rates rate(double t) const override;
  double t_end() const override { return 1.0 / length(); }
  at::Tensor prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const override;
  double nearest_time(double t) const override;
  double network_time(double t) const override;
  double network_scale(double t) const override;
  std::int64_t steps() const override { return static_cast<std::int64_t>(schedule_.roots.size()); }

  const ResshiftConfig& config() const { return config_; }
  const ResshiftSchedule& schedule() const { return schedule_; }

 private:
  double length() const { return static_cast<double>(schedule_.roots.size()); }
  double position(double t) const;

  ResshiftConfig config_;
  ResshiftSchedule schedule_;
  MonotoneCurve root_;
};

}  // namespace reseda::diffusion
