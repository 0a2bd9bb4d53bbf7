#include "io/record/svg_plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <sstream>

#include "modules/core/config.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr double kWidth = 640, kHeight = 320, kLeft = 64, kRight = 16, kTop = 34, kBottom = 52;
constexpr std::array<const char*, 7> kColors = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                "#E69F00", "#56B4E9", "#8C8C8C"};

const char* color_of(std::size_t i) { return kColors[i % kColors.size()]; }
/// Curves beyond the colours begin them anew, dashed and then dotted.
const char* dash_of(std::size_t i) {
  constexpr std::array<const char*, 3> kDashes = {"", " stroke-dasharray=\"7 3\"", " stroke-dasharray=\"2 3\""};
  return kDashes[i / kColors.size() % kDashes.size()];
}

/// Where the names of a legend stand: in one row above the plot, or where they do not fit, in rows below it.
struct Legend {
  struct Place {
    double x, y;
  };
  std::vector<Place> places;
  double height = 0;  ///< of the rows below the plot

  explicit Legend(const std::vector<std::string>& names) {
    constexpr double kRow = 16, kFirst = kLeft + 8;
    double x = kFirst, row = 0;
    for (const std::string& name : names) {
      const double width = 34 + 6.5 * static_cast<double>(std::min<std::size_t>(name.size(), 40));
      if (x + width > kWidth && x > kFirst) {
        x = kFirst;
        row += 1;
      }
      places.push_back({x, row * kRow});
      x += width;
    }
    if (row > 0) height = (row + 1) * kRow;
    for (Place& place : places) place.y += row > 0 ? kHeight + 12 : kTop;
  }
};

/// A coordinate with two decimals at most.
std::string at(double value) {
  std::string text = number_text(std::round(value * 100) / 100);
  return text == "-0" ? "0" : text;
}

std::string tick_text(double value, double step) {
  std::array<char, 32> buffer{};
  const double magnitude = std::max(std::abs(value), step);
  if (magnitude >= 1e6 || magnitude < 1e-4) {
    std::snprintf(buffer.data(), buffer.size(), "%.4g", value);
  } else {
    const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 8);
    std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, value == 0 ? 0.0 : value);
  }
  return buffer.data();
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void add(const std::vector<double>& values) {
    for (const double value : values) add(value);
  }
  /// Never empty: an empty range becomes [0, 1], a single value gets room on both sides.
  void widen(double share) {
    if (!(low <= high)) *this = {0, 1};
    const double room = high > low ? share * (high - low) : std::max(std::abs(low) * 0.1, 0.5);
    low -= room;
    high += room;
  }
};

/// Writes into one plot area.
class Canvas {
 public:
  Canvas(const PlotText& text, Range x, Range y, double below = 0) : x_(x), y_(y) {
    out_ << "<svg class=\"plot\" viewBox=\"0 0 " << kWidth << ' ' << kHeight + below << "\" role=\"img\" aria-label=\""
         << escape_html(text.title) << "\">\n";
    label(kWidth / 2, 16, "middle", text.title, " font-weight=\"600\"");
    label((kLeft + kWidth - kRight) / 2, kHeight - 10, "middle", text.x_label);
    label(14, (kTop + kHeight - kBottom) / 2, "middle", text.y_label,
          " transform=\"rotate(-90 14 " + at((kTop + kHeight - kBottom) / 2) + ")\"");
  }
  double px(double x) const { return kLeft + (x - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight); }
  double py(double y) const {
    return kHeight - kBottom - (y - y_.low) / (y_.high - y_.low) * (kHeight - kTop - kBottom);
  }
  std::ostringstream& out() { return out_; }

  void label(double x, double y, const char* anchor, const std::string& text, const std::string& more = "") {
    if (text.empty()) return;
    out_ << "<text x=\"" << at(x) << "\" y=\"" << at(y) << "\" text-anchor=\"" << anchor << "\"" << more << '>'
         << escape_html(text) << "</text>\n";
  }
  void line(double x1, double y1, double x2, double y2, const char* style) {
    out_ << "<line x1=\"" << at(x1) << "\" y1=\"" << at(y1) << "\" x2=\"" << at(x2) << "\" y2=\"" << at(y2) << "\" "
         << style << "/>\n";
  }
  void y_axis() {
    const auto ticks = round_ticks(y_.low, y_.high, 6);
    const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
    for (const double tick : ticks) {
      line(kLeft, py(tick), kWidth - kRight, py(tick), "class=\"grid\"");
      label(kLeft - 6, py(tick) + 4, "end", tick_text(tick, step));
    }
  }
  void x_axis() {
    const auto ticks = round_ticks(x_.low, x_.high, 8);
    const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
    for (const double tick : ticks) {
      line(px(tick), kHeight - kBottom, px(tick), kHeight - kBottom + 4, "class=\"axis\"");
      label(px(tick), kHeight - kBottom + 18, "middle", tick_text(tick, step));
    }
    line(kLeft, kHeight - kBottom, kWidth - kRight, kHeight - kBottom, "class=\"axis\"");
  }
  void legend(const std::vector<std::string>& names, const Legend& legend) {
    if (names.size() < 2) return;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto [x, y] = legend.places[i];
      if (*dash_of(i) == '\0')
        out_ << "<rect x=\"" << at(x) << "\" y=\"" << at(y - 9) << "\" width=\"10\" height=\"10\" fill=\""
             << color_of(i) << "\"/>\n";
      else
        line(x - 4, y - 4, x + 12, y - 4,
             ("stroke=\"" + std::string(color_of(i)) + "\" stroke-width=\"1.8\"" + dash_of(i)).c_str());
      label(x + 14, y, "start", names[i]);
    }
  }
  std::string finish() {
    out_ << "</svg>\n";
    return out_.str();
  }

 private:
  Range x_, y_;
  std::ostringstream out_;
};

void draw_band(Canvas& canvas, const Curve& curve, const char* color) {
  if (curve.low.empty()) return;
  RESEDA_INVARIANT(curve.low.size() == curve.x.size() && curve.high.size() == curve.x.size());
  std::string forth, back;
  for (std::size_t i = 0; i < curve.x.size(); ++i) {
    if (!std::isfinite(curve.low[i]) || !std::isfinite(curve.high[i]) || !std::isfinite(curve.x[i])) continue;
    const std::string x = at(canvas.px(curve.x[i]));
    forth += x + "," + at(canvas.py(curve.high[i])) + " ";
    back = x + "," + at(canvas.py(curve.low[i])) + " " + back;
  }
  canvas.out() << "<polygon fill=\"" << color << "\" fill-opacity=\"0.15\" points=\"" << forth << back << "\"/>\n";
}

void draw_line(Canvas& canvas, const Curve& curve, const char* color, const char* dash) {
  RESEDA_INVARIANT(curve.x.size() == curve.y.size());
  std::string points;
  std::size_t length = 0;
  const auto flush = [&] {
    if (length == 1)
      canvas.out() << "<circle fill=\"" << color << "\" r=\"2.5\" cx=\"" << points.substr(0, points.find(','))
                   << "\" cy=\"" << points.substr(points.find(',') + 1) << "\"/>\n";
    else if (length > 1)
      canvas.out() << "<polyline fill=\"none\" stroke=\"" << color << "\" stroke-width=\"1.8\"" << dash << " points=\""
                   << points << "\"/>\n";
    points.clear();
    length = 0;
  };
  for (std::size_t i = 0; i < curve.x.size(); ++i) {
    if (!std::isfinite(curve.x[i]) || !std::isfinite(curve.y[i])) {
      flush();
      continue;
    }
    points += (length ? " " : "") + at(canvas.px(curve.x[i])) + "," + at(canvas.py(curve.y[i]));
    ++length;
  }
  flush();
}

}  // namespace

std::string escape_html(std::string_view text) {
  // json_quoted replaces what is not UTF-8; its quotes and escapes are undone here.
  std::string out;
  const std::string clean = json_quoted(text);
  for (std::size_t i = 1; i + 1 < clean.size(); ++i) {
    char c = clean[i];
    if (c == '\\') {
      c = clean[++i];
      if (c == 'u') {
        out += ' ';
        i += 4;
        continue;
      }
      if (c == 'n' || c == 't') c = ' ';
    }
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::vector<double> round_ticks(double low, double high, int count) {
  RESEDA_INVARIANT(low < high && count >= 2);
  const double raw = (high - low) / count, power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= raw * (1 - 1e-9)) step = factor * power;
  std::vector<double> ticks;
  // Bounded: where low is huge beside the step, n + 1 may be n.
  const double first = std::ceil(low / step - 1e-9);
  for (int n = 0; n <= 10 * count && (first + n) * step <= high + 1e-9 * step; ++n) ticks.push_back((first + n) * step);
  return ticks;
}

std::string line_plot(const PlotText& text, const std::vector<Curve>& curves) {
  Range x, y;
  std::vector<std::string> names;
  for (const Curve& curve : curves) {
    x.add(curve.x);
    y.add(curve.y);
    y.add(curve.low);
    y.add(curve.high);
    names.push_back(curve.name);
  }
  x.widen(0.01);
  y.widen(0.05);
  const Legend legend(names);
  Canvas canvas(text, x, y, legend.height);
  canvas.y_axis();
  canvas.x_axis();
  for (std::size_t i = 0; i < curves.size(); ++i) {
    draw_band(canvas, curves[i], color_of(i));
    draw_line(canvas, curves[i], color_of(i), dash_of(i));
  }
  canvas.legend(names, legend);
  return canvas.finish();
}

std::string svg_file(std::string_view plot) {
  constexpr std::string_view kBegin = "<svg ";
  RESEDA_INVARIANT(plot.starts_with(kBegin));
  const std::size_t end = plot.find('>') + 1;
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" font-size=\"12\" ";
  out += plot.substr(kBegin.size(), end - kBegin.size());
  out +=
      "\n<style>.grid{stroke:#d8dade}.axis{stroke:#000}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>";
  out += plot.substr(end);
  return out;
}

std::string bar_plot(const PlotText& text, const std::vector<std::string>& categories,
                     const std::vector<BarSeries>& series) {
  Range y;
  std::vector<std::string> names;
  y.add(0);
  for (const BarSeries& each : series) {
    RESEDA_INVARIANT(each.values.size() == categories.size());
    y.add(each.values);
    y.add(each.low);
    y.add(each.high);
    names.push_back(each.name);
  }
  const bool negative = y.low < 0;
  y.widen(0.05);
  if (!negative) y.low = 0;
  const Legend legend(names);
  Canvas canvas(text, {0, static_cast<double>(std::max<std::size_t>(categories.size(), 1))}, y, legend.height);
  canvas.y_axis();
  const double bar = 0.8 / static_cast<double>(std::max<std::size_t>(series.size(), 1));
  for (std::size_t c = 0; c < categories.size(); ++c) {
    const double start = static_cast<double>(c) + 0.1;
    canvas.label(canvas.px(start + 0.4), kHeight - kBottom + 18, "middle", categories[c]);
    for (std::size_t s = 0; s < series.size(); ++s) {
      const double value = series[s].values[c], left = start + bar * static_cast<double>(s);
      if (!std::isfinite(value)) continue;
      const double top = canvas.py(std::max(value, 0.0)), bottom = canvas.py(std::min(value, 0.0));
      canvas.out() << "<rect fill=\"" << color_of(s) << "\" x=\"" << at(canvas.px(left)) << "\" y=\"" << at(top)
                   << "\" width=\"" << at((canvas.px(left + bar) - canvas.px(left)) * 0.94) << "\" height=\""
                   << at(bottom - top) << "\"/>\n";
      if (c < series[s].low.size() && c < series[s].high.size() && std::isfinite(series[s].low[c]) &&
          std::isfinite(series[s].high[c]))
        canvas.line(canvas.px(left + bar / 2), canvas.py(series[s].low[c]), canvas.px(left + bar / 2),
                    canvas.py(series[s].high[c]), "class=\"axis\"");
    }
  }
  canvas.line(kLeft, canvas.py(0), kWidth - kRight, canvas.py(0), "class=\"axis\"");
  canvas.legend(names, legend);
  return canvas.finish();
}

}  // namespace reseda::io
