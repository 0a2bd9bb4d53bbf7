#include "modules/diffusion/processes/resshift_schedule.hpp"

#include <algorithm>
#include <cmath>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::diffusion {
namespace {

double first_root(const ResshiftScheduleConfig& config) {
  const double root = std::min(config.min_noise_level, config.min_noise_level / config.kappa);
  return config.cap_start ? std::min(root, std::sqrt(0.001)) : root;
}

}  // namespace

void ResshiftScheduleConfig::validate() const {
  require_choice("process.schedule", schedule, {"exponential"});
  RESEDA_REQUIRE(steps >= 2 && steps <= 100000, Errc::kUsage, "process.steps must be in 2 to 100000, got ", steps);
  RESEDA_REQUIRE(power > 0 && power <= 100, Errc::kUsage, "process.power must be in (0, 100], got ", power);
  RESEDA_REQUIRE(kappa > 0 && kappa <= 1000, Errc::kUsage, "process.kappa must be in (0, 1000], got ", kappa);
  RESEDA_REQUIRE(min_noise_level > 0 && std::isfinite(min_noise_level), Errc::kUsage,
                 "process.min_noise_level must be > 0, got ", min_noise_level);
  RESEDA_REQUIRE(etas_end > first_root(*this) && etas_end <= 1, Errc::kUsage,
                 "process.etas_end must be above sqrt(eta) of the first step (", first_root(*this),
                 ") and at most 1, got ", etas_end);
  RESEDA_REQUIRE(respacing == 0 || (respacing >= 2 && respacing <= steps), Errc::kUsage,
                 "process.respacing must be 0 or in 2 to process.steps (", steps, "), got ", respacing);
}

ResshiftSchedule resshift_schedule(const ResshiftScheduleConfig& config) {
  config.validate();
  const double first = first_root(config), growth = config.etas_end / first;
  const std::int64_t kept = config.respacing == 0 ? config.steps : config.respacing;
  ResshiftSchedule out;
  for (std::int64_t k = 0; k < kept; ++k) {
    const std::int64_t index = k * config.steps / kept;
    const double share = static_cast<double>(index) / static_cast<double>(config.steps - 1);
    out.indices.push_back(index);
    out.roots.push_back(first * std::pow(growth, std::pow(share, config.power)));
  }
  for (std::size_t i = 1; i < out.roots.size(); ++i)
    RESEDA_REQUIRE(out.roots[i] > out.roots[i - 1], Errc::kUsage, "process.power ", config.power, " leaves steps ",
                   i - 1, " and ", i, " with the same eta; take a power nearer to 1 or fewer steps");
  return out;
}

}  // namespace reseda::diffusion
