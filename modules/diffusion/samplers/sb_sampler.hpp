#pragma once

#include <string>
#include <vector>

#include "modules/diffusion/sampler.hpp"

namespace reseda::diffusion {

struct SbSamplerConfig {
  std::int64_t steps = 50;
  double t_end = 1e-4;
  std::string schedule = "official";
  std::string conditioning = "next";
  template <class V>
  void fields(V& v) {
    v("steps", steps, "network calls");
    v("t_end", t_end, "smallest time");
    v("schedule", schedule, "official: float32 and the official places of eps; exact: float64 without eps");
    v("conditioning", conditioning, "time told to the network: next, the one stepped to (official), or current");
  }
  void validate() const;
};

/// Samplers of the Schroedinger bridge: x0 is estimated at each of linspace(t_start, t_end, steps + 1) but the last,
/// and the state goes on with fixed weights. The deterministic one follows the probability flow, the stochastic one the
/// posterior of the reference process.
///   official: see sb_ode_weights, sb_sde_weights; needs the process sb_ve.   exact: see ddim_step, any bridge
/// Draws: none for the ODE; ("predictor", n) in every step of the SDE, the last of weight 0 if official.
/// Source: Jukic et al. 2024, "Schroedinger Bridge for Generative Speech Enhancement", Sec. 3.3. Official:
/// sp-uhh/sgmse, sgmse/sampling/__init__.py, get_sb_sampler. Quirk: conditioning = next.
class SbSampler : public Sampler {
 public:
  enum class Kind { kOde, kSde };
  SbSampler(Kind kind, SbSamplerConfig config) : kind_(kind), config_(std::move(config)) {}
  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override;
  std::int64_t network_calls() const override { return config_.steps; }

 private:
  /// Official: x' = state x + x0 x0^ + y y + noise z.   Exact: the same plus flow (x - a x0^ - b y), (a, b) at the time
  /// before, and state = 0.
  struct Step {
    Coef state, x0, y, noise, flow;
    Marginal from;
  };
  static at::Tensor advance(const Step& step, const at::Tensor& x, const at::Tensor& x0, const at::Tensor& y,
                            const at::Tensor& z);
  std::vector<Step> official(const Process& process, const at::Tensor& times) const;
  std::vector<Step> exact(const Process& process, const std::vector<double>& times) const;

  Kind kind_;
  SbSamplerConfig config_;
};

}  // namespace reseda::diffusion
