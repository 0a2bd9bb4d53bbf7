#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "modules/diffusion/sampler.hpp"
#include "modules/diffusion/samplers/choice.hpp"
#include "modules/diffusion/samplers/ddim_step.hpp"
#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {
namespace {

struct BridgeDdimConfig {
  std::int64_t steps = 1;
  std::vector<double> times;
  double eta = 0.0;
  double carry = 1.0;
  std::string final_state = "x0";
  template <class V>
  void fields(V& v) {
    v("steps", steps, "network calls, at equally spaced times from the start of the process");
    v("times", times, "times of the calls instead, falling, the first the start of the process");
    v("eta", eta, "share of fresh noise: 0 deterministic, 1 the posterior of the Markov process");
    v("carry", carry, "factor on the estimated noise carried on: 1 DDIM, 0 the bridge's mean at every call");
    v("final_state", final_state, "what is returned: x0, the last estimate, or t_end, the state at the process's end");
  }
  void validate() const {
    RESEDA_REQUIRE(steps >= 1 && steps <= 100000, Errc::kUsage, "sampler.steps must be in 1 to 100000, got ", steps);
    for (std::size_t i = 0; i < times.size(); ++i)
      RESEDA_REQUIRE(std::isfinite(times[i]) && (i == 0 || times[i] < times[i - 1]), Errc::kUsage,
                     "sampler.times must fall, got ", times[i], " as number ", i + 1);
    RESEDA_REQUIRE(eta >= 0 && eta <= 1, Errc::kUsage, "sampler.eta must be in [0, 1], got ", eta);
    RESEDA_REQUIRE(carry >= 0 && carry <= 1, Errc::kUsage, "sampler.carry must be in [0, 1], got ", carry);
    require_choice("sampler.final_state", final_state, {"x0", "t_end"});
  }
};

/// DDIM along any affine bridge: each call estimates (x0, eps), from which the state at the next time is composed, see
/// ddim_step. One call returns the estimate of x0 at t_start.
/// Draws: (item, "prior", 0) by the process; ("predictor", i) after call i where eta > 0 and the state goes on.
/// Source: Song et al. 2021, "Denoising Diffusion Implicit Models". On a Schroedinger bridge eta = 0 and eta = 1 are
/// the ODE and the SDE of Jukic et al. 2024 without their numerical guards.
class BridgeDdim final : public Sampler {
 public:
  explicit BridgeDdim(BridgeDdimConfig config) : config_(std::move(config)) {}

  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override {
    const std::vector<double> times = grid(process);
    const Condition condition{y};
    const std::int64_t calls = network_calls();
    at::Tensor x = process.prior(y, context.noise, context.item);
    for (std::int64_t i = 0; i < calls; ++i) {
      const Estimates estimates = denoiser(x, times[i], condition);
      const bool last = i + 1 == calls;
      x = last && config_.final_state == "x0"
              ? estimates.x0
              : advance(ddim_step(process.at(times[i]), process.at(times[i + 1]), config_.eta), estimates, y, i,
                        context);
      after_step(context, i + 1, calls, x);
    }
    return x;
  }

  std::int64_t network_calls() const override {
    return config_.times.empty() ? config_.steps : static_cast<std::int64_t>(config_.times.size());
  }

 private:
  at::Tensor advance(const DdimStep& step, const Estimates& estimates, const at::Tensor& y, std::int64_t draw,
                     SampleContext& context) const {
    const at::Tensor z = config_.eta > 0 ? draw_like(context, "predictor", draw, estimates.x0) : at::Tensor();
    const Coef carried(config_.carry * step.eps.value);
    return weighted_sum({{step.x0, estimates.x0}, {step.y, y}, {carried, estimates.eps}, {step.noise, z}});
  }

  /// The times of the calls, and the end of the process after them.
  std::vector<double> grid(const Process& process) const {
    const double start = process.t_start(), end = process.t_end();
    std::vector<double> times = config_.times;
    if (times.empty())
      for (std::int64_t i = 0; i < config_.steps; ++i)
        times.push_back(start + (end - start) * static_cast<double>(i) / static_cast<double>(config_.steps));
    RESEDA_REQUIRE(times.front() == start, Errc::kUsage, "sampler.times must begin with ", start,
                   ", where the process starts, got ", times.front());
    RESEDA_REQUIRE(times.back() > end, Errc::kUsage, "sampler.times must stay above ", end,
                   ", where the process ends, got ", times.back());
    times.push_back(end);
    return times;
  }

  BridgeDdimConfig config_;
};

}  // namespace

const SamplerEntry& sampler_entry_bridge_ddim() {
  static const auto entry = make_component<Sampler, BridgeDdim, BridgeDdimConfig>(
      "bridge_ddim", "few-step deterministic or stochastic sampler on any bridge");
  return entry;
}

}  // namespace reseda::diffusion
