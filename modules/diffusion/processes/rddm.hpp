#pragma once

#include <string>
#include <vector>

#include "modules/diffusion/process.hpp"
#include "modules/diffusion/processes/monotone_curve.hpp"
#include "modules/diffusion/processes/rddm_schedule.hpp"

namespace reseda::diffusion {

struct RddmConfig {
  RddmScheduleConfig coefficients;
  std::string time = "index";
  std::string start = "measurement";
  std::string times = "table";
  std::int64_t first_index = -1;
  std::int64_t last_index = 0;
  template <class V>
  void fields(V& v) {
    coefficients.fields(v);
    v("time", time,
      "what the network is told of the time: index, the coefficient of residual or noise times steps, or both of them");
    v("start", start, "sampling starts from the measurement and noise, or from noise alone (generation)");
    v("times", times, "table: time grids of samplers keep to the trained times; any: they may lie between");
    v("first_index", first_index, "time index at which sampling starts; -1 is the last of the table");
    v("last_index", last_index, "time index at which sampling stops; -1 is the clean end");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Residual denoising diffusion: noise and a growing share of the residual R = y - x0 are added,
///   x_t = x0 + abar_t R + bbar_t eps:   a = 1 - abar,  b = abar,  c = bbar
/// Index i = 0 .. T-1 of the official code is the time (i + 1) / T, and 0 is clean (abar = bbar = 0). At these times
/// the coefficients are the official float32 arrays; between them abar and bbar^2 follow a MonotoneCurve.
/// Draws: (item, "prior", 0): y + sqrt(sum_scale) z, or z alone where start is noise. When sampling starts at an
/// earlier index the noise is that index's.
/// Source: Liu et al. 2024, "Residual Denoising Diffusion Models", Sec. 3. Official: nachifur/RDDM,
/// src/residual_denoising_diffusion_pytorch.py, class ResidualDiffusion.
class Rddm final : public Process {
 public:
  explicit Rddm(RddmConfig config);
  /// With the arrays of a checkpoint in place of those the config describes. @throws Error{kCheckpoint} when their
  /// length is not config.steps or they are no coefficients
  Rddm(RddmConfig config, RddmSchedule schedule);

  Marginal at(double t) const override;
  Rates rate(double t) const override;
  double t_start() const override { return time_of(first_); }
  double t_end() const override { return time_of(config_.last_index); }
  at::Tensor prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const override;
  double nearest_time(double t) const override;
  double network_time(double t) const override { return network_times(t).front(); }
  std::vector<double> network_times(double t) const override;
  std::int64_t steps() const override { return config_.coefficients.steps; }

  const RddmConfig& config() const { return config_; }
  const RddmSchedule& schedule() const { return schedule_; }

 private:
  double time_of(std::int64_t index) const {
    return static_cast<double>(index + 1) / static_cast<double>(config_.coefficients.steps);
  }
  /// Place of a time on the curves, which begin with the clean end. @throws Error{kInternal} outside of [0, 1]
  double position(double t) const;

  RddmConfig config_;
  RddmSchedule schedule_;
  std::int64_t first_;
  MonotoneCurve residual_, variance_;
};

}  // namespace reseda::diffusion
