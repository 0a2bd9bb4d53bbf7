#include "modules/nn/swin_window.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::nn {
namespace {

/// Row and column of every pixel of a window, [N] int64 each.
struct Pixels {
  Pixels(std::int64_t side, c10::Device device) {
    const at::Tensor all = at::arange(side * side, at::TensorOptions(at::kLong).device(device));
    row = at::floor_divide(all, side);
    column = all - row * side;
  }
  at::Tensor row, column;
};

}  // namespace

at::Tensor to_windows(const at::Tensor& x, std::int64_t side) {
  RESEDA_REQUIRE(x.size(2) % side == 0 && x.size(3) % side == 0, Errc::kInternal,
                 "windows: height and width must be multiples of ", side, ", got ", x.size(2), " x ", x.size(3));
  const at::Tensor cut = x.permute({0, 2, 3, 1}).unflatten(2, {-1, side}).unflatten(1, {-1, side});
  return cut.permute({0, 1, 3, 2, 4, 5}).flatten(3, 4);
}

at::Tensor from_windows(const at::Tensor& windows, std::int64_t side) {
  const at::Tensor cut = windows.unflatten(3, {side, side}).permute({0, 1, 3, 2, 4, 5});
  return cut.flatten(3, 4).flatten(1, 2).permute({0, 3, 1, 2});
}

at::Tensor relative_positions(std::int64_t side, c10::Device device) {
  const Pixels pixels(side, device);
  const auto offset = [](const at::Tensor& place) { return place.unsqueeze(1) - place.unsqueeze(0); };
  return (offset(pixels.row) + (side - 1)) * (2 * side - 1) + offset(pixels.column) + (side - 1);
}

at::Tensor allowed_pairs(WindowMask mask, std::int64_t side, std::int64_t shift, WindowPlace place,
                         c10::Device device) {
  const Pixels pixels(side, device);
  const at::Tensor below = pixels.row.ge(side - shift), beside = pixels.column.ge(side - shift);
  const auto together = [](const at::Tensor& region) { return region.unsqueeze(1).eq(region.unsqueeze(0)); };
  at::Tensor allowed = at::ones({side * side, side * side}, below.options());
  if (mask == WindowMask::kResshift) return place.last_row ? together(beside) : allowed;
  if (place.last_row) allowed = allowed.logical_and(together(below));
  if (place.last_column) allowed = allowed.logical_and(together(beside));
  return allowed;
}

}  // namespace reseda::nn
