#include "modules/train/trainer.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <map>
#include <numbers>

#include "modules/core/error.hpp"
#include "modules/core/log.hpp"

namespace reseda::train {
namespace {
constexpr std::size_t kNormWindow = 200;
constexpr std::int64_t kMaxBadSteps = 10;
}  // namespace

void TrainerConfig::validate() const {
  RESEDA_REQUIRE(steps >= 1, Errc::kUsage, "train.steps must be at least 1, got ", steps);
  RESEDA_REQUIRE(warmup >= 0, Errc::kUsage, "train.warmup must not be negative, got ", warmup);
  RESEDA_REQUIRE(final_lr >= 0 && final_lr <= 1, Errc::kUsage, "train.final_lr must be in [0, 1], got ", final_lr);
  RESEDA_REQUIRE(clip >= 0, Errc::kUsage, "train.clip must not be negative, got ", clip);
  RESEDA_REQUIRE(save_every >= 1 && validate_every >= 1, Errc::kUsage,
                 "train.save_every and validate_every must be at least 1");
  adam.validate();
}

Trainer::Trainer(const std::vector<StateDict::Entry>& tensors, TrainerConfig config, const std::vector<double>& rates)
    : config_(config),
      parameters_(tensors),
      adam_(config.adam, parameters_.values()),
      average_(config.ema_decay, parameters_.values()) {
  config_.validate();
  std::copy_if(tensors.begin(), tensors.end(), std::back_inserter(untrained_),
               [](const StateDict::Entry& entry) { return !entry.second.requires_grad(); });
  if (rates.empty()) return;
  RESEDA_INVARIANT(rates.size() == tensors.size());
  rates_ = at::ones_like(parameters_.values());
  const std::vector<StateDict::Entry> slices = parameters_.slices(rates_);
  for (std::size_t i = 0, next = 0; i < tensors.size(); ++i)
    if (tensors[i].second.requires_grad()) slices[next++].second.fill_(rates[i]);
}

double Trainer::learning_rate(std::int64_t step) const {
  if (step < config_.warmup)
    return config_.adam.lr * static_cast<double>(step + 1) / static_cast<double>(config_.warmup);
  const double span = static_cast<double>(std::max<std::int64_t>(1, config_.steps - config_.warmup));
  const double share = std::min(1.0, static_cast<double>(step - config_.warmup) / span);
  return config_.adam.lr *
         (config_.final_lr + (1.0 - config_.final_lr) * 0.5 * (1.0 + std::cos(std::numbers::pi * share)));
}

double Trainer::clip_gradient() {
  const double norm = parameters_.gradient().norm().item<double>();
  if (config_.clip <= 0 || !std::isfinite(norm)) return norm;
  if (norms_.size() >= 20) {
    std::vector<double> sorted = norms_;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2), sorted.end());
    const double limit = config_.clip * sorted[sorted.size() / 2];
    if (norm > limit) parameters_.gradient().mul_(limit / norm);
  }
  norms_.push_back(norm);
  if (norms_.size() > kNormWindow) norms_.erase(norms_.begin());
  return norm;
}

void Trainer::update(double lr) {
  const at::NoGradGuard no_grad;
  at::Tensor& values = parameters_.values();
  const at::Tensor before = rates_.defined() ? values.clone() : at::Tensor();
  adam_.step(values, parameters_.gradient(), lr);
  if (rates_.defined()) values.copy_(before.lerp(values, rates_));
}

bool Trainer::run(const Objective& objective, const Hooks& hooks) {
  while (step_ < config_.steps) {
    if (hooks.stop && hooks.stop()) {
      if (hooks.save) hooks.save(step_);
      return false;
    }
    parameters_.zero_gradient();
    const StepLoss loss = objective(step_);
    loss.total.backward();
    const double norm = clip_gradient(), lr = learning_rate(step_);
    if (std::isfinite(norm)) {
      update(lr);
      average_.update(parameters_.values());
      bad_steps_ = 0;
    } else {
      log::warning("step ", step_, ": the gradient is not finite, the step is left out");
      RESEDA_REQUIRE(++bad_steps_ < kMaxBadSteps, Errc::kNumeric, "training: the gradient was not finite ",
                     kMaxBadSteps, " times in a row at step ", step_);
    }
    ++step_;
    if (hooks.on_step) hooks.on_step(step_, loss, norm, lr);
    if (hooks.save && (step_ % config_.save_every == 0 || step_ == config_.steps)) hooks.save(step_);
    if (hooks.validate && (step_ % config_.validate_every == 0 || step_ == config_.steps)) hooks.validate(step_);
  }
  return true;
}

void Trainer::restart_average() {
  at::NoGradGuard no_grad;
  average_.shadow.copy_(parameters_.values());
  average_.updates = 0;
}

StateDict Trainer::state() const {
  StateDict out;
  const auto put = [&](const std::string& prefix, const at::Tensor& vector) {
    for (const auto& [name, view] : parameters_.slices(vector)) out.add(prefix + name, view);
  };
  put("weights.", parameters_.values());
  put("average.", average_.shadow);
  put("adam.m.", adam_.first_moment);
  put("adam.v.", adam_.second_moment);
  if (adam_.largest_moment.defined()) put("adam.largest.", adam_.largest_moment);
  for (const auto& [name, tensor] : untrained_) out.add("untrained." + name, tensor);
  out.add("norms", at::tensor(norms_, at::kDouble));
  out.metadata["step"] = std::to_string(step_);
  out.metadata["updates"] = std::to_string(adam_.updates);
  if (average_.updates != adam_.updates) out.metadata["average_updates"] = std::to_string(average_.updates);
  return out;
}

void Trainer::restore(const StateDict& state) {
  const auto take = [&](const std::string& prefix, const at::Tensor& vector) {
    load_into(state.with_prefix(prefix), parameters_.slices(vector));
  };
  take("weights.", parameters_.values());
  take("average.", average_.shadow);
  take("adam.m.", adam_.first_moment);
  take("adam.v.", adam_.second_moment);
  if (adam_.largest_moment.defined()) take("adam.largest.", adam_.largest_moment);
  load_into(state.with_prefix("untrained."), untrained_);
  const at::Tensor norms = state.at("norms").to(at::kDouble).contiguous();
  norms_.assign(norms.data_ptr<double>(), norms.data_ptr<double>() + norms.numel());
  const auto number = [&](const char* key) {
    const auto found = state.metadata.find(key);
    RESEDA_REQUIRE(found != state.metadata.end(), Errc::kCheckpoint, "the training state lacks '", key, "'");
    std::int64_t value = -1;
    const char* end = found->second.data() + found->second.size();
    const auto [stop, error] = std::from_chars(found->second.data(), end, value);
    RESEDA_REQUIRE(error == std::errc() && stop == end && value >= 0, Errc::kCheckpoint, "the training state's '", key,
                   "' must be a count, got '", found->second, "'");
    return value;
  };
  step_ = number("step");
  adam_.updates = average_.updates = number("updates");
  if (state.metadata.count("average_updates") > 0) average_.updates = number("average_updates");
}

SwappedWeights::SwappedWeights(const std::vector<StateDict::Entry>& targets,
                               const std::vector<StateDict::Entry>& values) {
  at::NoGradGuard no_grad;
  std::map<std::string, at::Tensor> by_name(values.begin(), values.end());
  for (const auto& [name, target] : targets) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) continue;
    kept_.emplace_back(target, target.clone());
    kept_.back().first.copy_(found->second);
  }
}

SwappedWeights::~SwappedWeights() {
  at::NoGradGuard no_grad;
  for (auto& [target, value] : kept_) target.copy_(value);
}

}  // namespace reseda::train
