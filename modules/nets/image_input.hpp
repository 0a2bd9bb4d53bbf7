#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::nets {

/// What a network on images takes beside the time.
struct ImageInput {
  std::int64_t state_channels = 3;
  std::int64_t condition_channels = 0;
  std::int64_t multiple = 1;  ///< of height and width
  bool self_condition = false;
};

/// Joins the inputs along the channels, [estimate, x, y]: the estimate of x0 of a self-conditioned network, zeros where
/// it is undefined, and y where the network has channels for it.
/// @param x         [B,state_channels,H,W], real
/// @param y         [B,condition_channels,H,W]; not looked at where these are 0
/// @param estimate  shape of x, or undefined
/// @throws Error{kUsage} naming the key where channels do not fit, Error{kInternal} on other shapes
at::Tensor image_input(const ImageInput& input, const at::Tensor& x, const at::Tensor& y,
                       const at::Tensor& estimate = {});

/// A map in the faster memory layout: channels last, but channels first where gradients are recorded on the CPU, whose
/// backward pass of group normalisation takes 15 times as long with channels last.
at::Tensor in_fast_layout(const at::Tensor& map);

/// @throws Error{kInternal} unless t is [B] for the batch of x
void require_times(const at::Tensor& t, const at::Tensor& x);

}  // namespace reseda::nets
