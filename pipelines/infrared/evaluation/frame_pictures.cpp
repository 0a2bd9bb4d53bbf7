#include "pipelines/infrared/evaluation/frame_pictures.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "io/record/png.hpp"
#include "modules/signal/resize.hpp"

namespace reseda::infrared {
namespace {

constexpr std::int64_t kZoomSide = 64, kZoomFactor = 4, kWidest = 640;

/// Values that become black and white.
struct GreyWindow {
  double low = 0, high = 255;
};

/// A square of the frame.
struct Square {
  std::int64_t top = 0, left = 0, height = 0, width = 0;
  at::Tensor of(const at::Tensor& frame) const { return frame.narrow(0, top, height).narrow(1, left, width); }
};

double percentile(const at::Tensor& values, double share) {
  const at::Tensor sorted = std::get<0>(values.flatten().to(at::kDouble).sort());
  return metrics::sorted_quantile({sorted.const_data_ptr<double>(), static_cast<std::size_t>(sorted.numel())}, share);
}

GreyWindow window_of(const GreyFrame& reference) {
  if (reference.is_8bit()) return {};
  const GreyWindow window{percentile(reference.pixels, 0.005), percentile(reference.pixels, 0.995)};
  return window.low < window.high ? window : GreyWindow{window.low, window.low + 1};
}

/// Around zero, with a round end of at least 1.
GreyWindow error_window(const at::Tensor& error) {
  const double end = std::max(1.0, std::ceil(percentile(error.abs(), 0.995)));
  return {-end, end};
}

/// Where the squared error has its largest sum, searched in steps of a quarter of the side.
Square worst_square(const at::Tensor& error) {
  Square out{0, 0, std::min(kZoomSide, error.size(0)), std::min(kZoomSide, error.size(1))};
  const std::int64_t step = kZoomSide / 4;
  const at::Tensor sums = at::avg_pool2d(error.to(at::kDouble).square().unsqueeze(0).unsqueeze(0),
                                         {out.height, out.width}, {step, step})[0][0];
  const std::int64_t place = sums.flatten().argmax().item<std::int64_t>();
  out.top = place / sums.size(1) * step;
  out.left = place % sums.size(1) * step;
  return out;
}

at::Tensor grey_levels(const at::Tensor& frame, const GreyWindow& window) {
  return ((frame.to(at::kDouble) - window.low) / (window.high - window.low)).clamp(0.0, 1.0);
}

std::string png(const at::Tensor& levels) {
  const at::Tensor pixels = (levels * 255).round().to(at::kByte).contiguous();
  return io::encode_png({pixels.const_data_ptr<std::uint8_t>(), static_cast<std::size_t>(pixels.numel())},
                        static_cast<std::size_t>(pixels.size(1)), static_cast<std::size_t>(pixels.size(0)),
                        io::PngColor::kGray);
}

/// The picture at most kWidest a side, with a white line inside a black one around the square.
std::string whole_png(at::Tensor levels, const Square& square) {
  const double scale = std::min(1.0, static_cast<double>(kWidest) / std::max(levels.size(0), levels.size(1)));
  const auto scaled = [&](std::int64_t size) { return std::max<std::int64_t>(1, std::llround(scale * size)); };
  levels = signal::resize(levels, scaled(levels.size(0)), scaled(levels.size(1)), "pillow_box").clone();
  const auto place = [&](std::int64_t at) {
    return static_cast<std::int64_t>(std::llround(scale * static_cast<double>(at)));
  };
  for (const auto& [beyond, grey] : {std::pair<std::int64_t, double>{1, 0.0}, {0, 1.0}}) {
    const std::int64_t top = std::max<std::int64_t>(0, place(square.top) - beyond),
                       left = std::max<std::int64_t>(0, place(square.left) - beyond),
                       bottom = std::min(levels.size(0), place(square.top + square.height) + beyond) - 1,
                       right = std::min(levels.size(1), place(square.left + square.width) + beyond) - 1;
    for (const std::int64_t row : {top, bottom}) levels[row].slice(0, left, right + 1).fill_(grey);
    for (const std::int64_t column : {left, right}) levels.select(1, column).slice(0, top, bottom + 1).fill_(grey);
  }
  return png(levels);
}

std::string zoom_png(const at::Tensor& levels, const Square& square) {
  return png(square.of(levels).repeat_interleave(kZoomFactor, 0).repeat_interleave(kZoomFactor, 1));
}

std::string caption_of(const FrameResult& frame, const std::string& rank) {
  std::string out = frame.pair.name + " (" + rank + "): ";
  for (const char* key : {"psnr4", "ssim", "grad_ratio", "offset"}) {
    const std::size_t i = score_place(key);
    const ScoreName& name = scores()[i];
    const auto text = [&](double value) { return app::fixed_text(value, name.decimals); };
    out += (key == std::string("psnr4") ? "" : "; ") + name.label + " " +
           (frame.scores.input.empty() ? "" : text(frame.scores.input[i]) + " to ") + text(frame.scores.restored[i]) +
           (name.unit.empty() ? "" : " " + name.unit);
  }
  return out;
}

}  // namespace

std::vector<std::size_t> shown_frames(const Evaluation& evaluation, std::size_t count) {
  const std::vector<const FrameResult*> frames = good_frames(evaluation);
  std::vector<std::size_t> order(frames.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::size_t psnr = score_place("psnr4");
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return frames[a]->scores.restored[psnr] < frames[b]->scores.restored[psnr];
  });
  const std::size_t worst = std::min((count + 1) / 2, order.size()), best = std::min(count / 2, order.size() - worst);
  order.erase(order.begin() + static_cast<std::ptrdiff_t>(worst), order.end() - static_cast<std::ptrdiff_t>(best));
  return order;
}

FrameRow draw_frame(const FrameResult& frame, const std::string& rank) {
  const FrameTriple frames = read_triple(frame.pair);
  const at::Tensor error = frames.restored.pixels - frames.reference.pixels;
  const Square square = worst_square(error);
  FrameRow row{.caption = caption_of(frame, rank), .whole = {}, .zoom = {}};
  const auto add = [&](const std::string& name, const at::Tensor& pixels, const GreyWindow& window) {
    const at::Tensor levels = grey_levels(pixels, window);
    const std::string range = app::fixed_text(window.low, 0) + " to " + app::fixed_text(window.high, 0);
    row.whole.push_back({whole_png(levels, square), name + ", " + range});
    row.zoom.push_back({zoom_png(levels, square), name + ", " + std::to_string(square.width) + "x" +
                                                      std::to_string(square.height) + " pixels at column " +
                                                      std::to_string(square.left) + ", row " +
                                                      std::to_string(square.top)});
  };
  const GreyWindow window = window_of(frames.reference);
  if (frames.input.pixels.defined()) add("input, enlarged", frames.input.pixels, window);
  add("restored", frames.restored.pixels, window);
  add("reference", frames.reference.pixels, window);
  add("restored - reference", error, error_window(error));
  return row;
}

}  // namespace reseda::infrared
