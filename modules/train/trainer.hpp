#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "modules/core/progress.hpp"
#include "modules/core/state_dict.hpp"
#include "modules/train/adam.hpp"

namespace reseda::train {

struct TrainerConfig {
  std::int64_t steps = 10000;
  std::int64_t warmup = 200;
  double final_lr = 0.01;
  AdamConfig adam = {};
  double clip = 0.0;
  double ema_decay = 0.999;
  std::int64_t save_every = 500;
  std::int64_t validate_every = 1000;
  template <class V>
  void fields(V& v) {
    v("steps", steps, "optimiser steps");
    v("warmup", warmup, "steps of linear warm-up of the learning rate");
    v("final_lr", final_lr, "learning rate at the end of the cosine, as a share of the peak; 1 keeps it constant");
    v("adam", adam, "optimiser");
    v("clip", clip,
      "gradient clipping: a norm above this multiple of its running median is scaled down to it; 0 is off");
    v("ema_decay", ema_decay, "decay of the moving average of the weights, which is what is saved as the model");
    v("save_every", save_every, "steps between checkpoints");
    v("validate_every", validate_every, "steps between validations");
  }
  void validate() const;
};

/// The loss of one step: what is minimised, and named parts for the log.
struct StepLoss {
  at::Tensor total;
  std::vector<std::pair<std::string, double>> parts;
};

/// Minimises an objective over the parameters of a network: Adam(W) with warm-up and cosine decay, clipping against the
/// running median of the gradient norm, moving average of the weights. All state is a function of the step, so that a
/// run that was killed and resumed from its checkpoint continues with the same numbers. Tensors that need no gradient
/// (running statistics of batch normalisation) are left to the network and only kept with the state.
/// Determinism: same bytes for the same thread count.
class Trainer {
 public:
  /// @param tensors  named tensors of the network, in registration order; those that are trained become views of one
  ///                 vector
  /// @param rates    factor of the learning rate of each tensor, in the order of `tensors`; none: 1 for all
  Trainer(const std::vector<StateDict::Entry>& tensors, TrainerConfig config, const std::vector<double>& rates = {});

  using Objective = std::function<StepLoss(std::int64_t step)>;
  struct Hooks {
    std::function<void(std::int64_t step, const StepLoss&, double gradient_norm, double lr)> on_step;
    std::function<void(std::int64_t step)> save;      ///< every save_every steps and at the end
    std::function<void(std::int64_t step)> validate;  ///< every validate_every steps and at the end
    std::function<bool()> stop;                       ///< asked before each step
  };
  /// Runs from the current step to config.steps, or until `stop` says so (after saving).
  /// @return whether it ran to the end  @throws Error{kNumeric} when the loss is not finite ten times in a row
  bool run(const Objective& objective, const Hooks& hooks);

  std::int64_t step() const { return step_; }
  double learning_rate(std::int64_t step) const;
  /// The moving average under the network's parameter names.
  std::vector<StateDict::Entry> averaged() const { return parameters_.slices(average_.shadow); }
  /// Begins the moving average anew from the present weights: a curriculum's stages should not be averaged.
  void restart_average();
  /// Everything that resuming needs: weights, average, moments, the network's other tensors, counters, recent gradient
  /// norms.
  StateDict state() const;
  /// @throws Error{kCheckpoint} if the state is not of this network
  void restore(const StateDict& state);

 private:
  double clip_gradient();
  void update(double lr);
  TrainerConfig config_;
  mutable FlatParameters parameters_;
  at::Tensor rates_;  // factors of the learning rate of every value, where they differ
  Adam adam_;
  MovingAverage average_;
  std::vector<StateDict::Entry> untrained_;
  std::int64_t step_ = 0, bad_steps_ = 0;
  std::vector<double> norms_;
};

/// Exchanges the values of tensors with others of equal names for as long as the object lives (validation with averaged
/// weights); the originals return bit for bit.
class SwappedWeights {
 public:
  SwappedWeights(const std::vector<StateDict::Entry>& targets, const std::vector<StateDict::Entry>& values);
  ~SwappedWeights();
  SwappedWeights(const SwappedWeights&) = delete;
  SwappedWeights& operator=(const SwappedWeights&) = delete;

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> kept_;
};

}  // namespace reseda::train
