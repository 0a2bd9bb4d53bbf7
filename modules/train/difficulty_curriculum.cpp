#include "modules/train/difficulty_curriculum.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "modules/diffusion/samplers/choice.hpp"
#include "modules/diffusion/time_grid.hpp"

namespace reseda::train {
namespace {

constexpr const char* kState = "curriculum";
// Beyond these noise-to-signal ratios nothing changes with time.
constexpr double kLargestRatio = 200.0, kSmallestRatio = 0.002;

}  // namespace

void CurriculumConfig::validate() const {
  RESEDA_REQUIRE(clusters >= 1 && clusters <= 1000, Errc::kUsage, "curriculum.clusters must be in 1 to 1000, got ",
                 clusters);
  diffusion::require_choice("curriculum.spacing", spacing, {"uniform", "log_snr"});
  RESEDA_REQUIRE(patience >= 1, Errc::kUsage, "curriculum.patience must be >= 1, got ", patience);
  RESEDA_REQUIRE(min_gain >= 0 && min_gain < 1, Errc::kUsage, "curriculum.min_gain must be in [0, 1), got ", min_gain);
  RESEDA_REQUIRE(stage_limit >= 0, Errc::kUsage, "curriculum.stage_limit must be >= 0, got ", stage_limit);
}

DifficultyCurriculum::DifficultyCurriculum(CurriculumConfig config, const diffusion::Process& process)
    : config_(std::move(config)), process_(process), best_(std::numeric_limits<double>::infinity()) {
  config_.validate();
  const double start = process.t_start(), end = process.t_end();
  double first = 0, last = 0;
  if (config_.spacing == "log_snr") {
    first = std::min(diffusion::noise_to_signal(process, start), kLargestRatio);
    last = std::max(diffusion::noise_to_signal(process, end), kSmallestRatio);
    RESEDA_REQUIRE(first > last, Errc::kUsage, "curriculum.spacing log_snr needs c / a to fall from ", first,
                   " at the process's start, got ", last, " at its end");
  }
  edges_ = {start};
  for (std::int64_t j = 1; j < config_.clusters; ++j) {
    const double share = static_cast<double>(j) / static_cast<double>(config_.clusters);
    edges_.push_back(config_.spacing == "log_snr"
                         ? diffusion::time_of_noise_to_signal(process, first * std::pow(last / first, share))
                         : start + (end - start) * share);
  }
  edges_.push_back(end);
}

at::Tensor DifficultyCurriculum::times(const at::Tensor& uniform) const {
  const double start = process_.t_start(), edge = edges_[static_cast<std::size_t>(stage_)];
  at::Tensor times = (start + (edge - start) * uniform.to(at::kCPU, at::kDouble)).contiguous();
  double* values = times.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < times.numel(); ++i) values[i] = process_.nearest_time(values[i]);
  return times;
}

bool DifficultyCurriculum::report(double loss) {
  if (done()) return false;
  ++evaluations_;
  const bool gain = std::isinf(best_) ? std::isfinite(loss) : loss < best_ - config_.min_gain * std::abs(best_);
  without_gain_ = gain ? 0 : without_gain_ + 1;
  if (gain) best_ = loss;
  const bool spent = config_.stage_limit > 0 && evaluations_ >= config_.stage_limit;
  if (without_gain_ < config_.patience && !spent) return false;
  ++stage_;
  evaluations_ = without_gain_ = 0;
  best_ = std::numeric_limits<double>::infinity();
  return true;
}

void DifficultyCurriculum::save(StateDict& state) const {
  state.add(kState, at::tensor({static_cast<double>(stage_), static_cast<double>(evaluations_),
                                static_cast<double>(without_gain_), best_},
                               at::kDouble));
}

void DifficultyCurriculum::restore(const StateDict& state) {
  const at::Tensor saved = state.at(kState).to(at::kCPU, at::kDouble).contiguous();
  const double* values = saved.const_data_ptr<double>();
  RESEDA_REQUIRE(saved.numel() == 4 && values[0] >= 1 && values[0] <= static_cast<double>(config_.clusters) &&
                     values[1] >= 0 && values[2] >= 0 && !std::isnan(values[3]),
                 Errc::kCheckpoint, "the training state's '", kState, "' is not of a curriculum of ", config_.clusters,
                 " stages");
  stage_ = static_cast<std::int64_t>(values[0]);
  evaluations_ = static_cast<std::int64_t>(values[1]);
  without_gain_ = static_cast<std::int64_t>(values[2]);
  best_ = values[3];
}

}  // namespace reseda::train
