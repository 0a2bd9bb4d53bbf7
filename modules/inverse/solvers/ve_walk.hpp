#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "modules/diffusion/denoiser.hpp"
#include "modules/diffusion/process.hpp"

namespace reseda::inverse {

struct VeWalkConfig {
  std::int64_t steps = 2000;
  double snr = 0.16;
  double t_eps = 0.0;
  std::string index = "nearest";
  std::string langevin_norm = "item";
  template <class V>
  void fields(V& v) {
    v("steps", steps, "times, each with one prediction and one correction");
    v("snr", snr, "size of a correction");
    v("t_eps", t_eps, "smallest time; 0 takes the process's");
    v("index", index, "of a step's noise level in the table: nearest, or truncated in float32 (official)");
    v("langevin_norm", langevin_norm, "size of a correction from each item's norms, or from the batch's (official)");
  }
  void validate() const;
};

/// One time of a variance-exploding walk.
struct VeStep {
  double t = 0;
  std::int64_t index = 0;  ///< of the table sigma_i = c(i / (N - 1))
  double sigma = 0;        ///< c(t), what the score is divided by and the network is told
  double g = 0;            ///< sqrt(sigma_i^2 - sigma_{i-1}^2), sigma_{-1} = 0: the noise that the step takes away
};

/// The times t_k = 1 .. t_eps, evenly in float32, and the index of each: t (N - 1), rounded. With index = truncated the
/// product is made and cut in float32, which is one too low now and then where t_eps is below 1e-7.
/// @throws Error{kUsage} naming the solver unless the process has a = 1, b = 0
/// Official: hyungjin-chung/score-MRI, sde_lib.py (VESDE.discretize), sampling.py.
std::vector<VeStep> ve_steps(const char* solver, const VeWalkConfig& config, const diffusion::Process& process);

/// s = -eps / sigma of real images [B,C,H,W], asked in batches of at most `batch` images (0: all).
at::Tensor ve_score(const diffusion::Denoiser& denoiser, const VeStep& step, const at::Tensor& x, std::int64_t batch);

/// Mean and draw of a move: x = mean + noise.
struct VeMove {
  at::Tensor mean, x;
};
/// Reverse diffusion: mean = x + g^2 s, x' = mean + g z.
VeMove ve_predict(const VeStep& step, const at::Tensor& x, const at::Tensor& score, const at::Tensor& z);
/// Langevin dynamics: e = 2 (snr |z| / |s|)^2, mean = x + e s, x' = mean + sqrt(2 e) z. The norms are over the last
/// three axes; langevin_norm = batch averages them over the first axis. Without a score nothing moves.
/// Source: Song et al. 2021, "Score-Based Generative Modeling through Stochastic Differential Equations", Algorithm 4.
VeMove ve_correct(const VeWalkConfig& config, const at::Tensor& x, const at::Tensor& score, const at::Tensor& z);

}  // namespace reseda::inverse
