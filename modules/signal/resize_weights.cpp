#include "modules/signal/resize_weights.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "modules/core/config.hpp"
#include "modules/core/error.hpp"

namespace reseda::signal {
namespace {

using Shape = double (*)(double);

double sinc(double x) { return x == 0 ? 1.0 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x); }

/// Keys' cubic convolution, in the form whose rounding is Pillow's.
template <int kQuarters>
double cubic(double d) {
  constexpr double a = -0.25 * kQuarters;
  const double x = std::abs(d);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
}
constexpr Shape kCubicHalf = cubic<2>, kCubicThreeQuarters = cubic<3>;

double triangle(double d) { return std::max(0.0, 1.0 - std::abs(d)); }
double box(double d) { return d > -0.5 && d <= 0.5 ? 1.0 : 0.0; }
double lanczos3(double d) { return d >= -3 && d < 3 ? sinc(d) * sinc(d / 3) : 0.0; }
double lanczos4(double d) { return std::abs(d) < 4 ? sinc(d) * sinc(d / 4) : 0.0; }

AxisWeights empty_weights(const ResizeAxis& axis, std::int64_t taps) {
  const auto size = static_cast<std::size_t>(axis.out * taps);
  return {taps, std::vector<std::int64_t>(size), std::vector<double>(size)};
}

/// Divides a row by its sum.
void normalise(AxisWeights& weights, std::int64_t row) {
  const auto first = weights.weight.begin() + static_cast<std::ptrdiff_t>(row * weights.taps);
  double sum = 0.0;
  for (auto w = first; w != first + static_cast<std::ptrdiff_t>(weights.taps); ++w) sum += *w;
  if (sum == 0.0) return;
  for (auto w = first; w != first + static_cast<std::ptrdiff_t>(weights.taps); ++w) *w /= sum;
}

/// The kernel widened by the step when shrinking, cut at the edges and normalised.
AxisWeights filtered(const ResizeAxis& axis, Shape shape, double support) {
  const double widening = std::max(axis.step, 1.0), narrowing = 1.0 / widening;
  const double reach = support * widening;
  const auto most = std::min(axis.in, static_cast<std::int64_t>(std::ceil(reach)) * 2 + 1);
  AxisWeights out = empty_weights(axis, most);
  for (std::int64_t i = 0; i < axis.out; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * axis.step;
    const auto first = std::clamp<std::int64_t>(static_cast<std::int64_t>(centre - reach + 0.5), 0, axis.in - 1);
    const auto end = std::clamp(static_cast<std::int64_t>(centre + reach + 0.5), first + 1, axis.in);
    for (std::int64_t k = 0; k < most; ++k) {
      const auto place = static_cast<std::size_t>(i * most + k);
      out.index[place] = std::min(first + k, end - 1);
      if (first + k < end) out.weight[place] = shape((static_cast<double>(first + k) - centre + 0.5) * narrowing);
    }
    normalise(out, i);
  }
  return out;
}

/// 2 r taps of the kernel as it is; pixels beyond an edge repeat it.
AxisWeights interpolated(const ResizeAxis& axis, Shape shape, std::int64_t r) {
  AxisWeights out = empty_weights(axis, 2 * r);
  for (std::int64_t i = 0; i < axis.out; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * axis.step - 0.5;
    const auto first = static_cast<std::int64_t>(std::floor(centre)) - r + 1;
    for (std::int64_t k = 0; k < 2 * r; ++k) {
      const auto place = static_cast<std::size_t>(i * 2 * r + k);
      out.index[place] = std::clamp<std::int64_t>(first + k, 0, axis.in - 1);
      out.weight[place] = shape(static_cast<double>(first + k) - centre);
    }
    normalise(out, i);
  }
  return out;
}

/// MATLAB's cubic; pixels beyond an edge mirror with the edge repeated.
AxisWeights matlab(const ResizeAxis& axis, bool antialias) {
  const double narrowing = antialias ? std::min(1.0 / axis.step, 1.0) : 1.0, width = 4.0 / narrowing;
  const auto taps = static_cast<std::int64_t>(std::ceil(width)) + 2;
  AxisWeights out = empty_weights(axis, taps);
  for (std::int64_t i = 0; i < axis.out; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * axis.step - 0.5;
    const auto first = static_cast<std::int64_t>(std::floor(centre - width / 2));
    for (std::int64_t k = 0; k < taps; ++k) {
      const auto place = static_cast<std::size_t>(i * taps + k);
      const std::int64_t period = 2 * axis.in, wrapped = ((first + k) % period + period) % period;
      out.index[place] = std::min(wrapped, period - 1 - wrapped);
      out.weight[place] = kCubicHalf((centre - static_cast<double>(first + k)) * narrowing);
    }
    normalise(out, i);
  }
  return out;
}

/// Means of the pixels that an output pixel covers. Parts of a pixel below 1e-3 are left out, as OpenCV does.
AxisWeights covered(const ResizeAxis& axis) {
  const auto in = static_cast<double>(axis.in);
  const auto taps = std::min(axis.in, static_cast<std::int64_t>(std::ceil(axis.step)) + 2);
  AxisWeights out = empty_weights(axis, taps);
  for (std::int64_t i = 0; i < axis.out; ++i) {
    const double low = static_cast<double>(i) * axis.step, high = std::min(low + axis.step, in);
    const auto first = std::min(static_cast<std::int64_t>(low), axis.in - 1);
    for (std::int64_t k = 0; k < taps; ++k) {
      const std::int64_t pixel = std::min(first + k, axis.in - 1);
      const auto left = static_cast<double>(first + k);
      const double part = std::min(high, left + 1) - std::max(low, left);
      out.index[static_cast<std::size_t>(i * taps + k)] = pixel;
      out.weight[static_cast<std::size_t>(i * taps + k)] = first + k < axis.in && part > 1e-3 ? part : 0.0;
    }
    normalise(out, i);
  }
  return out;
}

/// OpenCV's INTER_AREA: when it does not shrink both axes, two taps, the second from where the pixel's end passes over.
AxisWeights area(const ResizeAxis& axis) {
  if (axis.both_shrink) return covered(axis);
  AxisWeights out = empty_weights(axis, 2);
  for (std::int64_t i = 0; i < axis.out; ++i) {
    const auto first = static_cast<std::int64_t>(std::floor(static_cast<double>(i) * axis.step));
    double part = static_cast<double>(i + 1) - static_cast<double>(first + 1) / axis.step;
    part = part <= 0 ? 0 : part - std::floor(part);
    for (std::int64_t k = 0; k < 2; ++k) {
      out.index[static_cast<std::size_t>(2 * i + k)] = std::min(first + k, axis.in - 1);
      out.weight[static_cast<std::size_t>(2 * i + k)] = k == 0 ? 1 - part : part;
    }
  }
  return out;
}

struct Kernel {
  const char* name;
  AxisWeights (*weights)(const ResizeAxis&);
};

using Axis = const ResizeAxis&;
constexpr std::array kKernels = {
    Kernel{"matlab_bicubic", [](Axis a) { return matlab(a, true); }},
    Kernel{"matlab_bicubic_plain", [](Axis a) { return matlab(a, false); }},
    Kernel{"pillow_box", [](Axis a) { return filtered(a, box, 0.5); }},
    Kernel{"pillow_bilinear", [](Axis a) { return filtered(a, triangle, 1); }},
    Kernel{"pillow_bicubic", [](Axis a) { return filtered(a, kCubicHalf, 2); }},
    Kernel{"pillow_lanczos", [](Axis a) { return filtered(a, lanczos3, 3); }},
    Kernel{"opencv_linear", [](Axis a) { return interpolated(a, triangle, 1); }},
    Kernel{"opencv_cubic", [](Axis a) { return interpolated(a, kCubicThreeQuarters, 2); }},
    Kernel{"opencv_area", area},
    Kernel{"opencv_lanczos4", [](Axis a) { return interpolated(a, lanczos4, 4); }},
    Kernel{"torch_bilinear", [](Axis a) { return interpolated(a, triangle, 1); }},
    Kernel{"torch_bicubic", [](Axis a) { return interpolated(a, kCubicThreeQuarters, 2); }},
    Kernel{"torch_bilinear_antialias", [](Axis a) { return filtered(a, triangle, 1); }},
    Kernel{"torch_bicubic_antialias", [](Axis a) { return filtered(a, kCubicHalf, 2); }},
};

}  // namespace

const std::vector<std::string>& resize_kernels() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const Kernel& kernel : kKernels) out.emplace_back(kernel.name);
    return out;
  }();
  return names;
}

AxisWeights axis_weights(const std::string& kernel, const ResizeAxis& axis) {
  RESEDA_INVARIANT(axis.in >= 1 && axis.out >= 1 && axis.step > 0);
  for (const Kernel& known : kKernels)
    if (kernel == known.name) return known.weights(axis);
  const std::string near = nearest_name(kernel, resize_kernels());
  detail::raise(Errc::kUsage, "unknown resize kernel '", kernel, "'",
                near.empty() ? std::string() : "; did you mean '" + near + "'?");
}

}  // namespace reseda::signal
