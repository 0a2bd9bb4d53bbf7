#include "pipelines/restoration/training_pairs.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace reseda::restoration {

Pairs DegradedImages::draw(std::int64_t count, std::int64_t size, std::uint64_t seed, std::int64_t step) const {
  if (model_.config().low_resolution.scale > 1) return draw_small(count, size, seed, step);
  CounterNoise noise(seed);
  const at::Tensor x0 = model_.to_network(random_crops(images_, count, size, seed, step));
  if (!model_.config().conditional) return {x0};
  std::vector<at::Tensor> y;
  for (std::int64_t i = 0; i < count; ++i)
    y.push_back(degrade(x0[i], model_.config().degradation, noise, "crop " + std::to_string(i),
                        static_cast<std::uint32_t>(step)));
  return {x0, at::stack(y)};
}

Pairs DegradedImages::draw_small(std::int64_t count, std::int64_t size, std::uint64_t seed, std::int64_t step) const {
  CounterNoise noise(seed);
  const LowResolutionConfig& config = model_.config().low_resolution;
  const auto seen = static_cast<std::int64_t>(std::ceil(static_cast<double>(size) / std::min(config.zoom_low, 1.0)));
  const at::Tensor crops = model_.to_network(random_crops(images_, count, seen, seed, step));
  std::vector<at::Tensor> x0, y;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string item = "crop " + std::to_string(i);
    x0.push_back(vary(crops[i], size, config, noise, item, static_cast<std::uint32_t>(step)));
    y.push_back(enlarge(shrink(x0.back(), config, noise, item, static_cast<std::uint32_t>(step)), config.scale));
  }
  return {at::stack(x0), at::stack(y)};
}

std::string DegradedImages::contents() const {
  std::string names;
  for (const std::string& name : images_.names) names += name + '\n';
  return names;
}

}  // namespace reseda::restoration
