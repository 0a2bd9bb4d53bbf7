#include "modules/nn/batch_norm.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace reseda::nn {
namespace {

constexpr double kMomentum = 0.1, kEps = 1e-5;

}  // namespace

BatchNorm::BatchNorm(std::int64_t channels) {
  weight = register_parameter("weight", at::ones({channels}));
  bias = register_parameter("bias", at::zeros({channels}));
  running_mean = register_buffer("running_mean", at::zeros({channels}));
  running_var = register_buffer("running_var", at::ones({channels}));
  num_batches_tracked = register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
}

at::Tensor BatchNorm::forward(const at::Tensor& x) {
  if (is_training()) {
    const at::NoGradGuard no_grad;
    num_batches_tracked.add_(1);
  }
  return at::batch_norm(x, weight, bias, running_mean, running_var, is_training(), kMomentum, kEps,
                        /*cudnn_enabled=*/true);
}

}  // namespace reseda::nn
