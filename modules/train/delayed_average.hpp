#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::train {

struct DelayedAverageConfig {
  double decay = 0.995;
  std::int64_t every = 10;
  std::int64_t after = 100;
  double power = 2.0 / 3.0;
  template <class V>
  void fields(V& v) {
    v("decay", decay, "largest decay of the average");
    v("every", every, "calls between updates");
    v("after", after, "calls up to which the average is a copy");
    v("power", power, "how fast the decay rises to its largest value");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Moving average of parameters that copies them at first, RDDM's. Call number n = 0, 1, ... acts when n is a multiple
/// of `every`: up to `after` it copies; the first one beyond copies too; then
///   shadow -= (1 - d) (shadow - value),  d = min(decay, 1 - (1 + e)^-power),  e = max(0, n - after)
/// Official: lucidrains/ema-pytorch 0.0.10, as nachifur/RDDM uses it. Quirk: the calls that act are the 1st, 11th, ...
class DelayedAverage {
 public:
  DelayedAverage(DelayedAverageConfig config, const at::Tensor& values);
  void update(const at::Tensor& values);

  at::Tensor shadow;
  std::int64_t updates = 0;  ///< calls so far
  bool started = false;      ///< whether averaging has begun

 private:
  DelayedAverageConfig config_;
};

}  // namespace reseda::train
