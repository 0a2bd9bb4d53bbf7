#include "pipelines/restoration/training_pairs.hpp"

#include <ATen/ATen.h>

namespace reseda::restoration {

Pairs DegradedImages::draw(std::int64_t count, std::int64_t size, std::uint64_t seed, std::int64_t step) const {
  CounterNoise noise(seed);
  const at::Tensor x0 = model_.to_network(random_crops(images_, count, size, seed, step));
  if (!model_.config().conditional) return {x0};
  std::vector<at::Tensor> y;
  for (std::int64_t i = 0; i < count; ++i)
    y.push_back(degrade(x0[i], model_.config().degradation, noise, "crop " + std::to_string(i),
                        static_cast<std::uint32_t>(step)));
  return {x0, at::stack(y)};
}

std::string DegradedImages::contents() const {
  std::string names;
  for (const std::string& name : images_.names) names += name + '\n';
  return names;
}

}  // namespace reseda::restoration
