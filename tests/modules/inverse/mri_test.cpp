// Magnetic resonance: transforms worked out by hand, coils, real images, and what is refused.
#include "modules/inverse/operators/mri.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/inverse/coil_maps.hpp"
#include "modules/inverse/conjugate_gradient.hpp"
#include "modules/inverse/fourier.hpp"
#include "modules/inverse/landweber.hpp"
#include "tests/modules/inverse/tensor_checks.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

using tests::expect_error;

const at::Tensor kSquare = row({1, 2, 3, 4}).reshape({1, 1, 2, 2});

MriConfig mri(std::vector<std::int64_t> image, const std::string& values) {
  MriConfig config;
  config.image = std::move(image);
  config.values = values;
  return config;
}

at::Tensor random_complex(at::IntArrayRef shape) { return at::randn(shape, at::kComplexDouble); }

TEST(Fourier, PutsTheOriginInTheMiddle) {
  // With two places, -1 and 0, a factor is -1 where place and frequency are both -1.
  expect_close(at::real(centred_fft2(kSquare)), row({0, 2, 1, 5}).reshape({1, 1, 2, 2}));
  expect_close(at::real(corner_fft2(kSquare)), row({0, -4, -2, 10}).reshape({1, 1, 2, 2}));
}

TEST(Fourier, InvertsAndKeepsEnergyForOddAndEvenSides) {
  at::manual_seed(1);
  for (const auto& [height, width] : {std::pair{7, 10}, {8, 9}, {1, 5}}) {
    const at::Tensor x = random_complex({2, 1, height, width});
    expect_close(centred_ifft2(centred_fft2(x)), x);
    expect_close(corner_ifft2(corner_fft2(x)), x);
    EXPECT_NEAR(inner_product(centred_fft2(x), centred_fft2(x)), inner_product(x, x), 1e-10);
    // A point in the middle has a flat spectrum without phase.
    at::Tensor point = at::zeros({height, width}, at::kComplexDouble);
    point[height / 2][width / 2] = 1;
    expect_close(centred_fft2(point), at::ones_like(point) / std::sqrt(height * width));
  }
}

TEST(Mri, MeasuresWhatTheMaskTakes) {
  const at::Tensor mask = row({1, 0, 0, 1}).reshape({2, 2});
  const Mri op(mri({1, 2, 2}, "complex"), mask, {});
  const at::Tensor y = op.apply(kSquare.to(at::kComplexDouble));
  expect_close(at::real(y), row({0, 0, 0, 5}).reshape({1, 1, 2, 2}));
  // Only the mean is known: 10 / 4 everywhere.
  expect_close(at::real(op.pseudo_inverse(y)), at::full({1, 1, 2, 2}, 2.5, at::kDouble));
  EXPECT_TRUE(op.has_pseudo_inverse());
}

TEST(Mri, HasAnAdjointForEveryKindOfImage) {
  at::manual_seed(2);
  for (const char* values : {"real", "complex", "pairs"}) {
    for (const std::int64_t coils : {1, 4}) {
      for (const char* origin : {"centre", "corner"}) {
        MriConfig config = mri({std::string(values) == "pairs" ? 2 : 1, 7, 8}, values);
        config.coils = coils;
        config.origin = origin;
        config.mask.type = "gaussian2d";
        config.mask.acceleration = 2;
        const Mri op(config);
        const std::vector<std::int64_t> shape = {2, config.image[0], 7, 8};
        const at::Tensor x = config.values == "complex" ? random_complex(shape) : at::randn(shape, at::kDouble);
        const at::Tensor hx = op.apply(x), y = random_complex(hx.sizes());
        EXPECT_NEAR(inner_product(hx, y), inner_product(x, op.adjoint(y)), 1e-10) << values << coils << origin;
        expect_close(op.vjp(x, y), op.adjoint(y));
        if (op.has_pseudo_inverse()) expect_close(op.apply(op.pseudo_inverse(hx)), hx, 1e-10);
      }
    }
  }
}

TEST(Mri, RealImagesCountLoneSamplesTwice) {
  // Of three frequencies -1, 0, 1 only -1 is taken; the image of least norm with that sample has its mirror image too.
  const Mri op(mri({1, 1, 3}, "real"), row({1, 0, 0}).reshape({1, 3}), {});
  const at::Tensor x = row({0, 3, 1}).reshape({1, 1, 1, 3}), y = op.apply(x), guess = op.pseudo_inverse(y);
  expect_close(op.apply(guess), y);
  expect_close(guess, 2 * op.adjoint(y));
  expect_close(guess, x - x.mean());
}

TEST(Mri, CoilsAddUp) {
  // Two coils of 0.6 and 0.8 i with everything sampled: H^* H = 0.36 + 0.64.
  const at::Tensor maps =
      at::stack({at::full({2, 2}, c10::complex<double>(0.6, 0)), at::full({2, 2}, c10::complex<double>(0, 0.8))});
  const Mri op(mri({1, 2, 2}, "complex"), at::ones({2, 2}), maps);
  const at::Tensor x = kSquare.to(at::kComplexDouble), y = op.apply(x);
  EXPECT_EQ(y.size(1), 2);
  EXPECT_NEAR(at::real(y[0][0][1][1]).item<double>(), 0.6 * 5, 1e-6);
  EXPECT_NEAR(at::imag(y[0][1][1][1]).item<double>(), 0.8 * 5, 1e-6);
  expect_close(op.adjoint(y), x, 1e-6);
  expect_close(landweber_step(op, at::zeros_like(x), y, 0.5), x / 2, 1e-6);
  EXPECT_FALSE(op.has_pseudo_inverse());
}

TEST(Mri, ConjugateGradientsSolveSense) {
  at::manual_seed(3);
  MriConfig config = mri({1, 16, 16}, "complex");
  config.coils = 6;
  config.mask = {.type = "equispaced", .acceleration = 2, .center_fraction = 0.1, .seed = 3};
  const Mri op(config);
  const at::Tensor x = random_complex({2, 1, 16, 16}), y = op.apply(x);
  const CgResult found = least_squares(op, y, 0.0, {}, {.iterations = 60, .tolerance = 1e-9});
  expect_close(found.x, x, 1e-5);
  EXPECT_GT((op.pseudo_inverse(y) - x).abs().max().item<double>(), 0.1);
}

TEST(Mri, TakesAMaskPerItem) {
  const at::Tensor masks = at::stack({at::ones({1, 2, 2}), at::zeros({1, 2, 2})});
  const Mri op(mri({1, 2, 2}, "real"), masks, {});
  const at::Tensor y = op.apply(kSquare.repeat({2, 1, 1, 1}));
  expect_close(at::real(y[1]), at::zeros({1, 2, 2}, at::kDouble));
  expect_close(at::real(y[0]), row({0, 2, 1, 5}).reshape({1, 2, 2}));
}

TEST(Mri, PairsAreRealAndImaginaryParts) {
  at::manual_seed(4);
  const at::Tensor x = random_complex({1, 1, 4, 6});
  MriConfig config = mri({1, 4, 6}, "complex");
  const Mri complex(config);
  config.image[0] = 2;
  config.values = "pairs";
  const Mri pairs(config);
  const at::Tensor channels = at::cat({at::real(x), at::imag(x)}, 1);
  expect_close(pairs.apply(channels), complex.apply(x));
  const at::Tensor image = complex.adjoint(complex.apply(x));
  expect_close(pairs.adjoint(pairs.apply(channels)), at::cat({at::real(image), at::imag(image)}, 1));
  const SpectralForm* form = pairs.spectral();
  ASSERT_NE(form, nullptr);
  expect_close(form->v(form->vt(channels)), channels);
  const std::int64_t known = form->singulars().size(0);
  expect_close(form->u(form->vt(channels).slice(1, 0, known)), pairs.apply(channels));
  expect_close(form->ut(pairs.apply(channels)), form->vt(channels).slice(1, 0, known));
  EXPECT_EQ(complex.spectral(), nullptr);
}

TEST(Mri, OfficialAdjointIsTheInverseTransform) {
  MriConfig config = mri({1, 2, 2}, "real");
  config.origin = "corner";
  config.adjoint = "inverse";
  const Mri op(config, at::ones({2, 2}), {});
  const at::Tensor y = op.apply(kSquare);
  expect_close(op.adjoint(y), kSquare);
  expect_close(op.vjp({}, y), 4 * kSquare);
}

TEST(Mri, SaysWhatItRefuses) {
  expect_error(Errc::kUsage, "operator.values", [] { Mri(mri({1, 4, 4}, "phase")); });
  expect_error(Errc::kUsage, "even number of channels", [] { Mri(mri({1, 4, 4}, "pairs")); });
  expect_error(Errc::kUsage, "maps need images of one channel", [] {
    MriConfig config = mri({3, 4, 4}, "real");
    config.coils = 2;
    Mri{config};
  });
  expect_error(Errc::kUsage, "0 and 1", [] { Mri(mri({1, 4, 4}, "real"), at::full({4, 4}, 0.5), {}); });
  expect_error(Errc::kUsage, "mask must be", [] { Mri(mri({1, 4, 4}, "real"), at::ones({4, 5}), {}); });
  expect_error(Errc::kUsage, "maps must be", [] {
    Mri(mri({1, 4, 4}, "real"), at::ones({4, 4}), at::ones({2, 4, 5}));
  });
  const Mri op(mri({1, 4, 4}, "real"));
  expect_error(Errc::kUsage, "real images", [&] { op.apply(at::zeros({1, 1, 4, 4}, at::kComplexFloat)); });
  expect_error(Errc::kUsage, "images [B,1,4,4]", [&] { op.apply(at::zeros({1, 2, 4, 4})); });
  expect_error(Errc::kUsage, "complex spectra", [&] { op.adjoint(at::zeros({1, 1, 4, 4})); });
}

TEST(CoilMaps, CombineWhatTheyMade) {
  at::manual_seed(5);
  const at::Tensor maps = birdcage_maps(5, 12, 10).unsqueeze(0), x = at::randn({2, 1, 12, 10}, at::kComplexFloat);
  expect_close(root_sum_of_squares(maps, 1), at::ones({1, 12, 10}), 1e-5);
  expect_close(combine_coils(maps * x, maps), x, 1e-5);
  const at::Tensor blind = at::zeros_like(maps);
  expect_close(combine_coils(maps * x, blind), at::zeros_like(x));
  const at::Tensor pair = at::complex(row({3, 0}), row({0, 4})).reshape({1, 2, 1, 1});
  EXPECT_NEAR(root_sum_of_squares(pair, 1).item<double>(), 5, 1e-12);
}

class CalibrationTest : public testing::Test {
 protected:
  CalibrationTest() {
    at::manual_seed(6);
    const at::Tensor down = (at::arange(48, at::kFloat) - 23.5).square().unsqueeze(1);
    const at::Tensor across = (at::arange(40, at::kFloat) - 19.5).square().unsqueeze(0);
    inside_ = (down / 400 + across / 256 < 1).reshape({1, 1, 48, 40});
    const at::Tensor image = inside_ * (1 + 0.3 * at::rand({48, 40}));
    spectrum_ = centred_fft2(maps_ * image);
  }
  /// Mean distance from the true maps inside the object, after the first coil's phase is taken away.
  double error(const at::Tensor& found) const {
    const auto aligned = [](const at::Tensor& maps) {
      const at::Tensor first = maps.slice(1, 0, 1);
      return maps * at::polar(at::ones_like(first.abs()), -first.angle());
    };
    return (aligned(found) - aligned(maps_)).abs().mean(1, true).masked_select(inside_).mean().item<double>();
  }
  at::Tensor maps_ = birdcage_maps(6, 48, 40).unsqueeze(0), inside_, spectrum_;
};

TEST_F(CalibrationTest, LowResolutionMapsComeClose) {
  EXPECT_LE(error(low_resolution_maps(spectrum_, 20)), 0.02);
  expect_error(Errc::kUsage, "calibration", [&] { low_resolution_maps(spectrum_, 0); });
  expect_error(Errc::kUsage, "complex spectra", [&] { low_resolution_maps(at::real(spectrum_), 8); });
}

TEST_F(CalibrationTest, EspiritComesCloserAndKnowsItsSupport) {
  const at::Tensor maps = espirit_maps(spectrum_, {.calibration = 20});
  EXPECT_LE(error(maps), 0.003);
  EXPECT_LE(error(maps), error(low_resolution_maps(spectrum_, 20)));
  const at::Tensor support = root_sum_of_squares(maps, 1).unsqueeze(1);
  EXPECT_GE(support.masked_select(inside_).mean().item<double>(), 0.999);
  EXPECT_LE(support.masked_select(inside_.logical_not()).mean().item<double>(), 0.8);
  // Only the calibration square is looked at.
  at::Tensor cut = at::zeros_like(spectrum_);
  cut.slice(2, 14, 34).slice(3, 10, 30).copy_(spectrum_.slice(2, 14, 34).slice(3, 10, 30));
  expect_close(espirit_maps(cut, {.calibration = 20}), maps, 1e-5);
  expect_error(Errc::kUsage, "kernel", [&] { espirit_maps(spectrum_, {.calibration = 5, .kernel = 6}); });
}

}  // namespace
}  // namespace reseda::inverse
