#pragma once

#include <string>

#include "modules/diffusion/process.hpp"
#include "modules/diffusion/processes/monotone_curve.hpp"
#include "modules/diffusion/processes/resfusion_schedule.hpp"

namespace reseda::diffusion {

struct ResfusionConfig {
  ResfusionScheduleConfig coefficients;
  std::string times = "any";
  std::int64_t last_index = 0;
  template <class V>
  void fields(V& v) {
    coefficients.fields(v);
    v("times", times, "table: time grids of samplers keep to the trained times; any: they may lie between");
    v("last_index", last_index, "time index at which sampling stops; -1 is the clean end");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// A variance preserving diffusion whose mean drifts by (1 - sqrt(ahat)) R, R = y - x0. With q = sqrt(ahat),
///   x_t = q x0 + (1 - q) R + sqrt(1 - ahat) eps:   a = 2q - 1,  b = 1 - q,  c = sqrt(1 - q^2)
/// At q = 1/2 the clean image has left the mean: sampling starts there, at index T' - 1, from q y + c z. Index i = 0 ..
/// T'-1 of the official code is the time (i + 1) / T', and 0 is clean. At these times ahat is the official float32
/// array; between them ln ahat follows a MonotoneCurve. Weight of the residual in the network's target resnoise:
///   k = c / (1 + sqrt(alpha)),   alpha = ahat / ahat of one step before
/// Where the schedule does not end on q = 1/2 (a != 0), the start differs from the forward mean by a (y - x0).
/// Draws: (item, "prior", 0).
/// Source: Shi et al. 2024, "Resfusion: Denoising Diffusion Probabilistic Models for Image Restoration Based on Prior
/// Residual Noise", Sec. 3. Official: nkicsl/Resfusion, model/distributions.py, model/resfusion_restore.py.
class Resfusion final : public Process {
 public:
  explicit Resfusion(ResfusionConfig config);
  Marginal at(double t) const override;
  Rates rate(double t) const override;
  double t_end() const override { return static_cast<double>(config_.last_index + 1) / length(); }
  at::Tensor prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const override;
  double nearest_time(double t) const override;
  double network_time(double t) const override;
  std::int64_t steps() const override { return schedule_.used; }

  const ResfusionConfig& config() const { return config_; }
  const ResfusionSchedule& schedule() const { return schedule_; }

 private:
  double length() const { return static_cast<double>(schedule_.used); }
  double position(double t) const;

  ResfusionConfig config_;
  ResfusionSchedule schedule_;
  MonotoneCurve log_product_;
};

}  // namespace reseda::diffusion
