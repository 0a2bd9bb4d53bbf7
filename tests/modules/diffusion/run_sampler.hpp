#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "modules/core/config.hpp"
#include "modules/diffusion/sampler.hpp"

namespace reseda::diffusion {

/// A component's config from its name and "key", "value" pairs.
inline ConfigNode component(const std::string& name,
                            const std::vector<std::pair<std::string, std::string>>& keys = {}) {
  ConfigNode node = ConfigNode::map();
  node["name"] = ConfigNode(name);
  for (const auto& [key, value] : keys) node.set(key, value);
  return node;
}

/// Runs the sampler that the config names under the item id "item".
inline at::Tensor run_sampler(const ConfigNode& config, const at::Tensor& y, const Process& process,
                              const Denoiser& denoiser, NoiseSource& noise,
                              std::function<void(std::int64_t, const at::Tensor&)> trace = {}) {
  SampleContext context{.noise = noise, .item = "item", .on_step = {}, .trace = std::move(trace)};
  return make_sampler(config)->run(y, process, denoiser, context);
}

/// A denoiser from a function (x, t) -> Estimates.
class FunctionDenoiser final : public Denoiser {
 public:
  using Function = std::function<Estimates(const at::Tensor& x, double t, const Condition& condition)>;
  explicit FunctionDenoiser(Function function) : function_(std::move(function)) {}
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override {
    return function_(x, t, condition);
  }

 private:
  Function function_;
};

/// Hands out zeros and writes down "stream step" of every draw.
class ListedNoise final : public NoiseSource {
 public:
  at::Tensor normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype) override {
    draws.push_back(std::string(key.stream) + " " + std::to_string(key.step));
    return ZeroNoise().normal(key, shape, dtype);
  }
  at::Tensor uniform(const DrawKey& key, at::IntArrayRef shape) override { return ZeroNoise().uniform(key, shape); }
  std::vector<std::string> draws;
};

/// The error that an action throws: code and message; ("", internal) when it throws none.
inline std::pair<Errc, std::string> error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {Errc::kInternal, ""};
}

}  // namespace reseda::diffusion
