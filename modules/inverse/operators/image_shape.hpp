#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace reseda::inverse {

/// The images an operator is made for. Every operator's config has the key "image", which make_operator() fills in.
struct ImageShape {
  std::int64_t channels = 0, height = 0, width = 0;

  ImageShape() = default;
  /// @param image  [C,H,W]  @throws Error{kUsage} unless these are three numbers >= 1
  explicit ImageShape(at::IntArrayRef image);

  std::int64_t size() const { return channels * height * width; }
  std::int64_t pixels() const { return height * width; }
  std::vector<std::int64_t> batch(std::int64_t items) const { return {items, channels, height, width}; }
  /// @throws Error{kUsage} unless x is [B,C,H,W] of this shape with B >= 1, float32 or float64; the operator is named
  void require(const at::Tensor& x, const char* name) const;
};

inline const std::vector<std::int64_t> kDefaultImage = {3, 64, 64};
inline constexpr const char* kImageHelp = "channels, height and width of the images; the program fills it in";

/// @throws Error{kUsage} unless y is a batch of one or more measurements of this shape (without its first axis),
/// float32 or float64
void require_measurement(const at::Tensor& y, at::IntArrayRef shape, const char* name);

/// A constant of an operator on the device of x and in its real type.
at::Tensor constant_like(const at::Tensor& constant, const at::Tensor& x);

}  // namespace reseda::inverse
