#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "modules/core/state_dict.hpp"
#include "modules/diffusion/denoiser.hpp"

namespace reseda::train {

struct EarlyStoppingConfig {
  std::int64_t patience = 5;
  double min_gain = 0.001;
  template <class V>
  void fields(V& v) {
    v("patience", patience, "evaluations without a gain after which training stops; 0 never stops");
    v("min_gain", min_gain, "share of the best loss by which an evaluation must be lower to be a gain");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Stops when the loss on a fixed bank has not gained for `patience` evaluations, and remembers the best one: its
/// weights (the averaged ones that were evaluated) are the model.
class EarlyStopping {
 public:
  explicit EarlyStopping(EarlyStoppingConfig config);
  /// Takes the loss of the evaluation at a step. @return whether it is the lowest so far; its weights are to be kept
  bool report(std::int64_t step, double loss);
  bool stopped() const { return config_.patience > 0 && without_gain_ >= config_.patience; }
  double best() const { return best_; }
  std::int64_t best_step() const { return best_step_; }

  void save(StateDict& state) const;
  /// @throws Error{kCheckpoint} when the state is missing or damaged
  void restore(const StateDict& state);

 private:
  EarlyStoppingConfig config_;
  double best_, gained_;  // lowest loss; loss of the last gain
  std::int64_t best_step_ = -1, without_gain_ = 0;
};

/// Held-out items degraded once and for all at times even in ln(c / a), all items at every time: the loss of a denoiser
/// on it moves with the weights alone, and its bins show overfitting that a mean over times hides.
class ValidationBank {
 public:
  /// @param x0, y  [N, ...], y may be undefined where b is 0
  /// Draws: ("bank", "eps", k) of the shape of x0 at the k-th time.
  /// @throws Error{kUsage} where the process has not so many times
  ValidationBank(at::Tensor x0, at::Tensor y, std::int64_t times, const diffusion::Process& process,
                 NoiseSource& noise);
  /// Mean of |x0^ - x0|^2 over elements, one number for each time, the noisiest first.
  std::vector<double> losses(const diffusion::Denoiser& denoiser) const;
  /// Their mean.
  double loss(const diffusion::Denoiser& denoiser) const;
  const std::vector<double>& times() const { return times_; }

 private:
  at::Tensor x0_, y_;
  std::vector<double> times_;
  std::vector<at::Tensor> states_;
};

/// Share of estimates that lie nearer to a training item than to every held-out one; far above |train| / (|train| +
/// |held out|) at noisy times is memorisation.
/// @param estimates, train, held_out  [N, ...] of equal item shapes
double memorised_share(const at::Tensor& estimates, const at::Tensor& train, const at::Tensor& held_out);

/// The number of gradient steps after which kernel regression on noisy labels should stop: the largest T with
///   R(1 / sqrt(step T)) <= 1 / (2 e noise step T),  R(d) = sqrt(sum_i min(mu_i, d^2) / n)
/// @param eigenvalues  mu_i of the kernel matrix divided by n, [n], >= 0
/// @param step         step size, > 0    @param noise  deviation of the labels' noise, > 0
/// @param most         largest T considered
/// Source: Raskutti, Wainwright, Yu 2014, "Early Stopping and Non-parametric Regression: An Optimal Data-dependent
/// Stopping Rule", Eq. (6). Score matching is such a regression, of x0 on x_t.
std::int64_t kernel_stopping_time(const at::Tensor& eigenvalues, double step, double noise, std::int64_t most);

}  // namespace reseda::train
