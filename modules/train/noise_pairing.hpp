#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "modules/core/noise.hpp"

namespace reseda::train {

/// The permutation p that minimises sum_i cost[i, p_i], exactly, by shortest augmenting paths in O(n^3).
/// @param cost  [n, n] real and finite. @throws Error{kInternal} otherwise
/// Source: Kuhn 1955, "The Hungarian method for the assignment problem"; Jonker and Volgenant 1987, "A shortest
/// augmenting path algorithm for dense and sparse linear assignment problems".
std::vector<std::int64_t> assign(const at::Tensor& cost);

struct NoisePairingConfig {
  std::string method = "none";
  std::int64_t group = 256;
  std::int64_t candidates = 4;
  template <class V>
  void fields(V& v) {
    v("method", method,
      "which noise an item is given: none (its own draw), assignment (a permutation of the batch's draws), nearest (of "
      "several draws)");
    v("group", group, "assignment: items among which draws are exchanged, at most");
    v("candidates", candidates, "nearest: draws for an item; more than a few make the noise narrower than normal");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Immiscible diffusion: training pairs each clean item with a noise near it, so that fewer paths cross and a network
/// has less to average.
///   assignment  eps_{p(i)} of the batch, p minimising sum |x_i - eps_{p(i)}|^2 = maximising sum <x_i, eps_{p(i)}>
///   nearest     argmin_k |x_i - eps_ik| over `candidates` draws of the item
/// Assignment keeps the batch's draws as they are; nearest changes their distribution. Sampling still starts from
/// N(0, I).
/// Source: Li et al. 2024, "Immiscible Diffusion: Accelerating Diffusion Training with Noise Assignment", Sec. 3.
/// Official: yhli123/Immiscible-Diffusion, which minimises the sum of distances instead of their squares, in float16.
class NoisePairing {
 public:
  explicit NoisePairing(NoisePairingConfig config);
  /// Noise for a batch. Draws: `key` with the shape of x, or [candidates, ...] for nearest.
  /// @param x  what the noise is added to (x0, or the residual), [B, ...] real; the result has its shape and type
  at::Tensor draw(const at::Tensor& x, NoiseSource& noise, const DrawKey& key) const;

 private:
  at::Tensor assigned(const at::Tensor& x, const at::Tensor& eps) const;
  NoisePairingConfig config_;
};

}  // namespace reseda::train
