#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "modules/inverse/operators/image_shape.hpp"

namespace reseda::inverse {

struct RayConfig {
  std::string beam = "parallel";
  std::int64_t views = 30;
  double first_angle = 0.0;
  double angle_range = 0.0;
  std::vector<double> angles;
  double pixel = 1.0;
  std::int64_t detectors = 0;
  double detector_spacing = 0.0;
  double source_distance = 0.0;
  double detector_distance = 0.0;
  std::string centre = "middle";
  bool circle = false;
  template <class V>
  void fields(V& v) {
    v("beam", beam, "parallel, fan_flat (even spacing on a straight detector) or fan_arc (even angles)");
    v("views", views, "number of views, evenly over the range; fewer is sparse-view tomography");
    v("first_angle", first_angle, "of the first view, degrees");
    v("angle_range", angle_range,
      "degrees that the views cover, the end left out; 0: 180, or 360 for a fan. Less is "
      "limited-angle tomography");
    v("angles", angles, "the views' angles in degrees, in place of the three before");
    v("pixel", pixel, "side of a pixel, mm; the unit of the sinogram");
    v("detectors", detectors, "detector elements; 0: the image's diagonal in pixels, rounded up");
    v("detector_spacing", detector_spacing,
      "distance between elements, mm, or degrees for fan_arc; 0: a pixel, or what sees the whole image in a fan");
    v("source_distance", source_distance, "from source to axis, mm; 0: twice the image's diagonal");
    v("detector_distance", detector_distance, "from axis to detector, mm; 0: as far as the source");
    v("centre", centre, "of rotation: middle of the image, or official, up to half a pixel beside it");
    v("circle", circle, "only the circle inside a square image is measured, by as many elements as it has pixels");
  }
  void validate(const ImageShape& shape) const;
};

/// Straight lines through an image, by view and detector element. Pixel (i, j) lies at x = j - c_x, y = i - c_y
/// around the centre of rotation c; a ray of direction angle theta and offset s holds the points
///   x = s cos(theta) + tau sin(theta),  y = -s sin(theta) + tau cos(theta)
/// A parallel beam has theta the view's angle and s the element's place; in a fan the element at angle gamma from the
/// central ray has theta = view + gamma and s = R sin(gamma), R the distance of the source. Lengths in pixels.
class RayGeometry {
 public:
  /// @throws Error{kUsage} naming the key that breaks a rule
  RayGeometry(const RayConfig& config, const ImageShape& shape);

  std::int64_t views() const { return static_cast<std::int64_t>(angles_.size()); }
  std::int64_t detectors() const { return detectors_; }
  /// Points on each ray that reach over the whole image, one pixel apart around the nearest one.
  std::int64_t samples() const { return samples_; }
  const ImageShape& shape() const { return shape_; }
  double pixel() const { return config_.pixel; }
  /// The angle by which back-projection weighs a view: half a turn, or what the views cover of it, over their number;
  /// radians. In a fan, which sees every line twice in a turn, half of that turn over the number.
  double view_weight() const { return view_weight_; }
  /// Angle between an element's ray and the central one, [D] radians float64; 0 in a parallel beam.
  at::Tensor fan_angles() const;
  /// Distance of neighbouring rays on the axis of rotation, mm, and for an arc their angle, radians; else 0.
  double ray_distance() const;
  double arc_step() const { return config_.beam == "fan_arc" ? spacing_ : 0.0; }

  /// The ray of each view and element: its point nearest to the centre of rotation, in pixels (x, y) from the middle of
  /// the first one, and its direction of length 1; [V,D,4] float64.
  at::Tensor lines() const;

  /// Where the ray through each pixel's centre meets the detector, in elements from 0, and by how much the pixel is
  /// nearer to the source than the axis, squared: along the central ray, for an arc along the pixel's own; 1 in a
  /// parallel beam. [H,W] float64.
  struct Shadow {
    at::Tensor element, weight;
  };
  Shadow shadow(std::int64_t view) const;
  /// Pixels inside the circle, [H,W] bool; undefined unless the config asks for it.
  at::Tensor circle() const;

 private:
  void place_views();
  void place_detector();
  double diagonal() const;
  bool is_fan() const { return config_.beam != "parallel"; }
  at::Tensor places() const;   ///< [D] of the elements in units of spacing_, 0 in the middle
  at::Tensor pixel_x() const;  ///< [1,W] around the centre of rotation
  at::Tensor pixel_y() const;  ///< [H,1]

  RayConfig config_;
  ImageShape shape_;
  std::vector<double> angles_;  ///< radians
  std::int64_t detectors_ = 0, samples_ = 0;
  double centre_x_ = 0, centre_y_ = 0;
  double source_ = 0;   ///< distance from the axis, pixels
  double spacing_ = 1;  ///< of the elements: pixels, scaled to the axis; radians for an arc
  double view_weight_ = 0;
};

}  // namespace reseda::inverse
