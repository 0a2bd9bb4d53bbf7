// Measurement operators against values worked out by hand, and what they refuse.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/inverse/operators/bicubic.hpp"
#include "modules/inverse/operators/circular_blur.hpp"
#include "modules/inverse/operators/colourise.hpp"
#include "modules/inverse/operators/compressed_sensing.hpp"
#include "modules/inverse/operators/hdr.hpp"
#include "modules/inverse/operators/inpaint.hpp"
#include "modules/inverse/operators/jpeg.hpp"
#include "modules/inverse/operators/phase_retrieval.hpp"
#include "modules/inverse/operators/quantise.hpp"
#include "modules/inverse/operators/super_resolution.hpp"
#include "modules/inverse/operators/walsh.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

using diffusion::component;
using tests::expect_error;
using Shape = std::vector<std::int64_t>;

at::Tensor row(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }
at::Tensor ramp(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t side : shape) count *= side;
  return at::arange(count, at::kDouble).reshape(shape);
}
void expect_close(const at::Tensor& actual, const at::Tensor& expected, double tolerance = 1e-12) {
  ASSERT_EQ(actual.sizes(), expected.sizes());
  EXPECT_LE((actual - expected).abs().max().item<double>(), tolerance) << actual << "\n" << expected;
}
std::unique_ptr<ForwardOperator> make(const ConfigNode& node, const Shape& image) { return make_operator(node, image); }

TEST(SuperResolution, AveragesBlocks) {
  const SuperResolution op({.image = {1, 2, 4}, .factor = 2});
  expect_close(op.apply(ramp({1, 1, 2, 4})), row({2.5, 4.5}).reshape({1, 1, 1, 2}));
  const at::Tensor y = row({8, -4}).reshape({1, 1, 1, 2});
  expect_close(op.pseudo_inverse(y), row({8, 8, -4, -4, 8, 8, -4, -4}).reshape({1, 1, 2, 4}));
  expect_close(op.adjoint(y), op.pseudo_inverse(y) / 4);
  expect_close(op.spectral()->singulars(), row({0.5, 0.5}));
  // The first coefficients are the means times the factor.
  expect_close(op.spectral()->vt(ramp({1, 1, 2, 4})).slice(1, 0, 2), row({5, 9}).reshape({1, 2}));
}

TEST(SuperResolution, TakesABasis) {
  const double h = 0.5;
  const at::Tensor basis = -row({h, h, h, h, h, -h, h, -h, h, h, -h, -h, h, -h, -h, h}).reshape({4, 4});
  const SuperResolution op({.image = {1, 2, 2}, .factor = 2}, basis);
  const at::Tensor x = ramp({1, 1, 2, 2});
  expect_close(op.spectral()->vt(x), row({-3, 1, 2, 0}).reshape({1, 4}));
  expect_close(op.spectral()->u(0.5 * row({-3}).reshape({1, 1})), op.apply(x));
  expect_error(Errc::kUsage, "orthonormal", [&] {
    SuperResolution({.image = {1, 2, 2}, .factor = 2}, at::eye(4, at::kDouble));
  });
  expect_error(Errc::kUsage, "must be [4,4]", [&] {
    SuperResolution({.image = {1, 2, 2}, .factor = 2}, at::eye(3, at::kDouble));
  });
}

TEST(SuperResolution, RefusesFactors) {
  for (const std::int64_t factor : {0, -2, 3})
    expect_error(Errc::kUsage, "operator.factor", [&] { SuperResolution({.image = {1, 4, 4}, .factor = factor}); });
}

TEST(Colourise, WeighsTheChannels) {
  const Colourise op({.image = {3, 1, 2}, .weights = {1, 2, -2}});
  const at::Tensor y = op.apply(row({1, 2, 3, 4, 5, 6}).reshape({1, 3, 1, 2}));
  expect_close(y, row({-3, -2}).reshape({1, 1, 1, 2}));
  expect_close(op.adjoint(y), row({-3, -2, -6, -4, 6, 4}).reshape({1, 3, 1, 2}));
  expect_close(op.pseudo_inverse(y), op.adjoint(y) / 9);
  expect_close(op.spectral()->singulars(), row({3, 3}));
  for (const std::vector<double>& weights : {std::vector<double>{1, 2}, {0, 0, 0}, {1, 2, NAN}})
    expect_error(Errc::kUsage, "operator.weights", [&] { Colourise({.image = {3, 4, 4}, .weights = weights}); });
}

TEST(Inpaint, KeepsOrPacksWhatIsMeasured) {
  const at::Tensor mask = row({1, 0, 0, 1, 1, 0}).reshape({1, 2, 3}), x = ramp({1, 1, 2, 3}) + 1;
  const Inpaint full({1, 2, 3}, mask, false), packed({1, 2, 3}, mask, true);
  expect_close(full.apply(x), row({1, 0, 0, 4, 5, 0}).reshape({1, 1, 2, 3}));
  expect_close(packed.apply(x), row({1, 4, 5}).reshape({1, 3}));
  expect_close(packed.adjoint(packed.apply(x)), full.apply(x));
  expect_close(packed.spectral()->vt(x), row({1, 4, 5, 2, 3, 6}).reshape({1, 6}));
  expect_close(full.spectral()->singulars(), mask.flatten());
}

TEST(Inpaint, GivesEachItemItsMask) {
  const at::Tensor masks = row({1, 0, 1, 0, 1, 1}).reshape({2, 1, 1, 3}), x = ramp({2, 1, 1, 3}) + 1;
  const Inpaint full({1, 1, 3}, masks, false), packed({1, 1, 3}, masks, true);
  expect_close(full.apply(x), row({1, 0, 3, 0, 5, 6}).reshape({2, 1, 1, 3}));
  expect_close(packed.apply(x), row({1, 3, 5, 6}).reshape({2, 2}));
  EXPECT_EQ(full.spectral(), nullptr);
  expect_error(Errc::kUsage, "2 masks", [&] { full.apply(x.slice(0, 0, 1)); });
}

TEST(Inpaint, RefusesMasks) {
  const auto refuse = [](const std::string& text, const at::Tensor& mask, bool packed) {
    expect_error(Errc::kUsage, text, [&] { Inpaint({2, 2, 3}, mask, packed); });
  };
  refuse("the mask must be", at::ones({2, 3}), false);
  refuse("the mask must be", at::ones({1, 3, 2}), false);
  refuse("the mask must be", at::ones({0, 2, 2, 3}), false);
  refuse("zeros and ones", at::full({2, 2, 3}, 0.5), false);
  refuse("zeros and ones", at::full({2, 2, 3}, NAN), false);
  refuse("leave a value", at::zeros({2, 2, 3}), false);
  refuse("same number", at::stack({at::ones({2, 2, 3}), at::eye(3).slice(0, 0, 2).expand({2, 2, 3})}), true);
}

TEST(Bicubic, HasTheTapsOfTheKernel) {
  const at::Tensor matrix = downscaling_matrix(64, 4, "cubic");
  const at::Tensor half =
      row({-0.00170898, -0.01098633, -0.01831055, -0.01196289, 0.02270508, 0.09741211, 0.18188477, 0.2409668});
  // Row 8 is centred between pixels 33 and 34 - 1/2; its 16 taps are symmetric.
  expect_close(matrix[8].slice(0, 26, 34), half, 1e-8);
  expect_close(matrix[8].slice(0, 34, 42), half.flip(0), 1e-8);
  EXPECT_EQ(matrix[8].count_nonzero().item<std::int64_t>(), 16);
  expect_close(matrix.sum(1), at::ones({16}, at::kDouble));
  // The edge is mirrored with its first pixel repeated: taps at -1 and 0 fall together.
  EXPECT_NEAR(matrix[0][0].item<double>(), 0.18188477 + 0.09741211, 1e-8);
}

TEST(Bicubic, OddFactorsAreCentred) {
  const at::Tensor matrix = downscaling_matrix(9, 3, "linear");
  expect_close(matrix[1], row({0, 0, 1, 2, 3, 2, 1, 0, 0}) / 9);
  expect_error(Errc::kUsage, "operator.factor", [] { Bicubic({.image = {1, 8, 9}, .factor = 2}); });
  expect_error(Errc::kUsage, "operator.kernel", [] { make(component("bicubic", {{"kernel", "sinc"}}), {1, 8, 8}); });
  expect_error(Errc::kUsage, "operator.singular_cut", [] {
    make(component("bicubic", {{"singular_cut", "-1"}}), {1, 8, 8});
  });
  expect_error(Errc::kUsage, "leaves nothing", [] {
    make(component("bicubic", {{"singular_cut", "0.9"}}), {1, 8, 8});
  });
}

TEST(Walsh, RowsAreInSequencyOrder) {
  const at::Tensor matrix = walsh_transform(at::eye(8, at::kDouble));
  expect_close(matrix.matmul(matrix), at::eye(8, at::kDouble));
  expect_close(matrix, matrix.t());
  for (std::int64_t k = 0; k < 8; ++k) {
    const at::Tensor signs = matrix[k].sign();
    EXPECT_EQ((signs.slice(0, 1) - signs.slice(0, 0, 7)).count_nonzero().item<std::int64_t>(), k);
    EXPECT_GT(matrix[k][0].item<double>(), 0);
  }
}

TEST(CompressedSensing, MeasuresTheMean) {
  for (const char* rows : {"random", "low"}) {
    const CompressedSensing op({.image = {2, 4, 8}, .ratio = 0.25, .rows = rows});
    const at::Tensor y = op.apply(at::full({1, 2, 4, 8}, 3.0, at::kDouble));
    EXPECT_EQ(y.sizes(), at::IntArrayRef({1, 2, 8}));
    // Orthonormal: the mean times the root of the number of pixels.
    expect_close(y.select(2, 0), at::full({1, 2}, 3.0 * std::sqrt(32.0), at::kDouble));
    expect_close(y.slice(2, 1), at::zeros({1, 2, 7}, at::kDouble));
  }
  const CompressedSensing all({.image = {1, 4, 4}, .ratio = 1.0});
  const at::Tensor x = ramp({1, 1, 4, 4});
  expect_close(all.adjoint(all.apply(x)), x);
}

TEST(CompressedSensing, Refuses) {
  expect_error(Errc::kUsage, "powers of two", [] { CompressedSensing({.image = {1, 12, 16}}); });
  expect_error(Errc::kUsage, "operator.ratio", [] { CompressedSensing({.image = {1, 8, 8}, .ratio = 0}); });
  expect_error(Errc::kUsage, "operator.ratio", [] { CompressedSensing({.image = {1, 8, 8}, .ratio = NAN}); });
  expect_error(Errc::kUsage, "operator.rows", [] { CompressedSensing({.image = {1, 8, 8}, .rows = "all"}); });
}

TEST(Quantise, RoundsToLevels) {
  const Quantise op({.image = {1, 1, 5}, .bits = 2});
  const at::Tensor x = row({-1, -0.7, -0.6, 0.1, 1.3}).reshape({1, 1, 1, 5});
  // Levels -1, -1/3, 1/3, 1 and, beyond, 5/3; 1.3 is 3.45 steps above -1.
  expect_close(op.apply(x), row({-1, -1, -1.0 / 3, 1.0 / 3, 1}).reshape({1, 1, 1, 5}));
  expect_close(op.vjp(x, at::ones_like(x)), at::ones_like(x));
  const Quantise flat({.image = {1, 1, 5}, .bits = 2, .straight_through = false});
  expect_close(flat.vjp(x, at::ones_like(x)), at::zeros_like(x));
  for (const std::int64_t bits : {0, 17})
    expect_error(Errc::kUsage, "operator.bits", [&] { Quantise({.image = {1, 4, 4}, .bits = bits}); });
}

TEST(Hdr, ClipsContrast) {
  const Hdr op({.image = {1, 1, 3}});
  const at::Tensor x = row({-0.7, 0.2, 0.5}).reshape({1, 1, 1, 3});
  expect_close(op.apply(x), row({-1, 0.4, 1}).reshape({1, 1, 1, 3}));
  expect_close(op.pseudo_inverse(op.apply(x)), row({-0.5, 0.2, 0.5}).reshape({1, 1, 1, 3}));
  expect_error(Errc::kUsage, "operator.gain", [] { Hdr({.image = {1, 4, 4}, .gain = 0}); });
}

TEST(PhaseRetrieval, GivesModuli) {
  const PhaseRetrieval op({.image = {1, 8, 12}});
  at::Tensor x = at::zeros({1, 1, 8, 12}, at::kDouble);
  x[0][0][3][5] = -2;
  // A quarter of 12 on each side; one pixel has a flat spectrum, 2 / sqrt(14 * 18).
  expect_close(op.apply(x), at::full({1, 1, 14, 18}, 2 / std::sqrt(14.0 * 18.0), at::kDouble));
  const at::Tensor image = ramp({1, 1, 8, 12}), y = op.apply(image);
  expect_close(op.apply(-image), y);
  EXPECT_NEAR(y.square().sum().item<double>(), image.square().sum().item<double>(), 1e-8);
  // Frequency 0 is in the middle and holds the sum.
  EXPECT_NEAR(y[0][0][7][9].item<double>(), image.sum().item<double>() / std::sqrt(14.0 * 18.0), 1e-9);
  EXPECT_GE(op.pseudo_inverse(y).min().item<double>(), 0.0);
  EXPECT_EQ(PhaseRetrieval({.image = {1, 256, 256}, .pad = -1}).apply(at::zeros({1, 1, 256, 256})).size(2), 384);
  expect_error(Errc::kUsage, "operator.pad", [] { PhaseRetrieval({.image = {1, 4, 4}, .pad = -2}); });
}

TEST(Jpeg, CodesBlocks) {
  const Jpeg op({.image = {3, 16, 16}, .quality = 50});
  // Grey 0.5 is 191.25: 8 (191.25 - 128) = 506 over the table's 16 rounds to 32, which is 128 + 64 = 192.
  const at::Tensor grey = at::full({1, 3, 16, 16}, 0.5, at::kDouble);
  const Jpeg::Coefficients coded = op.encode(grey);
  EXPECT_DOUBLE_EQ(coded.luma[0][0][0][0].item<double>(), 32);
  EXPECT_EQ(coded.luma.count_nonzero().item<std::int64_t>(), 4);
  EXPECT_EQ(coded.chroma.count_nonzero().item<std::int64_t>(), 0);
  expect_close(op.apply(grey), at::full_like(grey, 192.0 / 255 * 2 - 1), 1e-9);
  const at::Tensor x = ramp({1, 3, 16, 16}) / 400 - 0.9;
  EXPECT_GT(op.vjp(x, at::ones_like(x)).abs().max().item<double>(), 0.5);
  const Jpeg flat({.image = {3, 16, 16}, .quality = 50, .straight_through = false});
  EXPECT_EQ(flat.vjp(x, at::ones_like(x)).abs().max().item<double>(), 0.0);
}

TEST(Jpeg, Refuses) {
  expect_error(Errc::kUsage, "operator.quality", [] { Jpeg({.image = {3, 16, 16}, .quality = 0}); });
  expect_error(Errc::kUsage, "operator.quality", [] { Jpeg({.image = {3, 16, 16}, .quality = 101}); });
  expect_error(Errc::kUsage, "multiples of 16", [] { Jpeg({.image = {3, 24, 16}}); });
  expect_error(Errc::kUsage, "3 channels", [] { Jpeg({.image = {1, 16, 16}}); });
}

TEST(Composition, AppliesTheFirstPartFirst) {
  ConfigNode node = component("composition"), parts = ConfigNode::list();
  parts.append(component("hdr"));
  parts.append(component("super_resolution", {{"factor", "2"}}));
  node["parts"] = parts;
  const at::Tensor x = row({1, 1, 0, 0}).reshape({1, 1, 2, 2});
  expect_close(make(node, {1, 2, 2})->apply(x), row({0.5}).reshape({1, 1, 1, 1}));
}

TEST(Composition, Refuses) {
  ConfigNode node = component("composition"), parts = ConfigNode::list();
  expect_error(Errc::kUsage, "operator.parts", [&] { make(node, {3, 8, 8}); });
  parts.append(component("inpaint", {{"packed", "true"}}));
  parts.append(component("hdr"));
  node["parts"] = parts;
  expect_error(Errc::kUsage, "operator.parts[1] follows a part that gives no image", [&] { make(node, {3, 8, 8}); });
  parts = ConfigNode::list();
  parts.append(component("hdrr"));
  node["parts"] = parts;
  expect_error(Errc::kUsage, "did you mean 'hdr'", [&] { make(node, {3, 8, 8}); });
}

TEST(MakeOperator, NamesWhatIsWrong) {
  expect_error(Errc::kUsage, "operator.name is missing", [] { make(ConfigNode::map(), {3, 8, 8}); });
  expect_error(Errc::kUsage, "unknown operator", [] { make(component("blurr"), {3, 8, 8}); });
  expect_error(Errc::kUsage, "operator.image", [] { make(component("identity"), {3, 8, -8}); });
  expect_error(Errc::kUsage, "operator.image", [] { make(component("identity"), {3, 65536, 65536}); });
}

}  // namespace
}  // namespace reseda::inverse
