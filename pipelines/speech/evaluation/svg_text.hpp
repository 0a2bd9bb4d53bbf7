#pragma once

#include <string>

#include "pipelines/common/score_text.hpp"

namespace reseda::speech {

using app::fixed_text;

/// Opening tag of a figure that scales with its container; `title` is shown on hovering and read aloud.
std::string svg_open(double width, double height, const std::string& title);

enum class Stroke { kAxis, kDashed, kMean };
std::string svg_line(double x1, double y1, double x2, double y2, Stroke stroke = Stroke::kAxis);

enum class Anchor { kStart, kMiddle, kEnd };
enum class Turn { kNone, kUp };  ///< kUp: reads from bottom to top
std::string svg_label(double x, double y, const std::string& text, Anchor anchor, Turn turn = Turn::kNone);
/// The bold line above a figure.
std::string svg_title(double x, const std::string& text);

/// The label of a tick, with as many decimals as steps of this size need.
std::string tick_text(double value, double step);

}  // namespace reseda::speech
