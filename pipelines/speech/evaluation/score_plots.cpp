#include "pipelines/speech/evaluation/score_plots.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "io/record/svg_plot.hpp"
#include "pipelines/speech/evaluation/svg_text.hpp"

namespace reseda::speech {
namespace {

constexpr double kWidth = 300, kHeight = 190, kLeft = 40, kRight = 12, kTop = 24, kBottom = 34;
constexpr const char *kGood = "#0072B2", *kBad = "#E69F00";

/// Maps values to the plot's area.
struct Scale {
  double low, high, from, to;
  double operator()(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

/// Tick marks with labels along the bottom (horizontal) or the left side.
std::string axis(const Scale& scale, bool horizontal, int wanted) {
  const std::vector<double> ticks = io::round_ticks(scale.low, scale.high, wanted);
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1.0;
  std::string out;
  for (const double tick : ticks) {
    const double at = scale(tick);
    if (horizontal)
      out += svg_line(at, kHeight - kBottom, at, kHeight - kBottom + 4) +
             svg_label(at, kHeight - kBottom + 14, tick_text(tick, step), Anchor::kMiddle);
    else
      out += svg_line(kLeft - 4, at, kLeft, at) + svg_label(kLeft - 6, at + 3.5, tick_text(tick, step), Anchor::kEnd);
  }
  return out;
}

std::string frame(const std::string& title, const std::string& x_text) {
  return svg_open(kWidth, kHeight, title) + svg_title(kLeft, title) +
         svg_line(kLeft, kHeight - kBottom, kWidth - kRight, kHeight - kBottom) +
         svg_label((kLeft + kWidth - kRight) / 2, kHeight - 5, x_text, Anchor::kMiddle);
}

std::string nothing(const std::string& title) {
  return svg_open(kWidth, kHeight, title) + svg_title(kLeft, title) +
         svg_label(kWidth / 2, kHeight / 2, "no finite values", Anchor::kMiddle) + "</svg>";
}

std::string bar(double x, double y, double width, double height, bool good) {
  return "<rect fill=\"" + std::string(good ? kGood : kBad) + "\" x=\"" + fixed_text(x, 1) + "\" y=\"" +
         fixed_text(y, 1) + "\" width=\"" + fixed_text(width, 1) + "\" height=\"" + fixed_text(height, 1) + "\"/>";
}

/// Whether two values are too close for an axis between them.
bool too_close(double low, double high) {
  return !(high - low > 1e-9 * std::max({std::abs(low), std::abs(high), 1e-300}));
}

/// Edges of about a dozen bins of a round width; an edge lies at zero if zero is within.
std::vector<double> bin_edges(double low, double high) {
  if (too_close(low, high)) {
    const double half = std::max(0.5, 0.05 * std::abs(low));
    low -= half;
    high += half;
  }
  const std::vector<double> ticks = io::round_ticks(low, high, 14);
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : (high - low) / 10;
  const double first = std::floor(low / step);
  std::vector<double> edges = {first * step};
  // The bound matters where values are so large that steps vanish in them.
  for (int i = 1; i < 100 && edges.back() <= high; ++i) edges.push_back((first + i) * step);
  return edges;
}

}  // namespace

std::string histogram_svg(const std::vector<double>& values, const HistogramConfig& config) {
  std::vector<double> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite), [](double v) { return std::isfinite(v); });
  if (finite.empty()) return nothing(config.title);
  const auto [low, high] = std::minmax_element(finite.begin(), finite.end());
  const std::vector<double> edges = bin_edges(*low, *high);
  std::vector<double> counts(edges.size() - 1, 0.0);
  for (const double v : finite) {
    const auto above = std::upper_bound(edges.begin(), edges.end(), v);
    const auto bin =
        std::clamp<std::ptrdiff_t>(above - edges.begin() - 1, 0, static_cast<std::ptrdiff_t>(counts.size()) - 1);
    ++counts[static_cast<std::size_t>(bin)];
  }
  const Scale x{edges.front(), edges.back(), kLeft, kWidth - kRight};
  const Scale y{0, *std::max_element(counts.begin(), counts.end()) * 1.05, kHeight - kBottom, kTop};
  std::string out = frame(config.title, config.unit) + axis(x, true, 6) + axis(y, false, 4);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double middle = (edges[i] + edges[i + 1]) / 2;
    const bool good = !config.better_side || (config.better == Better::kHigher ? middle > 0 : middle < 0);
    if (counts[i] > 0)
      out += bar(x(edges[i]) + 0.5, y(counts[i]), x(edges[i + 1]) - x(edges[i]) - 1, y(0) - y(counts[i]), good);
  }
  const double mean = std::accumulate(finite.begin(), finite.end(), 0.0) / static_cast<double>(finite.size());
  if (edges.front() < 0 && edges.back() > 0) out += svg_line(x(0), kTop, x(0), kHeight - kBottom, Stroke::kDashed);
  return out + svg_line(x(mean), kTop, x(mean), kHeight - kBottom, Stroke::kMean) + "</svg>";
}

std::string scatter_svg(const std::vector<double>& noisy, const std::vector<double>& enhanced,
                        const std::vector<std::string>& files, const ScatterConfig& config) {
  std::vector<std::size_t> shown;
  double low = 0, high = 0;
  for (std::size_t i = 0; i < noisy.size(); ++i) {
    if (!std::isfinite(noisy[i]) || !std::isfinite(enhanced[i])) continue;
    low = shown.empty() ? std::min(noisy[i], enhanced[i]) : std::min({low, noisy[i], enhanced[i]});
    high = shown.empty() ? std::max(noisy[i], enhanced[i]) : std::max({high, noisy[i], enhanced[i]});
    shown.push_back(i);
  }
  if (shown.empty()) return nothing(config.title);
  const double margin = too_close(low, high) ? std::max(0.5, 0.05 * std::abs(low)) : 0.04 * (high - low);
  const Scale x{low - margin, high + margin, kLeft, kWidth - kRight},
      y{low - margin, high + margin, kHeight - kBottom, kTop};
  const std::string unit = config.unit.empty() ? "" : ", " + config.unit;
  std::string out = frame(config.title, "noisy" + unit) + svg_line(kLeft, kTop, kLeft, kHeight - kBottom) +
                    axis(x, true, 6) + axis(y, false, 5) +
                    svg_line(x(x.low), y(y.low), x(x.high), y(y.high), Stroke::kDashed) +
                    svg_label(9, (kTop + kHeight - kBottom) / 2, "enhanced" + unit, Anchor::kMiddle, Turn::kUp);
  for (const std::size_t i : shown) {
    const bool good = config.better == Better::kHigher ? enhanced[i] >= noisy[i] : enhanced[i] <= noisy[i];
    out += "<circle fill-opacity=\"0.75\" fill=\"" + std::string(good ? kGood : kBad) + "\" cx=\"" +
           fixed_text(x(noisy[i]), 1) + "\" cy=\"" + fixed_text(y(enhanced[i]), 1) + "\" r=\"2.2\"><title>" +
           io::escape_html(files[i]) + ": " + fixed_text(noisy[i], 2) + " to " + fixed_text(enhanced[i], 2) +
           "</title></circle>";
  }
  return out + "</svg>";
}

}  // namespace reseda::speech
