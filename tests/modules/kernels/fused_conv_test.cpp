#include "modules/kernels/cpu/fused_conv.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>

#include "tests/support/expect_error.hpp"

namespace reseda::kernels {
namespace {

struct Shape {
  std::int64_t count, height, width, in, out, kernel, stride;
};

// Winograd's tiles with whole and cut blocks, sizes that are no multiple of a tile, strides, 1x1, few channels.
const Shape kShapes[] = {{3, 8, 12, 16, 16, 3, 1}, {1, 4, 4, 8, 32, 3, 1},  {2, 7, 6, 16, 16, 3, 1},
                         {2, 8, 6, 3, 16, 3, 1},   {2, 7, 8, 16, 32, 3, 2}, {3, 5, 8, 16, 32, 1, 2},
                         {5, 8, 8, 64, 64, 3, 1}};

std::vector<float> floats(const at::Tensor& tensor) {
  return {tensor.data_ptr<float>(), tensor.data_ptr<float>() + tensor.numel()};
}

BorderedMaps maps_of(const at::Tensor& x) {
  BorderedMaps maps(x.size(0), x.size(2), x.size(3), x.size(1));
  const auto values = x.accessor<float, 4>();
  for (std::int64_t n = 0; n < x.size(0); ++n)
    for (std::int64_t c = 0; c < x.size(1); ++c)
      for (std::int64_t row = 0; row < x.size(2); ++row)
        for (std::int64_t column = 0; column < x.size(3); ++column)
          maps.pixel(n, row, column)[c] = values[n][c][row][column];
  return maps;
}

at::Tensor tensor_of(const BorderedMaps& maps) {
  at::Tensor x = at::empty({maps.count, maps.channels, maps.height, maps.width});
  auto values = x.accessor<float, 4>();
  for (std::int64_t n = 0; n < maps.count; ++n)
    for (std::int64_t c = 0; c < maps.channels; ++c)
      for (std::int64_t row = 0; row < maps.height; ++row)
        for (std::int64_t column = 0; column < maps.width; ++column)
          values[n][c][row][column] = maps.pixel(n, row, column)[c];
  return x;
}

struct Example {
  explicit Example(const Shape& s)
      : shape(s),
        weight(at::randn({s.out, s.in, s.kernel, s.kernel}) / std::sqrt(static_cast<double>(s.in))),
        bias(at::randn({s.out})),
        x(at::randn({s.count, s.in, s.height, s.width})),
        conv({floats(weight), floats(bias), s.in, s.out, s.kernel, s.stride}) {}

  /// The same in double.
  at::Tensor expected() const {
    return at::conv2d(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble), shape.stride, shape.kernel / 2);
  }
  at::Tensor run(const at::Tensor& images, bool relu, const std::optional<at::Tensor>& add = {}) const {
    const at::Tensor like = expected();
    BorderedMaps y = add ? maps_of(*add) : BorderedMaps(images.size(0), like.size(2), like.size(3), shape.out);
    ConvScratch scratch;
    conv.run(maps_of(images), y, {.add = add ? &y : nullptr, .relu = relu}, scratch);
    return tensor_of(y);
  }

  Shape shape;
  at::Tensor weight, bias, x;
  FusedConv conv;
};

double difference(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

class FusedConvTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!FusedConv::supported()) GTEST_SKIP() << "this machine has no AVX2";
    at::manual_seed(3);
  }
};

TEST_F(FusedConvTest, IsAConvolutionWithWhatFollows) {
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(testing::Message() << shape.height << " x " << shape.width << ", " << shape.in << " to " << shape.out
                                    << ", kernel " << shape.kernel << ", stride " << shape.stride);
    const Example example(shape);
    const at::Tensor sum = example.expected();
    EXPECT_LT(difference(example.run(example.x, false), sum), 1e-4);
    EXPECT_LT(difference(example.run(example.x, true), sum.relu()), 1e-4);
    const at::Tensor add = at::randn(sum.sizes());
    EXPECT_LT(difference(example.run(example.x, true, add), (sum + add).relu()), 1e-4);
  }
}

TEST_F(FusedConvTest, DoesNotDependOnTheOtherImages) {
  for (const Shape& shape : kShapes) {
    const Example example(shape);
    const at::Tensor together = example.run(example.x, true);
    for (std::int64_t n = 0; n < shape.count; ++n)
      EXPECT_TRUE(at::equal(example.run(example.x.slice(0, n, n + 1).contiguous(), true), together.slice(0, n, n + 1)));
  }
}

TEST_F(FusedConvTest, KeepsTheBorderAndWhatIsNotFinite) {
  const Example example(kShapes[0]);
  BorderedMaps y(3, 8, 12, 16);
  ConvScratch scratch;
  at::Tensor x = example.x.clone();
  x[1][2][3][4] = std::numeric_limits<float>::quiet_NaN();
  example.conv.run(maps_of(x), y, {.relu = true}, scratch);
  for (std::int64_t column = -1; column <= 12; ++column) EXPECT_EQ(*y.pixel(2, -1, column), 0);
  for (std::int64_t row = -1; row <= 8; ++row) EXPECT_EQ(*y.pixel(2, row, 12), 0);
  EXPECT_TRUE(std::isnan(*y.pixel(1, 3, 4)));
  EXPECT_TRUE(std::isfinite(*y.pixel(0, 3, 4)) && std::isfinite(*y.pixel(2, 3, 4)));
}

TEST_F(FusedConvTest, RefusesWhatDoesNotFit) {
  const Example example(kShapes[0]);
  ConvScratch scratch;
  BorderedMaps x(3, 8, 12, 16), small(3, 8, 8, 16);
  tests::expect_error(Errc::kInternal, "", [&] { example.conv.run(x, small, {}, scratch); });
  tests::expect_error(Errc::kInternal, "", [&] { example.conv.run(x, x, {}, scratch); });
  tests::expect_error(Errc::kInternal, "", [] { FusedConv({std::vector<float>(81), std::vector<float>(3), 3, 3}); });
}

}  // namespace
}  // namespace reseda::kernels
