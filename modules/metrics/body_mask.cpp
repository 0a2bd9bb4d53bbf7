#include "modules/metrics/body_mask.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "modules/core/error.hpp"

namespace reseda::metrics {
namespace {

/// A plane of small numbers that is flooded piece by piece.
class Plane {
 public:
  Plane(const at::Tensor& mask, std::int64_t height, std::int64_t width) : height_(height), width_(width) {
    const bool* values = mask.const_data_ptr<bool>();
    cells_.assign(values, values + height * width);
  }
  std::int64_t size() const { return height_ * width_; }
  int at(std::int64_t i) const { return cells_[static_cast<std::size_t>(i)]; }

  /// Gives the piece of `from`s around cell i the number `to`. @return its size
  std::int64_t flood(std::int64_t i, int from, int to) {
    if (at(i) != from) return 0;
    std::int64_t count = 0;
    const auto visit = [&](std::int64_t cell) {
      if (at(cell) != from) return;
      cells_[static_cast<std::size_t>(cell)] = to;
      stack_.push_back(cell);
      ++count;
    };
    visit(i);
    while (!stack_.empty()) {
      const std::int64_t cell = stack_.back(), column = cell % width_;
      stack_.pop_back();
      if (cell >= width_) visit(cell - width_);
      if (cell + width_ < size()) visit(cell + width_);
      if (column > 0) visit(cell - 1);
      if (column + 1 < width_) visit(cell + 1);
    }
    return count;
  }

  /// Floods what touches the border.
  void flood_border(int from, int to) {
    for (std::int64_t i = 0; i < height_; ++i) {
      flood(i * width_, from, to);
      flood(i * width_ + width_ - 1, from, to);
    }
    for (std::int64_t j = 0; j < width_; ++j) {
      flood(j, from, to);
      flood((height_ - 1) * width_ + j, from, to);
    }
  }

 private:
  std::int64_t height_, width_;
  std::vector<int> cells_;
  std::vector<std::int64_t> stack_;
};

enum Cell : int { kBelow = 0, kAbove = 1, kOutside = 2, kSeen = 3, kBody = 4 };

}  // namespace

at::Tensor body_mask(const at::Tensor& slice, double threshold) {
  RESEDA_REQUIRE(slice.dim() == 2 && slice.numel() > 0 && !slice.is_complex(), Errc::kInput,
                 "body_mask: expected a real slice [H,W], got ", slice.sizes());
  const at::Tensor above = (slice.detach().to(at::kCPU) > threshold).contiguous();
  Plane plane(above, slice.size(0), slice.size(1));
  plane.flood_border(kBelow, kOutside);
  for (std::int64_t i = 0; i < plane.size(); ++i) plane.flood(i, kBelow, kAbove);
  std::int64_t largest = 0, start = -1;
  for (std::int64_t i = 0; i < plane.size(); ++i) {
    const std::int64_t size = plane.flood(i, kAbove, kSeen);
    if (size > largest) {
      largest = size;
      start = i;
    }
  }
  at::Tensor mask = at::ones(slice.sizes(), at::kBool);
  if (start < 0) return mask;
  plane.flood(start, kSeen, kBody);
  bool* out = mask.mutable_data_ptr<bool>();
  for (std::int64_t i = 0; i < plane.size(); ++i) out[i] = plane.at(i) == kBody;
  return mask;
}

}  // namespace reseda::metrics
