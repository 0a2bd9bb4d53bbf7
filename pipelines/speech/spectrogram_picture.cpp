#include "pipelines/speech/spectrogram_picture.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "io/record/html_report.hpp"
#include "io/record/png.hpp"
#include "io/record/svg_plot.hpp"
#include "modules/core/error.hpp"
#include "pipelines/speech/evaluation/svg_text.hpp"

namespace reseda::speech {
namespace {

constexpr int kLevels = 64;  ///< steps of 1.25 dB at 80 dB, which the eye does not see and PNG packs better
// Margins around the picture in SVG units (one per pixel of the picture).
constexpr double kLeft = 40, kTop = 18, kRight = 8, kBottom = 30;

struct Tick {
  double value;
  std::string text;
};

/// Round values within [0, high].
std::vector<Tick> ticks_of(double high, int count) {
  std::vector<Tick> ticks;
  const std::vector<double> values = io::round_ticks(0, high, count);
  const double step = values.size() > 1 ? values[1] - values[0] : high;
  for (const double value : values) ticks.push_back({value, tick_text(value, step)});
  return ticks;
}

std::string axes(std::int64_t rate_hz, double seconds, double width, double height) {
  std::string out;
  const double khz = static_cast<double>(rate_hz) / 2000.0;
  for (const Tick& tick : ticks_of(seconds, 6)) {
    const double x = kLeft + width * tick.value / seconds;
    out +=
        svg_line(x, kTop + height, x, kTop + height + 4) + svg_label(x, kTop + height + 14, tick.text, Anchor::kMiddle);
  }
  for (const Tick& tick : ticks_of(khz, 5)) {
    const double y = kTop + height * (1 - tick.value / khz);
    out += svg_line(kLeft - 4, y, kLeft, y) + svg_label(kLeft - 6, y + 3.5, tick.text, Anchor::kEnd);
  }
  return out + svg_label(kLeft + width / 2, kTop + height + 26, "time, s", Anchor::kMiddle) +
         svg_label(11, kTop + height / 2, "frequency, kHz", Anchor::kMiddle, Turn::kUp);
}

}  // namespace

at::Tensor power_picture(const at::Tensor& wave, std::int64_t rate_hz, const PictureConfig& config) {
  const auto rate = static_cast<double>(rate_hz);
  const std::int64_t frame = std::max<std::int64_t>(16, std::llround(config.frame_s * rate));
  const std::int64_t length = std::min(wave.size(0), std::max<std::int64_t>(1, std::llround(config.seconds * rate)));
  const std::int64_t hop = std::clamp<std::int64_t>(length / config.columns, 1, frame / 4);
  const at::Tensor x = wave.detach().to(at::kDouble).narrow(0, 0, length);
  // Half a frame of silence around, so that the first and last columns are centred on the ends.
  const at::Tensor frames = at::constant_pad_nd(x, {frame / 2, frame / 2 + hop}).unfold(0, frame, hop);
  const at::Tensor spectrum = at::view_as_real(at::fft_rfft(frames * at::hann_window(frame, true, x.options())));
  const at::Tensor power = spectrum.square().sum(-1).t().flip(0);
  return at::adaptive_avg_pool2d(power.unsqueeze(0), {config.rows, config.columns})[0].contiguous();
}

std::vector<int> map_colour(double value) {
  const double v = std::clamp(value, 0.0, 1.0);
  const double lightness = 0.12 + 0.86 * v, chroma = 0.17 * std::sin(std::numbers::pi * (0.08 + 0.80 * v));
  const double hue = (285.0 + 180.0 * v) * std::numbers::pi / 180.0;
  const double a = chroma * std::cos(hue), b = chroma * std::sin(hue);
  const auto cube = [](double x) { return x * x * x; };
  const double l = cube(lightness + 0.3963377774 * a + 0.2158037573 * b);
  const double m = cube(lightness - 0.1055613458 * a - 0.0638541728 * b);
  const double s = cube(lightness - 0.0894841775 * a - 1.2914855480 * b);
  const auto srgb = [](double linear) {
    const double x = std::clamp(linear, 0.0, 1.0);
    return static_cast<int>(std::lround(255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * std::pow(x, 1 / 2.4) - 0.055)));
  };
  return {srgb(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
          srgb(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
          srgb(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

std::string png_picture(const at::Tensor& level) {
  RESEDA_INVARIANT(level.dim() == 2 && level.numel() > 0);
  const at::Tensor index = (level.clamp(0, 1) * (kLevels - 1)).round().to(at::kByte).contiguous();
  std::vector<std::vector<int>> colours;
  for (int i = 0; i < kLevels; ++i) colours.push_back(map_colour(i / (kLevels - 1.0)));
  std::vector<std::uint8_t> pixels;
  pixels.reserve(3 * static_cast<std::size_t>(index.numel()));
  for (std::int64_t i = 0; i < index.numel(); ++i)
    for (const int part : colours[index.data_ptr<std::uint8_t>()[i]]) pixels.push_back(static_cast<std::uint8_t>(part));
  return io::encode_png(pixels, static_cast<std::size_t>(index.size(1)), static_cast<std::size_t>(index.size(0)),
                        io::PngColor::kRgb);
}

std::string spectrogram_svg(const at::Tensor& power, double full, const std::string& title, std::int64_t rate_hz,
                            double seconds, const PictureConfig& config) {
  const double floor = full > 0 ? full * std::pow(10.0, -config.range_db / 10) : 1.0;
  const at::Tensor level = 1.0 + 10.0 * at::log10(power.clamp_min(floor) / std::max(full, floor)) / config.range_db;
  const auto width = static_cast<double>(config.columns), height = static_cast<double>(config.rows);
  return svg_open(kLeft + width + kRight, kTop + height + kBottom, title) + svg_title(kLeft, title) + "<image x=\"" +
         fixed_text(kLeft, 0) + "\" y=\"" + fixed_text(kTop, 0) + "\" width=\"" + fixed_text(width, 0) +
         "\" height=\"" + fixed_text(height, 0) + "\" preserveAspectRatio=\"none\" href=\"data:image/png;base64," +
         io::base64(png_picture(level)) + "\"/>" + axes(rate_hz, std::min(seconds, config.seconds), width, height) +
         "</svg>";
}

std::string colour_bar_svg(const PictureConfig& config) {
  constexpr int kSteps = 64;
  constexpr double kWidth = 256;
  std::string out = svg_open(kWidth + 200, 34, "colours of the level");
  for (int i = 0; i < kSteps; ++i) {
    const std::vector<int> c = map_colour((i + 0.5) / kSteps);
    out += "<rect x=\"" + fixed_text(20 + kWidth * i / kSteps, 2) + "\" y=\"2\" width=\"" +
           fixed_text(kWidth / kSteps + 0.3, 2) + "\" height=\"10\" fill=\"rgb(" + std::to_string(c[0]) + "," +
           std::to_string(c[1]) + "," + std::to_string(c[2]) + ")\"/>";
  }
  for (int i = 0; i <= 4; ++i)
    out += svg_label(20 + kWidth * i / 4, 26, fixed_text(config.range_db * (i / 4.0 - 1), 0) + (i == 4 ? " dB" : ""),
                     Anchor::kMiddle);
  return out + "</svg>";
}

}  // namespace reseda::speech
