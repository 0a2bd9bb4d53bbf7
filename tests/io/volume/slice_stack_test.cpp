#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "io/volume/slice_stack.hpp"

namespace reseda::io {
namespace {

using detail::SlicePlane;
using detail::SliceStack;
using detail::stack_slices;

std::vector<Vector3> axial(const std::vector<double>& z) {
  std::vector<Vector3> positions;
  for (const double depth : z) positions.push_back({-5, 6, depth});
  return positions;
}

std::set<Irregular> kinds(const SliceStack& stack) {
  std::set<Irregular> kinds;
  for (const StackProblem& problem : stack.problems) kinds.insert(problem.kind);
  return kinds;
}

const SlicePlane kAxial{{1, 0, 0}, {0, 1, 0}, 2, 0.5};

TEST(SliceStack, SortsAlongTheNormal) {
  const SliceStack stack = stack_slices(axial({4, -2, 1}), kAxial, 9);
  EXPECT_EQ(stack.order, (std::vector<std::size_t>{1, 2, 0}));
  EXPECT_TRUE(stack.problems.empty());
  EXPECT_EQ(stack.geometry.origin_mm, (Vector3{-5, 6, -2}));
  EXPECT_EQ(stack.geometry.spacing_mm, (Vector3{0.5, 2, 3}));
  // The normal of a plane whose columns run to the front points to the feet: the order turns.
  const SliceStack turned = stack_slices(axial({4, -2, 1}), {{1, 0, 0}, {0, -1, 0}, 1, 1}, 9);
  EXPECT_EQ(turned.order, (std::vector<std::size_t>{0, 2, 1}));
  EXPECT_EQ(turned.geometry.direction[2][2], -1);
  EXPECT_EQ(turned.geometry.spacing_mm[2], 3);
}

TEST(SliceStack, ObliqueDirections) {
  // Rows run to the back, columns to the head: the normal points to the left.
  const SliceStack stack = stack_slices({{3, 0, 0}, {1, 0, 0}}, {{0, 1, 0}, {0, 0, 1}, 1, 1}, 1);
  const std::array<Vector3, 3> direction = {{{0, 0, 1}, {1, 0, 0}, {0, 1, 0}}};
  EXPECT_EQ(stack.geometry.direction, direction);
  EXPECT_EQ(stack.geometry.spacing_mm[2], 2);
  EXPECT_EQ(stack.geometry.origin_mm, (Vector3{1, 0, 0}));
}

TEST(SliceStack, ASingleSliceHasItsThickness) {
  EXPECT_EQ(stack_slices(axial({7}), kAxial, 2.5).geometry.spacing_mm[2], 2.5);
}

TEST(SliceStack, NamesWhatIsIrregular) {
  EXPECT_EQ(kinds(stack_slices(axial({0, 1, 2, 4, 5}), kAxial, 1)), std::set{Irregular::kMissing});
  EXPECT_EQ(kinds(stack_slices(axial({0, 1, 2, 2, 3}), kAxial, 1)), std::set{Irregular::kRepeated});
  EXPECT_EQ(kinds(stack_slices(axial({0, 1, 2, 3.4, 4.4}), kAxial, 1)), std::set{Irregular::kUneven});
  const SliceStack both = stack_slices(axial({0, 1, 2, 2, 4, 5, 6.3}), kAxial, 1);
  EXPECT_EQ(kinds(both), (std::set{Irregular::kRepeated, Irregular::kMissing, Irregular::kUneven}));
  const SliceStack missing = stack_slices(axial({0, 2, 4, 10}), kAxial, 1);
  ASSERT_EQ(missing.problems.size(), 1u);
  EXPECT_EQ(missing.problems[0].what, "2 slices are missing between steps of 2 mm");
}

TEST(SliceStack, ToleratesRounding) {
  EXPECT_TRUE(stack_slices(axial({0, 3.004, 6, 9.001}), kAxial, 1).problems.empty());
  EXPECT_FALSE(stack_slices(axial({0, 3.02, 6, 9}), kAxial, 1).problems.empty());
}

TEST(SliceStack, TiltIsTheSlopeOfTheStack) {
  std::vector<Vector3> positions;
  for (int k = 0; k < 5; ++k) positions.push_back({0, 0.75 * k, 1.0 * k});
  const SliceStack stack = stack_slices(positions, kAxial, 1);
  ASSERT_EQ(kinds(stack), std::set{Irregular::kTilt});
  EXPECT_EQ(stack.problems[0].what, "the stack is tilted by 36.87 degrees against its slices' normal");
  EXPECT_NEAR(stack.geometry.spacing_mm[2], 1.25, 1e-12);
  EXPECT_NEAR(stack.geometry.direction[1][2], 0.6, 1e-12);
  EXPECT_NEAR(stack.geometry.direction[2][2], 0.8, 1e-12);
  positions[2][0] += 1;
  EXPECT_EQ(kinds(stack_slices(positions, kAxial, 1)), (std::set{Irregular::kTilt, Irregular::kUneven}));
}

TEST(SliceStack, ShiftsInThePlaneAreUneven) {
  auto positions = axial({0, 1, 2, 3, 4, 5});
  positions[2][0] += 0.1;  // 0.2 pixels
  EXPECT_EQ(kinds(stack_slices(positions, kAxial, 1)), std::set{Irregular::kUneven});
  positions[2][0] -= 0.09;
  EXPECT_TRUE(stack_slices(positions, kAxial, 1).problems.empty());
}

}  // namespace
}  // namespace reseda::io
