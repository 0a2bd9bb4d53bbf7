#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <vector>

#include "modules/inverse/operators/ray_sums.hpp"

/// The projector's loops against rotating by at::grid_sampler, which is how published pipelines project, and its
/// gradient: 256 x 256, forward and transpose, the fastest of several runs each.
namespace {

using namespace reseda::inverse;

double fastest(const std::function<void()>& run) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

void compare(const char* what, double loops, double sampler) {
  std::printf("  %-10s %8.2f ms, sampler %8.2f ms, ratio %5.1f\n", what, 1e3 * loops, 1e3 * sampler, sampler / loops);
}

}  // namespace

int main() {
  const c10::InferenceMode inference;
  std::printf("%d threads\n", at::get_num_threads());
  for (const std::int64_t slices : {1, 8}) {
    RayConfig config;
    config.views = 8;
    const RayGeometry rays(config, ImageShape(std::vector<std::int64_t>{1, 256, 256}));
    const at::Tensor images = at::rand({slices, 256, 256}), sums = ray_sums(rays, images);
    std::printf("%d slices, 8 views\n", static_cast<int>(slices));
    compare("forward", fastest([&] { ray_sums(rays, images); }), fastest([&] { sampled_ray_sums(rays, images); }));
    compare("transpose", fastest([&] { ray_sums_transpose(rays, sums); }),
            fastest([&] { sampled_ray_sums_transpose(rays, sums); }));
  }
  return 0;
}
