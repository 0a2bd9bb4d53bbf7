#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/diffusion/oracles/data_set.hpp"
#include "modules/diffusion/oracles/gaussian.hpp"
#include "modules/diffusion/oracles/gaussian_mixture.hpp"
#include "modules/diffusion/oracles/wiener.hpp"
#include "tests/modules/diffusion/plain_processes.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

/// A bridge that does not move: x = a x0 + b y + c eps at all times.
PlainProcess fixed(Coef a, Coef b, Coef c) {
  return {1.0, 0.0, [=](double) { return Marginal{a, b, c}; }};
}

at::Tensor number(double value) { return at::full({1, 1, 1, 1}, value, at::kDouble); }

class OracleTest : public testing::Test {
 protected:
  at::Tensor draw(const char* name, at::IntArrayRef shape, at::ScalarType type = at::kDouble) {
    return draw_like(noise_, {"data", name, 0}, at::empty(shape, type));
  }
  CounterNoise noise_{77};
};

TEST_F(OracleTest, MixtureByHand) {
  // a = 0.5, b = 0.25, c = 1, y = 4, x = 2: x - b y = 1. Components N(0, 1) and N(2, 2^2), v = 1.25 and 2.
  const PlainProcess process = fixed(0.5, 0.25, 1.0);
  const GaussianMixtureOracle oracle({{2.0, number(0), 1.0}, {6.0, number(2), 2.0}}, process);
  const double p0 = 0.25 * std::exp(-0.5 / 1.25) / std::sqrt(1.25), p1 = 0.75 / std::sqrt(2.0);
  const double r0 = p0 / (p0 + p1), r1 = p1 / (p0 + p1);
  const Estimates found = oracle(number(2), 0.5, {number(4)});
  EXPECT_NEAR(found.x0.item<double>(), r0 * (0.5 / 1.25) + r1 * 2.0, 1e-12);
  EXPECT_NEAR(found.eps.item<double>(), r0 / 1.25, 1e-12);
  EXPECT_NEAR(oracle.cumulative(number(2), 0.5, {number(4)}).item<double>(),
              0.25 * 0.5 * std::erfc(-1 / std::sqrt(2.5)) + 0.75 * 0.5, 1e-12);
}

TEST_F(OracleTest, MixtureOfOneIsTheGaussian) {
  for (const at::ScalarType type : {at::kDouble, at::kComplexDouble}) {
    const at::Tensor x = draw("x", {3, 2, 2, 2}, type), y = draw("y", {3, 2, 2, 2}, type),
                     mu = draw("mu", {2, 2, 2}, type);
    const PlainProcess process = anchored();
    const Estimates gaussian = GaussianOracle(mu, 0.4, process)(x, 0.3, {y});
    const Estimates one = GaussianMixtureOracle({{1.0, mu, 0.4}}, process)(x, 0.3, {y});
    const Estimates two = GaussianMixtureOracle({{1.0, mu, 0.4}, {3.0, mu, 0.4}}, process)(x, 0.3, {y});
    for (const Estimates& found : {one, two}) {
      EXPECT_TRUE(at::allclose(found.x0, gaussian.x0, 1e-12, 1e-12));
      EXPECT_TRUE(at::allclose(found.eps, gaussian.eps, 1e-12, 1e-12));
    }
  }
}

TEST_F(OracleTest, EstimatesComposeTheState) {
  for (const PlainProcess& process : {anchored(), residual(), uneven()}) {
    const at::Tensor x = draw("x", {3, 1, 2, 2}), y = draw("y", {3, 1, 2, 2});
    const GaussianMixtureOracle oracle({{0.5, draw("m0", {1, 2, 2}), 0.2}, {0.5, draw("m1", {1, 2, 2}), 0.6}}, process);
    const Estimates found = oracle(x, 0.4, {y});
    EXPECT_TRUE(at::allclose(process.at(0.4).sample(found.x0, y, found.eps), x, 1e-12, 1e-12));
  }
}

TEST_F(OracleTest, MixtureAtTheEndsOfABridge) {
  const PlainProcess pinned_start = fixed(0.0, 1.0, 0.0);
  const GaussianMixtureOracle oracle({{0.25, number(1), 0.2}, {0.75, number(-1), 0.6}}, pinned_start);
  const Estimates start = oracle(number(5), 1.0, {number(5)});
  EXPECT_NEAR(start.x0.item<double>(), 0.25 - 0.75, 1e-12) << "nothing is known: the mean";
  EXPECT_EQ(start.eps.item<double>(), 0.0);
  const PlainProcess clean = fixed(1.0, 0.0, 0.0);
  EXPECT_NEAR(GaussianMixtureOracle({{1, number(1), 0.2}, {1, number(-1), 0.6}}, clean)(number(0.3), 0, {number(9)})
                  .x0.item<double>(),
              0.3, 1e-12);
}

TEST_F(OracleTest, MixtureSurvivesFarStates) {
  const PlainProcess process = fixed(1.0, 0.0, 0.01);
  const GaussianMixtureOracle oracle({{1, number(1), 0.01}, {1, number(-1), 0.01}}, process);
  const double found = oracle(number(1000), 0, {}).x0.item<double>();
  EXPECT_NEAR(found, 1 + 0.5 * 999, 1e-9);
}

TEST_F(OracleTest, MixtureRefuses) {
  const PlainProcess process = anchored();
  const auto message = [&](std::vector<GaussianMixtureOracle::Component> components) {
    return error_of([&] { GaussianMixtureOracle(std::move(components), process); }).second;
  };
  EXPECT_EQ(message({}), "the mixture oracle needs at least one component, got none");
  EXPECT_EQ(message({{0, number(0), 1}}), "weights of the mixture oracle must be > 0, got 0");
  EXPECT_EQ(message({{1, number(0), 0}}), "deviations of the mixture oracle must be > 0, got 0");
}

/// Images whose covariance has a few strong directions.
at::Tensor made_images(NoiseSource& noise, std::int64_t count) {
  const auto draw = [&](const char* name, at::IntArrayRef shape) {
    return noise.normal({"images", name, 0}, shape).to(at::kDouble);
  };
  return (at::mm(draw("weights", {count, 3}), draw("patterns", {3, 12})) + 0.3 * draw("rest", {count, 12}) + 0.5)
      .reshape({count, 1, 3, 4});
}

TEST_F(OracleTest, WienerIsTheGaussianPosteriorOfTheSampleCovariance) {
  // Few images (Gram matrix) and many (covariance matrix).
  for (const std::int64_t count : {8, 40}) {
    const at::Tensor images = made_images(noise_, count), flat = images.flatten(1);
    const ImageStatistics statistics = image_statistics(images, 0, 1e-4);
    EXPECT_EQ(statistics.variances.size(0), std::min<std::int64_t>(count - 1, 12));
    const at::Tensor eye = at::eye(12, at::kDouble), mean = flat.mean(0);
    at::Tensor sigma = at::mm((flat - mean).t(), flat - mean) / static_cast<double>(count - 1);
    if (count <= 12) sigma = sigma + 1e-4 * (eye - at::mm(statistics.directions, statistics.directions.t()));
    const PlainProcess process = fixed(0.7, 0.2, 0.5);
    const at::Tensor x = draw("x", {2, 1, 3, 4}), y = draw("y", {2, 1, 3, 4});
    const at::Tensor e = (x - 0.2 * y).flatten(1) - 0.7 * mean;
    const at::Tensor precision = at::linalg_inv(0.49 * sigma + 0.25 * eye);
    const Estimates found = WienerDenoiser(statistics, process)(x, 0.5, {y});
    EXPECT_TRUE(at::allclose(found.x0.flatten(1), mean + 0.7 * at::mm(e, at::mm(precision, sigma)), 1e-8, 1e-8));
    EXPECT_TRUE(at::allclose(found.eps.flatten(1), 0.5 * at::mm(e, precision), 1e-8, 1e-8));
    EXPECT_TRUE(at::allclose(process.at(0.5).sample(found.x0, y, found.eps), x, 1e-10, 1e-10));
  }
}

TEST_F(OracleTest, WienerOfALowRankKeepsTheVariance) {
  const at::Tensor images = made_images(noise_, 60);
  const ImageStatistics whole = image_statistics(images), low = image_statistics(images, 3);
  EXPECT_EQ(low.variances.size(0), 3);
  EXPECT_NEAR(low.tail, whole.variances.narrow(0, 3, 9).mean().item<double>(), 1e-12);
  EXPECT_GT(low.variances[2].item<double>(), 5 * low.tail);
}

TEST_F(OracleTest, WienerAtItsLimits) {
  const at::Tensor images = made_images(noise_, 40), x = draw("x", {2, 1, 3, 4}), y = draw("y", {2, 1, 3, 4});
  const ImageStatistics s = image_statistics(images);
  const at::Tensor mean = s.mean.reshape({1, 1, 3, 4}).expand_as(x);
  EXPECT_TRUE(at::allclose(WienerDenoiser(s, fixed(1.0, 0.0, 0.0))(x, 0, {y}).x0, x, 1e-9, 1e-9));
  EXPECT_TRUE(at::allclose(WienerDenoiser(s, fixed(0.0, 1.0, 0.5))(x, 0, {y}).x0, mean, 1e-12, 1e-12));
  EXPECT_TRUE(at::allclose(WienerDenoiser(s, fixed(0.0, 1.0, 0.0))(x, 0, {y}).x0, mean, 1e-12, 1e-12));
  const Coef per_item(at::tensor({0.2, 3.0}, at::kDouble).reshape({2, 1, 1, 1}));
  const at::Tensor both = WienerDenoiser(s, fixed(0.9, 0.1, per_item))(x, 0, {y}).x0;
  for (const std::int64_t i : {0, 1}) {
    const PlainProcess one = fixed(0.9, 0.1, i == 0 ? 0.2 : 3.0);
    EXPECT_TRUE(at::allclose(both[i], WienerDenoiser(s, one)(x, 0, {y}).x0[i], 1e-12, 1e-12));
  }
}

TEST_F(OracleTest, WienerRefuses) {
  const at::Tensor images = made_images(noise_, 5);
  EXPECT_EQ(error_of([&] { image_statistics(images.narrow(0, 0, 1)); }).second,
            "image statistics need [N, C, H, W] with N >= 2 images, got [1, 1, 3, 4]");
  EXPECT_EQ(error_of([&] { image_statistics(images, -1); }).second, "rank of image statistics must be >= 0, got -1");
  EXPECT_EQ(error_of([&] { image_statistics(images, 0, 0); }).second, "floor of image statistics must be > 0, got 0");
  const PlainProcess process = uneven();
  const WienerDenoiser wiener(image_statistics(images), process);
  EXPECT_EQ(error_of([&] { wiener(number(0), 0.5, {number(0)}); }).second,
            "the Wiener denoiser knows images of shape [1, 3, 4], got a state of [1, 1, 1, 1]");
  const at::Tensor x = at::zeros({1, 1, 3, 4}, at::kDouble);
  EXPECT_EQ(error_of([&] { wiener(x, 0.5, {x}); }).second,
            "the Wiener denoiser needs a process whose coefficients do not vary within an item, got [1, 1, 2, 2]");
}

TEST_F(OracleTest, OptimalDenoiserOfTwoImagesIsALogisticCurve) {
  // x^1 = 1, x^2 = -1, a = 0.5, c = 0.8: tanh(a x~ / c^2), x~ = x - b y.
  const PlainProcess process = fixed(0.5, 0.25, 0.8);
  const DataSetDenoiser optimal(at::cat({number(1), number(-1)}), {}, process);
  const Estimates found = optimal(number(0.7), 0.5, {number(1.2)});
  EXPECT_NEAR(found.x0.item<double>(), std::tanh(0.5 * 0.4 / 0.64), 1e-12);
  EXPECT_NEAR(found.eps.item<double>(), (0.4 - 0.5 * found.x0.item<double>()) / 0.8, 1e-12);
  const DataSetDenoiser warm(at::cat({number(1), number(-1)}), {.temperature = 2.0}, process);
  EXPECT_NEAR(warm(number(0.7), 0.5, {number(1.2)}).x0.item<double>(), std::tanh(0.5 * 0.4 / 1.28), 1e-12);
}

TEST_F(OracleTest, DataSetDoesNotDependOnItsChunks) {
  const at::Tensor images = made_images(noise_, 23), x = draw("x", {3, 1, 3, 4}), y = draw("y", {3, 1, 3, 4});
  const PlainProcess process = anchored();
  for (const Locality locality : {Locality::kNone, Locality::kPixel, Locality::kPca}) {
    const at::Tensor whole = DataSetDenoiser(images, {.locality = locality}, process)(x, 0.6, {y}).x0;
    for (const std::int64_t chunk : {1, 5, 23})
      EXPECT_TRUE(at::allclose(DataSetDenoiser(images, {.locality = locality, .chunk = chunk}, process)(x, 0.6, {y}).x0,
                               whole, 1e-10, 1e-10));
    for (const std::int64_t i : {0, 2})
      EXPECT_TRUE(at::allclose(
          DataSetDenoiser(images, {.locality = locality}, process)(x.narrow(0, i, 1), 0.6, {y.narrow(0, i, 1)}).x0[0],
          whole[i], 1e-12, 1e-12));
  }
}

TEST_F(OracleTest, LocalityLiesBetweenAllPixelsAndOne) {
  const at::Tensor images = made_images(noise_, 23), x = draw("x", {2, 1, 3, 4}), y = draw("y", {2, 1, 3, 4});
  const PlainProcess process = fixed(0.8, 0.2, 0.7);
  const auto x0 = [&](const DataSetConfig& config) { return DataSetDenoiser(images, config, process)(x, 0.5, {y}).x0; };
  const at::Tensor none = x0({.locality = Locality::kNone}), pixel = x0({.locality = Locality::kPixel});
  EXPECT_TRUE(at::allclose(x0({.locality = Locality::kPca, .threshold = 1e-12}), none, 1e-10, 1e-10));
  const DataSetDenoiser local(images, {.locality = Locality::kPca, .threshold = 0.3}, process);
  const at::Tensor mask = local.mask(0.8, 0.7);
  EXPECT_TRUE(at::all(mask.diagonal() == 1).item<bool>() || mask.sum().item<double>() > 0);
  EXPECT_LT(mask.sum().item<double>(), 144);
  const at::Tensor between = local(x, 0.5, {y}).x0;
  EXPECT_FALSE(at::allclose(between, none, 1e-3, 1e-3));
  EXPECT_FALSE(at::allclose(between, pixel, 1e-3, 1e-3));
  // Every pixel is an average of the set's values there.
  for (const at::Tensor& found : {none, pixel, between}) {
    EXPECT_TRUE(at::all(found <= std::get<0>(images.max(0)) + 1e-12).item<bool>());
    EXPECT_TRUE(at::all(found >= std::get<0>(images.min(0)) - 1e-12).item<bool>());
  }
}

TEST_F(OracleTest, PixelLocalityIsThePosteriorOfEachPixel) {
  const at::Tensor images = made_images(noise_, 9), x = draw("x", {1, 1, 3, 4}), y = at::zeros_like(x);
  const PlainProcess process = fixed(0.8, 0.0, 0.7);
  const at::Tensor found = DataSetDenoiser(images, {.locality = Locality::kPixel}, process)(x, 0.5, {y}).x0;
  const at::Tensor one = images.select(2, 1).select(2, 2).reshape({9, 1, 1, 1});
  const at::Tensor alone =
      DataSetDenoiser(one, {}, process)(x.select(2, 1).select(2, 2).reshape({1, 1, 1, 1}), 0.5, {number(0)}).x0;
  EXPECT_NEAR(found[0][0][1][2].item<double>(), alone.item<double>(), 1e-12);
}

TEST_F(OracleTest, DataSetAtTheEndsOfABridge) {
  const at::Tensor images = made_images(noise_, 9);
  const at::Tensor near = images.narrow(0, 4, 1) + 0.01, y = at::ones_like(near);
  const Estimates clean = DataSetDenoiser(images, {}, fixed(1.0, 0.0, 0.0))(near, 0, {y});
  EXPECT_TRUE(at::allclose(clean.x0, images.narrow(0, 4, 1), 1e-12, 1e-12)) << "the nearest image";
  EXPECT_EQ(clean.eps.abs().max().item<double>(), 0.0);
  const Estimates start = DataSetDenoiser(images, {}, fixed(0.0, 1.0, 0.3))(near, 1, {y});
  EXPECT_TRUE(at::allclose(start.x0, images.mean(0, true), 1e-12, 1e-12));
}

TEST_F(OracleTest, DataSetRefuses) {
  const at::Tensor images = made_images(noise_, 5);
  const PlainProcess process = anchored();
  const auto message = [&](const at::Tensor& set, const DataSetConfig& config) {
    return error_of([&] { DataSetDenoiser(set, config, process); }).second;
  };
  EXPECT_EQ(message(images[0], {}), "the data-set denoiser needs [N, C, H, W] real images, got [1, 3, 4]");
  EXPECT_EQ(message(images, {.threshold = 0}), "threshold of the data-set denoiser must be in (0, 1], got 0");
  EXPECT_EQ(message(images, {.temperature = 0}), "temperature of the data-set denoiser must be > 0, got 0");
  EXPECT_EQ(message(images, {.chunk = 0}), "chunk of the data-set denoiser must be >= 1, got 0");
  EXPECT_EQ(message(images.narrow(0, 0, 1), {.locality = Locality::kPca}),
            "image statistics need [N, C, H, W] with N >= 2 images, got [1, 1, 3, 4]");
}

}  // namespace
}  // namespace reseda::diffusion
