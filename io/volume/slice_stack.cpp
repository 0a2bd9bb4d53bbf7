#include "io/volume/slice_stack.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <numeric>
#include <sstream>

namespace reseda::io {

const char* irregular_name(Irregular kind) {
  switch (kind) {
    case Irregular::kRepeated:
      return "repeated";
    case Irregular::kMissing:
      return "missing";
    case Irregular::kUneven:
      return "uneven";
    case Irregular::kTilt:
      return "tilt";
    case Irregular::kUnpositioned:
      break;
  }
  return "unpositioned";
}

namespace detail {
namespace {

constexpr double kSamePlaceMm = 0.01, kStepTolerance = 0.005, kShiftPixels = 0.05;

Vector3 plus(const Vector3& a, const Vector3& b, double factor) {
  return {a[0] + factor * b[0], a[1] + factor * b[1], a[2] + factor * b[2]};
}

double length(const Vector3& a) { return std::sqrt(dot(a, a)); }

template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  out << std::setprecision(4);
  (out << ... << parts);
  return out.str();
}

/// Steps between neighbours that are none, several or not quite the usual one.
void check_steps(const std::vector<double>& depths, std::vector<StackProblem>& problems) {
  std::vector<double> steps;
  for (std::size_t k = 1; k < depths.size(); ++k) steps.push_back(depths[k] - depths[k - 1]);
  std::vector<double> real;
  std::copy_if(steps.begin(), steps.end(), std::back_inserter(real), [](double step) { return step >= kSamePlaceMm; });
  const std::size_t repeated = steps.size() - real.size();
  if (repeated > 0)
    problems.push_back(
        {Irregular::kRepeated, text(repeated, repeated == 1 ? " slice lies" : " slices lie", " where another one is")});
  if (real.empty()) return;
  std::nth_element(real.begin(), real.begin() + static_cast<std::ptrdiff_t>(real.size() / 2), real.end());
  const double usual = real[real.size() / 2], tolerance = std::max(kStepTolerance * usual, kSamePlaceMm);
  double missing = 0, least = usual, most = usual;
  for (const double step : steps) {
    const double multiple = std::round(step / usual);
    if (step < kSamePlaceMm || std::abs(step - usual) <= tolerance) continue;
    if (multiple >= 2 && std::abs(step - multiple * usual) <= multiple * tolerance) {
      missing += multiple - 1;
    } else {
      least = std::min(least, step);
      most = std::max(most, step);
    }
  }
  if (missing > 0)
    problems.push_back({Irregular::kMissing, text(missing, missing == 1 ? " slice is missing" : " slices are missing",
                                                  " between steps of ", usual, " mm")});
  if (least < usual || most > usual) {
    problems.push_back(
        {Irregular::kUneven, text("steps between slices are from ", least, " to ", most, " mm, mostly ", usual)});
  }
}

/// Shifts in the plane, and the slope that explains them: t_k ~ slope (d_k - mean).
Vector3 check_shifts(const std::vector<Vector3>& positions, const std::vector<double>& depths, const Vector3& normal,
                     const SlicePlane& plane, std::vector<StackProblem>& problems) {
  const double count = static_cast<double>(positions.size());
  Vector3 mean_shift{}, slope{};
  std::vector<Vector3> shifts;
  const double mean = std::accumulate(depths.begin(), depths.end(), 0.0) / count;
  double spread = 0;
  for (std::size_t k = 0; k < positions.size(); ++k) {
    shifts.push_back(plus(plus(positions[k], positions[0], -1), normal, depths[0] - depths[k]));
    mean_shift = plus(mean_shift, shifts[k], 1 / count);
    slope = plus(slope, shifts[k], depths[k] - mean);
    spread += (depths[k] - mean) * (depths[k] - mean);
  }
  slope = spread > 0 ? plus({}, slope, 1 / spread) : Vector3{};
  const double tolerance =
      std::max(kShiftPixels * std::min(plane.row_spacing_mm, plane.column_spacing_mm), kSamePlaceMm);
  const bool tilted = length(slope) * (depths.back() - depths.front()) > tolerance;
  if (!tilted) slope = {};
  if (tilted) {
    const double degrees = std::atan(length(slope)) * 180 / std::acos(-1.0);
    problems.push_back(
        {Irregular::kTilt, text("the stack is tilted by ", degrees, " degrees against its slices' normal")});
  }
  double wander = 0;
  for (std::size_t k = 0; k < positions.size(); ++k)
    wander = std::max(wander, length(plus(plus(shifts[k], mean_shift, -1), slope, mean - depths[k])));
  if (wander > tolerance)
    problems.push_back({Irregular::kUneven, text("slices are shifted in their plane by up to ", wander, " mm")});
  return slope;
}

}  // namespace

double dot(const Vector3& a, const Vector3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

Vector3 cross(const Vector3& a, const Vector3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

SliceStack stack_slices(const std::vector<Vector3>& positions, const SlicePlane& plane, double thickness_mm) {
  const Vector3 normal = cross(plane.row, plane.column);
  SliceStack stack;
  stack.order.resize(positions.size());
  std::iota(stack.order.begin(), stack.order.end(), std::size_t{0});
  std::stable_sort(stack.order.begin(), stack.order.end(),
                   [&](std::size_t a, std::size_t b) { return dot(positions[a], normal) < dot(positions[b], normal); });
  std::vector<Vector3> sorted;
  std::vector<double> depths;
  for (const std::size_t k : stack.order) {
    sorted.push_back(positions[k]);
    depths.push_back(dot(positions[k], normal));
  }
  Vector3 third = normal;
  double step = thickness_mm;
  if (sorted.size() > 1) {
    check_steps(depths, stack.problems);
    const Vector3 slope = check_shifts(sorted, depths, normal, plane, stack.problems);
    third = plus(normal, slope, 1);
    step = length(third) * (depths.back() - depths.front()) / static_cast<double>(sorted.size() - 1);
    third = plus({}, third, 1 / length(third));
  }
  stack.geometry.origin_mm = sorted.front();
  stack.geometry.spacing_mm = {plane.column_spacing_mm, plane.row_spacing_mm, step};
  for (std::size_t axis = 0; axis < 3; ++axis)
    stack.geometry.direction[axis] = {plane.row[axis], plane.column[axis], third[axis]};
  return stack;
}

}  // namespace detail
}  // namespace reseda::io
