#pragma once

#include <string>

#include "modules/diffusion/process.hpp"
#include "modules/diffusion/processes/ddpm_schedule.hpp"
#include "modules/diffusion/processes/monotone_curve.hpp"

namespace reseda::diffusion {

struct DdpmConfig {
  DdpmScheduleConfig coefficients;
  bool rescale_timesteps = false;
  std::string times = "table";
  std::int64_t last_index = 0;
  template <class V>
  void fields(V& v) {
    coefficients.fields(v);
    v("rescale_timesteps", rescale_timesteps, "whether the network is told its step times 1000 / steps; else the step");
    v("times", times, "table: time grids of samplers keep to the steps; any: they may lie between");
    v("last_index", last_index, "step at which sampling stops; -1 is the clean end");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Variance preserving diffusion of an image alone, from noise:
///   x_t = sqrt(abar_t) x0 + sqrt(1 - abar_t) eps:   a = sqrt(abar),  b = 0,  c = sqrt(1 - abar)
/// Step i = 0 .. T-1 of the official code, of those a respacing keeps, is the time (i + 1) / T, and 0 is clean (abar =
/// 1). At these times abar is the official array in float64; between them it follows a MonotoneCurve. The network is
/// told the number that the step had before respacing. A measurement gives the state its shape and nothing else.
/// Draws: (item, "prior", 0): z, in which the share sqrt(abar) of x0 at t = 1 is left out.
/// Source: Ho et al. 2020, "Denoising Diffusion Probabilistic Models". Official: openai/guided-diffusion,
/// guided_diffusion/gaussian_diffusion.py, respace.py (SpacedDiffusion).
class Ddpm final : public Process {
 public:
  explicit Ddpm(DdpmConfig config);
  Marginal at(double t) const override;
  Rates rate(double t) const override;
  double t_end() const override { return static_cast<double>(config_.last_index + 1) / static_cast<double>(steps()); }
  at::Tensor prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const override;
  double nearest_time(double t) const override;
  double network_time(double t) const override;
  std::int64_t steps() const override { return static_cast<std::int64_t>(schedule_.kept.size()); }

  const DdpmConfig& config() const { return config_; }
  const DdpmSchedule& schedule() const { return schedule_; }

 private:
  double position(double t) const;

  DdpmConfig config_;
  DdpmSchedule schedule_;
  MonotoneCurve product_;
};

}  // namespace reseda::diffusion
