#include "modules/train/early_stopping.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "modules/core/error.hpp"
#include "modules/diffusion/time_grid.hpp"

namespace reseda::train {
namespace {

constexpr const char* kState = "early_stopping";

/// Distance of each row to its nearest row of the other set, [N].
at::Tensor nearest(const at::Tensor& rows, const at::Tensor& others) {
  return std::get<0>(at::cdist(rows, others).min(1));
}

}  // namespace

void EarlyStoppingConfig::validate() const {
  RESEDA_REQUIRE(patience >= 0, Errc::kUsage, "early_stopping.patience must be >= 0, got ", patience);
  RESEDA_REQUIRE(min_gain >= 0 && min_gain < 1, Errc::kUsage, "early_stopping.min_gain must be in [0, 1), got ",
                 min_gain);
}

EarlyStopping::EarlyStopping(EarlyStoppingConfig config)
    : config_(config),
      best_(std::numeric_limits<double>::infinity()),
      gained_(std::numeric_limits<double>::infinity()) {
  config_.validate();
}

bool EarlyStopping::report(std::int64_t step, double loss) {
  const bool gain = std::isinf(gained_) ? std::isfinite(loss) : loss < gained_ - config_.min_gain * std::abs(gained_);
  without_gain_ = gain ? 0 : without_gain_ + 1;
  if (gain) gained_ = loss;
  const bool lowest = loss < best_;
  if (lowest) {
    best_ = loss;
    best_step_ = step;
  }
  return lowest;
}

void EarlyStopping::save(StateDict& state) const {
  state.add(kState, at::tensor({best_, gained_, static_cast<double>(best_step_), static_cast<double>(without_gain_)},
                               at::kDouble));
}

void EarlyStopping::restore(const StateDict& state) {
  const at::Tensor saved = state.at(kState).to(at::kCPU, at::kDouble).contiguous();
  RESEDA_REQUIRE(saved.numel() == 4 && !at::isnan(saved).any().item<bool>() && saved[3].item<double>() >= 0,
                 Errc::kCheckpoint, "the training state's '", kState, "' must be four numbers");
  const double* values = saved.const_data_ptr<double>();
  best_ = values[0];
  gained_ = values[1];
  best_step_ = static_cast<std::int64_t>(values[2]);
  without_gain_ = static_cast<std::int64_t>(values[3]);
}

ValidationBank::ValidationBank(at::Tensor x0, at::Tensor y, std::int64_t times, const diffusion::Process& process,
                               NoiseSource& noise)
    : x0_(std::move(x0)), y_(std::move(y)) {
  RESEDA_REQUIRE(times >= 1, Errc::kUsage, "the validation bank needs at least one time, got ", times);
  diffusion::TimeGridConfig grid;
  grid.steps = times;
  grid.grid = "log_snr";
  grid.final_state = times > 1 ? "denoise" : "x0";
  try {
    times_ = diffusion::time_grid(grid, process);
  } catch (const Error& error) {
    detail::raise(Errc::kUsage, "the validation bank finds no ", times, " times apart in ln(c / a): ", error.what());
  }
  for (std::size_t k = 0; k < times_.size(); ++k) {
    const at::Tensor eps = diffusion::draw_like(noise, {"bank", "eps", static_cast<std::uint32_t>(k)}, x0_);
    states_.push_back(process.at(times_[k]).sample(x0_, y_, eps));
  }
}

std::vector<double> ValidationBank::losses(const diffusion::Denoiser& denoiser) const {
  at::NoGradGuard no_grad;
  std::vector<double> found;
  for (std::size_t k = 0; k < times_.size(); ++k) {
    const at::Tensor error = denoiser(states_[k], times_[k], diffusion::Condition{y_}).x0 - x0_;
    found.push_back(error.abs().square().mean().item<double>());
  }
  return found;
}

double ValidationBank::loss(const diffusion::Denoiser& denoiser) const {
  const std::vector<double> all = losses(denoiser);
  return std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
}

double memorised_share(const at::Tensor& estimates, const at::Tensor& train, const at::Tensor& held_out) {
  const auto rows = [](const at::Tensor& x) { return x.flatten(1).to(at::kDouble); };
  return (nearest(rows(estimates), rows(train)) < nearest(rows(estimates), rows(held_out)))
      .to(at::kDouble)
      .mean()
      .item<double>();
}

std::int64_t kernel_stopping_time(const at::Tensor& eigenvalues, double step, double noise, std::int64_t most) {
  const at::Tensor mu = eigenvalues.to(at::kDouble).clamp_min(0.0);
  const auto within = [&](std::int64_t t) {
    const double time = step * static_cast<double>(t);
    const double complexity = std::sqrt(mu.clamp_max(1.0 / time).mean().item<double>());
    return complexity <= 1.0 / (2.0 * std::numbers::e * noise * time);
  };
  // The left side times T grows with T, so that the condition holds up to one T.
  std::int64_t low = 0, high = most + 1;
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (within(middle) ? low : high) = middle;
  }
  return low;
}

}  // namespace reseda::train
