#include "pipelines/infrared/guided_images.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "pipelines/infrared/infrared_model.hpp"

namespace reseda::infrared {

restoration::Pairs GuidedImages::draw(std::int64_t count, std::int64_t size, std::uint64_t seed,
                                      std::int64_t step) const {
  const at::NoGradGuard no_gradients;
  restoration::Pairs pairs = images_.draw(count, size, seed, step);
  pairs.extra = one_call(guide_, pairs.y);
  pairs.weight = noise_weight(model_, pairs.y, pairs.extra);
  return pairs;
}

}  // namespace reseda::infrared
