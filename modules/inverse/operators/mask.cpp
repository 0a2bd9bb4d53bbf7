#include "modules/inverse/operators/mask.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "modules/core/error.hpp"
#include "modules/core/noise.hpp"
#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::inverse {
namespace {

constexpr std::int64_t kLargestMasks = std::int64_t{1} << 33;  ///< values, all masks of a file together

struct Point {
  double row, column;
};

double distance_to_segment(Point p, Point a, Point b) {
  const Point along = {b.row - a.row, b.column - a.column};
  const double square = along.row * along.row + along.column * along.column;
  const double share =
      square > 0 ? std::clamp(((p.row - a.row) * along.row + (p.column - a.column) * along.column) / square, 0.0, 1.0)
                 : 0.0;
  return std::hypot(p.row - a.row - share * along.row, p.column - a.column - share * along.column);
}

/// Missing pixels of an image, brushed segment by segment.
class Canvas {
 public:
  Canvas(std::int64_t height, std::int64_t width)
      : height_(height),
        width_(width),
        mask_(at::ones({height, width}, at::kDouble)),
        pixels_(mask_.data_ptr<double>()) {}

  std::int64_t missing() const { return missing_; }
  const at::Tensor& mask() const { return mask_; }

  void brush(Point a, Point b, double radius) {
    const auto [top, bottom] = range(a.row, b.row, radius, height_);
    const auto [left, right] = range(a.column, b.column, radius, width_);
    for (std::int64_t i = top; i < bottom; ++i) {
      for (std::int64_t j = left; j < right; ++j) {
        double& pixel = pixels_[i * width_ + j];
        const Point p = {static_cast<double>(i), static_cast<double>(j)};
        if (pixel == 0.0 || distance_to_segment(p, a, b) > radius) continue;
        pixel = 0.0;
        ++missing_;
      }
    }
  }

 private:
  static std::pair<std::int64_t, std::int64_t> range(double a, double b, double radius, std::int64_t side) {
    const auto first = static_cast<std::int64_t>(std::floor(std::min(a, b) - radius));
    const auto last = static_cast<std::int64_t>(std::ceil(std::max(a, b) + radius));
    return {std::max<std::int64_t>(first, 0), std::min(last + 1, side)};
  }

  std::int64_t height_, width_, missing_ = 0;
  at::Tensor mask_;
  double* pixels_;
};

}  // namespace

void MaskConfig::validate() const {
  diffusion::require_choice("operator.mask.kind", kind, {"box", "random", "strokes"});
  RESEDA_REQUIRE(missing >= 0 && missing < 1, Errc::kUsage, "operator.mask.missing must be in [0, 1), got ", missing);
  RESEDA_REQUIRE(box.empty() || box.size() == 4, Errc::kUsage,
                 "operator.mask.box must be [top, left, height, width], got ", at::IntArrayRef(box));
}

at::Tensor make_mask(const MaskConfig& config, std::int64_t height, std::int64_t width) {
  config.validate();
  const auto seed = static_cast<std::uint64_t>(config.seed);
  if (config.kind == "random") return random_mask(height, width, config.missing, seed);
  if (config.kind == "strokes") return stroke_mask(height, width, config.missing, seed);
  if (!config.box.empty()) return box_mask(height, width, config.box);
  return box_mask(height, width, {height / 4, width / 4, height / 2, width / 2});
}

at::Tensor box_mask(std::int64_t height, std::int64_t width, at::IntArrayRef box) {
  const std::int64_t top = box[0], left = box[1], rows = box[2], columns = box[3];
  RESEDA_REQUIRE(top >= 0 && left >= 0 && rows >= 0 && columns >= 0 && top <= height && left <= width &&
                     rows <= height - top && columns <= width - left,
                 Errc::kUsage, "operator.mask.box must lie inside of the ", height, " x ", width, " image, got ", box);
  RESEDA_REQUIRE(rows < height || columns < width, Errc::kUsage,
                 "operator.mask.box must leave a pixel to measure, got ", box);
  const at::Tensor mask = at::ones({height, width}, at::kDouble);
  mask.slice(0, top, top + rows).slice(1, left, left + columns).zero_();
  return mask;
}

at::Tensor random_mask(std::int64_t height, std::int64_t width, double missing, std::uint64_t seed) {
  const std::int64_t pixels = height * width;
  const auto holes =
      std::min(static_cast<std::int64_t>(std::llround(missing * static_cast<double>(pixels))), pixels - 1);
  const at::Tensor mask = at::ones({height, width}, at::kDouble);
  std::vector<std::int64_t> order(static_cast<std::size_t>(pixels));
  std::iota(order.begin(), order.end(), 0);
  Chooser chooser(seed, "mask", "random", 0);
  for (std::int64_t i = 0; i < holes; ++i) {
    auto& chosen = order[static_cast<std::size_t>(i)];
    std::swap(chosen, order[static_cast<std::size_t>(i + chooser.below(pixels - i))]);
    mask.data_ptr<double>()[chosen] = 0.0;
  }
  return mask;
}

at::Tensor stroke_mask(std::int64_t height, std::int64_t width, double missing, std::uint64_t seed) {
  const double side = static_cast<double>(std::min(height, width)), rows = static_cast<double>(height),
               columns = static_cast<double>(width);
  Canvas canvas(height, width);
  Chooser chooser(seed, "mask", "strokes", 0);
  const auto enough = [&] { return static_cast<double>(canvas.missing()) >= missing * rows * columns; };
  while (!enough()) {
    Point here = {chooser.uniform(0, rows), chooser.uniform(0, columns)};
    double direction = chooser.uniform(0, 2 * std::numbers::pi);
    const double radius = std::max(chooser.uniform(side / 64, side / 20), 0.71);
    for (std::int64_t left = 1 + chooser.below(5); left > 0 && !enough(); --left) {
      const double length = chooser.uniform(side / 16, side / 4);
      const Point next = {std::clamp(here.row + length * std::sin(direction), 0.0, rows - 1),
                          std::clamp(here.column + length * std::cos(direction), 0.0, columns - 1)};
      canvas.brush(here, next, radius);
      here = next;
      direction += chooser.uniform(-std::numbers::pi / 2, std::numbers::pi / 2);
    }
  }
  RESEDA_REQUIRE(canvas.missing() < height * width, Errc::kUsage, "operator.mask: strokes over ", missing, " of ",
                 height, " x ", width, " pixels leave none to measure");
  return canvas.mask();
}

at::Tensor unpack_masks(const at::Tensor& packed, at::IntArrayRef shape) {
  const bool whole = shape.size() == 2 && shape[0] > 0 && shape[1] > 0 && shape[0] <= kLargestMasks / shape[1];
  RESEDA_REQUIRE(whole && packed.dim() == 1 && packed.scalar_type() == at::kByte &&
                     packed.size(0) == (shape[0] * shape[1] + 7) / 8,
                 Errc::kInput, "packed masks: ", packed.toString(), " ", packed.sizes(),
                 " does not hold one bit for each value of ", shape);
  const at::Tensor shifts = at::arange(7, -1, -1, at::kByte);
  const at::Tensor bits = at::bitwise_and(at::bitwise_right_shift(packed.unsqueeze(1), shifts), 1);
  return bits.flatten().slice(0, 0, shape[0] * shape[1]).reshape(shape);
}

}  // namespace reseda::inverse
