#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "modules/core/state_dict.hpp"
#include "modules/diffusion/process.hpp"

namespace reseda::train {

struct CurriculumConfig {
  std::int64_t clusters = 20;
  std::string spacing = "uniform";
  std::int64_t patience = 3;
  double min_gain = 0.01;
  std::int64_t stage_limit = 0;
  template <class V>
  void fields(V& v) {
    v("clusters", clusters, "stages, each of which adds a range of cleaner times; 1 is ordinary training");
    v("spacing", spacing, "ranges even in time (uniform) or in ln(c / a) (log_snr)");
    v("patience", patience, "evaluations without a gain after which the next stage begins");
    v("min_gain", min_gain, "share of the best loss by which an evaluation must be lower to be a gain");
    v("stage_limit", stage_limit, "evaluations after which the next stage begins in any case; 0 has no limit");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Trains noisy times first: nearly clean ones are the hard ones. Stage j = 1 .. clusters draws times evenly from the j
/// noisiest of the ranges, t in [edge_j, t_start], edge_clusters = t_end; after the last stage training is ordinary.
/// A moving average of weights should begin anew with each stage (Trainer::restart_average).
/// Source: Kim et al. 2024, "Denoising Task Difficulty-based Curriculum for Training Diffusion Models", Sec. 4. The
/// defaults of patience and gain are not the paper's.
class DifficultyCurriculum {
 public:
  DifficultyCurriculum(CurriculumConfig config, const diffusion::Process& process);
  /// @param uniform  [B] in [0, 1)  @return times, [B] float64 on the CPU, those the process has
  at::Tensor times(const at::Tensor& uniform) const;
  /// Takes the loss of an evaluation. @return whether the next stage begins with it
  bool report(double loss);
  std::int64_t stage() const { return stage_; }
  bool done() const { return stage_ == config_.clusters; }

  void save(StateDict& state) const;
  /// @throws Error{kCheckpoint} when the state is missing or not of this curriculum
  void restore(const StateDict& state);

 private:
  CurriculumConfig config_;
  const diffusion::Process& process_;
  std::vector<double> edges_;
  std::int64_t stage_ = 1, evaluations_ = 0, without_gain_ = 0;
  double best_;
};

}  // namespace reseda::train
