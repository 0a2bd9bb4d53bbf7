#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace reseda::io {

/// One curve: points (x, y), in order; a point that is not finite breaks the line. `low` and `high`, where given, are
/// a band around it.
struct Curve {
  std::string name;
  std::vector<double> x, y, low = {}, high = {};
};

/// One colour of bars: a value per category.
struct BarSeries {
  std::string name;
  std::vector<double> values, low = {}, high = {};  ///< low, high: ends of an error bar
};

struct PlotText {
  std::string title, x_label, y_label;
};

/// A plot as an inline <svg> element: axes with round tick values, a legend where there are two curves or more, colours
/// that colour-blind people tell apart (Okabe and Ito 2008), text in the page's colour. Deterministic.
std::string line_plot(const PlotText& text, const std::vector<Curve>& curves);
std::string bar_plot(const PlotText& text, const std::vector<std::string>& categories,
                     const std::vector<BarSeries>& series);

/// A plot as an SVG file of its own, on white.
std::string svg_file(std::string_view plot);

/// Text fit for HTML and SVG content and quoted attributes; control characters and bytes that are not UTF-8 are
/// replaced.
std::string escape_html(std::string_view text);

/// At most `count` round values (1, 2 or 5 times a power of ten) that cover [low, high] from inside.
std::vector<double> round_ticks(double low, double high, int count);

}  // namespace reseda::io
