#include "modules/inverse/operators/ray_geometry.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::inverse {
namespace {

constexpr double kDegree = std::numbers::pi / 180;
constexpr std::int64_t kMost = 100000;

void require_length(const char* key, double value, bool may_be_zero) {
  RESEDA_REQUIRE(std::isfinite(value) && (value > 0 || (may_be_zero && value == 0)), Errc::kUsage, key, " must be ",
                 may_be_zero ? ">= 0" : "> 0", ", got ", value);
}

/// Numbers from -(count - 1) / 2 in steps of 1.
at::Tensor around_zero(std::int64_t count) {
  return at::arange(count, at::kDouble) - static_cast<double>(count - 1) / 2;
}

/// Official code pads the square image to the diagonal's length and turns that about its own middle.
double official_centre(std::int64_t side, std::int64_t padded) {
  const std::int64_t before = (side + (padded - side)) / 2 - side / 2;
  return static_cast<double>(padded - 1) / 2 - static_cast<double>(before);
}

}  // namespace

void RayConfig::validate(const ImageShape& shape) const {
  diffusion::require_choice("operator.beam", beam, {"parallel", "fan_flat", "fan_arc"});
  diffusion::require_choice("operator.centre", centre, {"middle", "official"});
  RESEDA_REQUIRE(views >= 1 && views <= kMost && static_cast<std::int64_t>(angles.size()) <= kMost, Errc::kUsage,
                 "operator.views must be in 1 .. ", kMost, ", got ", views);
  RESEDA_REQUIRE(std::isfinite(first_angle), Errc::kUsage, "operator.first_angle must be finite, got ", first_angle);
  RESEDA_REQUIRE(angle_range >= 0 && angle_range <= 360, Errc::kUsage, "operator.angle_range must be in [0, 360], got ",
                 angle_range);
  for (const double angle : angles)
    RESEDA_REQUIRE(std::isfinite(angle), Errc::kUsage, "operator.angles must be finite, got ", angle);
  RESEDA_REQUIRE(detectors >= 0 && detectors <= kMost, Errc::kUsage, "operator.detectors must be in 0 .. ", kMost,
                 ", got ", detectors);
  require_length("operator.pixel", pixel, false);
  require_length("operator.detector_spacing", detector_spacing, true);
  require_length("operator.source_distance", source_distance, true);
  require_length("operator.detector_distance", detector_distance, true);
  RESEDA_REQUIRE(!circle || (beam == "parallel" && shape.height == shape.width && detectors == 0), Errc::kUsage,
                 "operator.circle needs a parallel beam, a square image and the default number of detectors");
}

RayGeometry::RayGeometry(const RayConfig& config, const ImageShape& shape) : config_(config), shape_(shape) {
  config_.validate(shape);
  samples_ = config.circle ? shape.width : static_cast<std::int64_t>(std::ceil(diagonal()));
  centre_x_ = static_cast<double>(shape.width - 1) / 2;
  centre_y_ = static_cast<double>(shape.height - 1) / 2;
  if (config.centre == "official" && !config.circle) {
    centre_x_ = official_centre(shape.width, samples_);
    centre_y_ = official_centre(shape.height, samples_);
  }
  place_views();
  place_detector();
}

double RayGeometry::diagonal() const {
  return std::hypot(static_cast<double>(shape_.height), static_cast<double>(shape_.width));
}

void RayGeometry::place_views() {
  const double whole = is_fan() ? 360.0 : 180.0;
  double range = config_.angle_range == 0 ? whole : config_.angle_range;
  if (config_.angles.empty()) {
    for (std::int64_t view = 0; view < config_.views; ++view)
      angles_.push_back(kDegree *
                        (config_.first_angle + range * static_cast<double>(view) / static_cast<double>(config_.views)));
  } else {
    for (const double angle : config_.angles) angles_.push_back(kDegree * angle);
    const auto [least, most] = std::minmax_element(config_.angles.begin(), config_.angles.end());
    const double gaps = static_cast<double>(config_.angles.size() - 1);
    range = gaps > 0 ? (*most - *least) * (gaps + 1) / gaps : whole;
  }
  view_weight_ = kDegree * std::min(range, whole) / static_cast<double>(views()) * (is_fan() ? 0.5 : 1.0);
}

void RayGeometry::place_detector() {
  detectors_ = config_.detectors > 0 ? config_.detectors : samples_;
  const double spacing = config_.detector_spacing, pixel = config_.pixel;
  if (!is_fan()) {
    spacing_ = spacing > 0 ? spacing / pixel : 1.0;
    return;
  }
  source_ = config_.source_distance > 0 ? config_.source_distance / pixel : 2 * diagonal();
  RESEDA_REQUIRE(source_ > diagonal() / 2, Errc::kUsage, "operator.source_distance must be outside the image, > ",
                 pixel * diagonal() / 2, ", got ", pixel * source_);
  const double far = config_.detector_distance > 0 ? config_.detector_distance / pixel : source_;
  const double widest = std::asin(diagonal() / 2 / source_), count = static_cast<double>(detectors_);
  if (config_.beam == "fan_arc")
    spacing_ = spacing > 0 ? kDegree * spacing : 2 * widest / count;
  else
    spacing_ = spacing > 0 ? spacing / pixel * source_ / (source_ + far) : 2 * source_ * std::tan(widest) / count;
  RESEDA_REQUIRE(config_.beam != "fan_arc" || spacing_ * count < std::numbers::pi, Errc::kUsage,
                 "operator.detector_spacing: the fan must be narrower than 180 degrees");
}

at::Tensor RayGeometry::places() const { return around_zero(detectors_); }
at::Tensor RayGeometry::pixel_x() const { return (at::arange(shape_.width, at::kDouble) - centre_x_).unsqueeze(0); }
at::Tensor RayGeometry::pixel_y() const { return (at::arange(shape_.height, at::kDouble) - centre_y_).unsqueeze(1); }

at::Tensor RayGeometry::fan_angles() const {
  if (!is_fan()) return at::zeros({detectors_}, at::kDouble);
  return config_.beam == "fan_arc" ? places() * spacing_ : (places() * (spacing_ / source_)).atan();
}

double RayGeometry::ray_distance() const {
  return config_.pixel * spacing_ * (config_.beam == "fan_arc" ? source_ : 1.0);
}

at::Tensor RayGeometry::lines() const {
  const at::Tensor fan = fan_angles(), angle = at::tensor(angles_, at::kDouble).unsqueeze(1) + fan;
  const at::Tensor offset = is_fan() ? source_ * fan.sin() : places() * spacing_;
  const at::Tensor sine = angle.sin(), cosine = angle.cos();
  return at::stack({offset * cosine + centre_x_, centre_y_ - offset * sine, sine, cosine}, 2);
}

RayGeometry::Shadow RayGeometry::shadow(std::int64_t view) const {
  const double sine = std::sin(angles_[view]), cosine = std::cos(angles_[view]);
  const double middle = static_cast<double>(detectors_ - 1) / 2;
  const at::Tensor across = pixel_x() * cosine - pixel_y() * sine;
  if (!is_fan()) return {across / spacing_ + middle, at::ones_like(across)};
  const at::Tensor along = pixel_x() * sine + pixel_y() * cosine + source_;
  if (config_.beam == "fan_arc")
    return {at::atan2(across, along) / spacing_ + middle, source_ * source_ / (across.square() + along.square())};
  return {source_ * across / along / spacing_ + middle, (source_ / along).square()};
}

at::Tensor RayGeometry::circle() const {
  if (!config_.circle) return {};
  const double radius = static_cast<double>(shape_.width - 1) / 2;
  // The rim belongs to the circle whatever rounding makes of it.
  return pixel_x().square() + pixel_y().square() <= radius * radius * (1 + 1e-9);
}

}  // namespace reseda::inverse
