#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace reseda::speech {

/// How spectrograms are drawn.
struct PictureConfig {
  double seconds = 20.0;                   ///< longest stretch shown, from the start
  double range_db = 80.0;                  ///< from the brightest to the darkest colour
  double frame_s = 0.032;                  ///< Hann window
  std::int64_t columns = 420, rows = 168;  ///< pixels
};

/// Mean power over the pixels' cells of the time-frequency plane.
///   P = |rfft(Hann-windowed frame)|^2, hop at most a quarter frame; frequency rises from the last row to the first.
/// @param wave  [L] float32 or float64, L >= 1; only the first `seconds` are used
/// @return      [rows, columns] float64, >= 0
at::Tensor power_picture(const at::Tensor& wave, std::int64_t rate_hz, const PictureConfig& config);

/// Levels as a PNG with the colour map of `map_colour`.
/// @param level  [rows, columns] float64 in [0, 1], clamped
std::string png_picture(const at::Tensor& level);

/// A colour of the map: lightness rises evenly from black to a light yellow, so that equal steps in dB look equal and
/// grey prints keep the order.
/// @param value  0 (dark) to 1 (light)   @return red, green, blue 0..255
/// Source: Ottosson 2020, "A perceptual color space for image processing" (OKLab); the path through it is ours.
std::vector<int> map_colour(double value);

/// One spectrogram with axes in seconds and kHz as an SVG element.
/// @param power   of power_picture
/// @param full    power of the brightest colour, the same for pictures to be compared; values below full by range_db or
///                more are dark
/// @param title   plain text above the picture
std::string spectrogram_svg(const at::Tensor& power, double full, const std::string& title, std::int64_t rate_hz,
                            double seconds, const PictureConfig& config);

/// The legend of the colours, 0 dB down to -range_db, as an SVG element.
std::string colour_bar_svg(const PictureConfig& config);

}  // namespace reseda::speech
