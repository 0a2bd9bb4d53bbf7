#include "pipelines/infrared/frame.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "io/image/geo_reference.hpp"
#include "modules/core/error.hpp"

namespace reseda::infrared {
namespace {

double percentile(const at::Tensor& flat, double share) {
  const auto rank = static_cast<std::int64_t>(share * static_cast<double>(flat.numel() - 1) + 0.5);
  return std::get<0>(flat.kthvalue(rank + 1)).item<double>();
}

bool parse_number(const std::string& text, double& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
}

/// The first of a colour image's channels. @throws Error{kInput} where they differ, with the first place
at::Tensor equal_channel(const at::Tensor& colours, const std::string& name) {
  const at::Tensor differs = (colours != colours[0]).any(0);
  if (!differs.any().item<bool>()) return colours[0];
  const std::int64_t at = differs.flatten().to(at::kByte).argmax().item<std::int64_t>(), width = colours.size(2),
                     row = at / width, column = at % width;
  const auto value = [&](std::int64_t c) { return colours[c][row][column].item<double>(); };
  reseda::detail::raise(Errc::kInput, name, ": is a colour picture (row ", row, ", column ", column, " is ", value(0),
                        ", ", value(1), ", ", value(2),
                        "): false colours hold no temperatures; give the grey frame that it was made from");
}

}  // namespace

ValueRange parse_range(const std::string& text) {
  const std::size_t colon = text.find(':');
  ValueRange range;
  RESEDA_REQUIRE(colon != text.npos && parse_number(text.substr(0, colon), range.low) &&
                     parse_number(text.substr(colon + 1), range.high) && range.low < range.high,
                 Errc::kUsage, "--range must be LOW:HIGH with LOW below HIGH, got '", text, "'");
  return range;
}

ValueRange robust_range(const at::Tensor& values) {
  const at::Tensor flat = values.flatten();
  const double least = flat.min().item<double>(), most = flat.max().item<double>();
  if (least == most) return {least - 1, most + 1};
  const double low = percentile(flat, 0.001), high = percentile(flat, 0.999), span = high - low;
  if (span == 0) return {least, most};
  return {std::max(least, low - span), std::min(most, high + span)};
}

ValueRange natural_range(const io::Image& image) {
  if (image.bits == 8 && image.type == io::SampleType::kUnsigned) return {0, 255};
  const std::int64_t bands = image.pixels.size(0) - (image.alpha == io::Alpha::kNone ? 0 : 1);
  return robust_range(image.pixels.narrow(0, 0, std::max<std::int64_t>(bands, 1)));
}

Frame make_frame(const io::Image& image, const ValueRange& range, const std::string& name) {
  Frame frame;
  frame.range = range;
  const bool transparent = image.alpha != io::Alpha::kNone;
  frame.channels = image.pixels.size(0) - (transparent ? 1 : 0);
  RESEDA_REQUIRE(frame.channels == 1 || frame.channels == 3, Errc::kInput, name, ": has ", frame.channels,
                 " bands, expected a grey frame");
  const at::Tensor bands = image.pixels.narrow(0, 0, frame.channels);
  const at::Tensor grey = frame.channels == 1 ? bands[0] : equal_channel(bands, name);
  frame.pixels = grey.sub(range.low).mul_(2.0 / range.span()).sub_(1.0).unsqueeze(0).unsqueeze(0);
  if (transparent) frame.alpha = image.pixels[frame.channels].clone().unsqueeze(0).unsqueeze(0);
  frame.form = io::Image{{}, image.bits, image.type, image.alpha, image.metadata};
  return frame;
}

io::Image frame_image(const Frame& frame, const at::Tensor& pixels, const at::Tensor& alpha) {
  RESEDA_INVARIANT(alpha.defined() == frame.alpha.defined());
  const at::Tensor grey = (pixels[0] + 1.0).mul_(frame.range.span() / 2).add_(frame.range.low);
  at::Tensor bands = grey.expand({frame.channels, grey.size(1), grey.size(2)});
  if (alpha.defined()) bands = at::cat({bands, alpha[0].clamp(0, io::full_scale(frame.form))});
  io::Image image = frame.form;
  image.pixels = bands;
  io::scale_geometry(image.metadata, static_cast<double>(pixels.size(3)) / static_cast<double>(frame.width()));
  return image;
}

}  // namespace reseda::infrared
