#include "pipelines/speech/evaluation/svg_text.hpp"

#include <algorithm>
#include <cmath>

#include "io/record/svg_plot.hpp"

namespace reseda::speech {

std::string svg_open(double width, double height, const std::string& title) {
  return "<svg class=\"plot\" viewBox=\"0 0 " + fixed_text(width, 0) + " " + fixed_text(height, 0) +
         "\" role=\"img\" style=\"margin:.3rem 0\"><title>" + io::escape_html(title) + "</title>";
}

std::string svg_line(double x1, double y1, double x2, double y2, Stroke stroke) {
  const char* style = stroke == Stroke::kAxis     ? "class=\"axis\""
                      : stroke == Stroke::kDashed ? "class=\"axis\" stroke-dasharray=\"3 3\""
                                                  : "stroke=\"#D55E00\" stroke-width=\"1.6\"";
  return "<line " + std::string(style) + " x1=\"" + fixed_text(x1, 1) + "\" y1=\"" + fixed_text(y1, 1) + "\" x2=\"" +
         fixed_text(x2, 1) + "\" y2=\"" + fixed_text(y2, 1) + "\"/>";
}

std::string svg_label(double x, double y, const std::string& text, Anchor anchor, Turn turn) {
  const char* side = anchor == Anchor::kStart ? "start" : anchor == Anchor::kMiddle ? "middle" : "end";
  const std::string place =
      turn == Turn::kUp ? "transform=\"translate(" + fixed_text(x, 1) + "," + fixed_text(y, 1) + ") rotate(-90)\""
                        : "x=\"" + fixed_text(x, 1) + "\" y=\"" + fixed_text(y, 1) + "\"";
  return "<text font-size=\"10\" text-anchor=\"" + std::string(side) + "\" " + place + ">" + io::escape_html(text) +
         "</text>";
}

std::string svg_title(double x, const std::string& text) {
  return "<text font-size=\"11\" font-weight=\"600\" x=\"" + fixed_text(x, 1) + "\" y=\"13\">" + io::escape_html(text) +
         "</text>";
}

std::string tick_text(double value, double step) {
  return fixed_text(value, std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 8));
}

}  // namespace reseda::speech
