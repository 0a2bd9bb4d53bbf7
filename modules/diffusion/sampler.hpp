#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "modules/core/noise.hpp"
#include "modules/core/progress.hpp"
#include "modules/core/registry.hpp"
#include "modules/diffusion/denoiser.hpp"
#include "modules/diffusion/process.hpp"

namespace reseda::diffusion {

/// What one run of a sampler needs besides the mathematics.
struct SampleContext {
  NoiseSource& noise;
  std::string item;      ///< stable id of the item; part of every draw's key
  ProgressSink on_step;  ///< may be empty; called after each step; false ends the run with Error{kInterrupted}
  /// Called with (step, state) after each step where set, step counted from 0; for recordings and tests.
  std::function<void(std::int64_t step, const at::Tensor& state)> trace;
};

/// Draws x0 given y along a process. Holds its config only; safe to share between threads. It keeps gradients where the
/// caller has them on. What it returns for an item of a batch depends on that item and its draws alone (BatchNoise
/// gives each item its own), but for options that say otherwise.
class Sampler {
 public:
  virtual ~Sampler() = default;
  /// @param y  measurement, [B,C,H,W], real or complex; the state has its shape and type
  /// @return   estimate of x0, same shape
  /// @throws Error{kNumeric} when the state is no longer finite, Error{kUsage} where the process does not fit
  virtual at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                         SampleContext& context) const = 0;
  /// Network calls of one run, for plans and reports; -1 where it depends on the data.
  virtual std::int64_t network_calls() const = 0;
};

using SamplerEntry = Component<Sampler>;
const std::vector<const SamplerEntry*>& sampler_entries();
std::unique_ptr<Sampler> make_sampler(const ConfigNode& node, const std::string& path = "sampler");

/// Draws noise of the shape and type of `like` (float32 or complex64) and moves it to its device.
at::Tensor draw_like(SampleContext& context, std::string_view stream, std::int64_t step, const at::Tensor& like);
/// Reports step `done` of `total` (0 where it is not known yet), checks on the last one that the state is finite, and
/// honours a request to stop. @throws Error{kNumeric}, Error{kInterrupted}
void after_step(SampleContext& context, std::int64_t done, std::int64_t total, const at::Tensor& state);

}  // namespace reseda::diffusion
