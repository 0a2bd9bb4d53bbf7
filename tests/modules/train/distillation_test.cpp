#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "modules/train/distillation_loss.hpp"
#include "modules/train/patch_covariance.hpp"
#include "modules/train/resshift_loss.hpp"
#include "modules/train/spectral_loss.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::train {
namespace {

using diffusion::Resshift;
using diffusion::Target;

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

at::Tensor draw(const char* stream, at::IntArrayRef shape = {2, 3, 4, 5}) {
  CounterNoise noise(21);
  return noise.normal({"x", stream, 0}, shape).to(at::kDouble);
}

Resshift difiisr() { return Resshift({.coefficients = {.cap_start = true}}); }

TEST(ResshiftLoss, WeighsByTheBound) {
  // T = 4, kappa 2, eta = r^2 of the roots 0.1, 0.5201, 0.7614, 0.99.
  const Resshift process({.coefficients = {.steps = 4, .min_noise_level = 0.2}});
  const ResshiftLoss x0(Target::kX0, ResshiftLoss::Weights::kBound, process),
      eps(Target::kEps, ResshiftLoss::Weights::kBound, process);
  const double eta1 = 0.01, eta2 = std::pow(0.5200963722, 2), variance = 4 * eta1 / eta2 * (eta2 - eta1);
  const double mean = (eta2 - eta1) / eta2;
  EXPECT_NEAR(x0.weight(0.5), mean * mean / (2 * variance), 1e-7);
  EXPECT_NEAR(x0.weight(0.25), 1 / (2 * variance), 1e-7);  // the first step: all of x0, the second's variance
  EXPECT_NEAR(eps.weight(0.5), mean * mean / (2 * variance) * 4 * eta2 / std::pow(1 - eta2, 2), 1e-7);
}

TEST(ResshiftLoss, IsTheMeanSquareOfEachItem) {
  const Resshift process = difiisr();
  const at::Tensor x0 = draw("x0"), y = draw("y"), noise = draw("eps"), error = draw("error");
  const at::Tensor times = at::tensor({1.0, 2.0 / 15}, at::kDouble);
  const at::Tensor squares = error.square().flatten(1).mean(1);
  const auto found = [&](Target target, ResshiftLoss::Weights weights) {
    const at::Tensor truth = diffusion::target_value(target, x0, noise, y, diffusion::marginals(process, times, 4), {});
    return ResshiftLoss(target, weights, process)(truth + error, x0, y, noise, times);
  };
  EXPECT_LT(largest(found(Target::kX0, ResshiftLoss::Weights::kEqual) - squares), 1e-12);
  EXPECT_LT(largest(found(Target::kResidual, ResshiftLoss::Weights::kEqual) - squares), 1e-12);
  EXPECT_NEAR(found(Target::kScaledEps, ResshiftLoss::Weights::kEqual)[0].item<double>(),
              squares[0].item<double>() / (1.98 * 1.98), 1e-12);
  const ResshiftLoss loss(Target::kX0, ResshiftLoss::Weights::kBound, process);
  const at::Tensor weighted = found(Target::kX0, ResshiftLoss::Weights::kBound);
  EXPECT_NEAR(weighted[1].item<double>(), loss.weight(2.0 / 15) * squares[1].item<double>(), 1e-9);
  tests::expect_error(Errc::kUsage, "scaled_eps, got velocity",
                      [&] { ResshiftLoss(Target::kVelocity, ResshiftLoss::Weights::kEqual, process); });
}

TEST(PatchCovariance, IsSmallForIndependentPixelsAlone) {
  const at::Tensor noise = draw("noise", {1, 1, 200, 200});
  const double independent = patch_covariance_loss(2 * noise, 4.0).item<double>();
  EXPECT_LT(independent, 0.05);
  // Pairs of equal columns: every second neighbour has covariance 4 too, and the variance is right.
  const at::Tensor doubled = noise.slice(3, 0, 100).repeat_interleave(2, 3);
  EXPECT_GT(patch_covariance_loss(2 * doubled, 4.0).item<double>(), 10 * independent);
  // Constant patches have no covariance: what is left is the variance on the diagonal, 64 of 64^2 entries.
  EXPECT_NEAR(patch_covariance_loss(at::ones({2, 3, 9, 9}, at::kDouble), 4.0)[1].item<double>(), 3 * 16.0 / 64, 1e-12);
  tests::expect_error(Errc::kInternal, "larger than 8 x 8", [] { patch_covariance_loss(at::ones({1, 1, 8, 8}), 1); });
}

TEST(SpectralLoss, SeesMagnitudesAlone) {
  const at::Tensor a = draw("a", {2, 1, 16, 12}), b = draw("b", {2, 1, 16, 12});
  EXPECT_EQ(spectral_loss(a, a).item<double>(), 0);
  EXPECT_NEAR(spectral_loss(a, a.roll({3, 5}, {2, 3})).item<double>(), 0, 1e-12);
  EXPECT_NEAR(spectral_loss(a, -a).item<double>(), 0, 1e-12);
  // Contrast leaves by the logarithm where |F| is far above 1.
  EXPECT_LT(spectral_loss(1000 * a, 2000 * a).item<double>(), 1e-6);
  EXPECT_GT(spectral_loss(a, b).item<double>(), 0.1);
}

TEST(SpectralLoss, HasTheGradientOfItsValues) {
  const at::Tensor a = draw("a", {1, 1, 6, 5}), b = draw("b", {1, 1, 6, 5}), way = draw("way", {1, 1, 6, 5});
  const at::Tensor variable = a.clone().requires_grad_(true);
  const at::Tensor gradient = torch::autograd::grad({spectral_loss(variable, b)}, {variable})[0];
  const double h = 1e-6;
  const double slope = (spectral_loss(a + h * way, b) - spectral_loss(a - h * way, b)).item<double>() / (2 * h);
  EXPECT_NEAR((gradient * way).sum().item<double>(), slope, 1e-7);
}

TEST(FeatureLoss, SumsOverNetworks) {
  const at::Tensor a = at::full({1, 1, 2, 2}, 3.0), b = at::full({1, 1, 2, 2}, 1.0);
  const auto same = [](const at::Tensor& x) { return x; };
  const auto twice = [](const at::Tensor& x) { return 2 * x; };
  EXPECT_EQ(feature_loss(a, b, {same, twice}).item<double>(), 4 + 16);
  EXPECT_EQ(feature_loss(a, b, {}).item<double>(), 0);
}

/// A student that always says the same, a teacher that says x0 = 0.5, and a guidance loss of constant gradient 1.
struct Scene {
  DistillationTerms run(DistillationConfig config, bool guided) {
    const Resshift process = difiisr();
    DistillationBatch batch{.x0 = at::full({1, 1, 12, 12}, 0.25, at::kDouble),
                            .y = at::full({1, 1, 12, 12}, 0.75, at::kDouble),
                            .noise = at::ones({1, 1, 12, 12}, at::kDouble)};
    if (guided) batch.guide = [](const at::Tensor& latent) { return latent.sum(); };
    ZeroNoise noise;
    return DistillationLoss(config, process)(
        [this](const at::Tensor& x, const at::Tensor& t) {
          asked.emplace_back(x.flatten()[0].item<double>(), t[0].item<double>());
          return weight.expand_as(x);
        },
        [](const at::Tensor& x, const at::Tensor&) { return at::full_like(x, 0.5); }, batch, noise);
  }
  at::Tensor weight = at::full({1}, 0.4, at::kDouble).requires_grad_(true);
  std::vector<std::pair<double, double>> asked;  ///< state and time of each call of the student
};

TEST(DistillationLoss, AsksTheStudentAsOfficialTrainingDoes) {
  Scene scene;
  const DistillationTerms terms = scene.run({}, false);
  const double scale = 1 / 2.2181974664, start = 0.75 + 1.98;
  const std::pair<double, double> calls[] = {
      {start * scale, 14}, {0.5 * scale, 0}, {0.25 * scale, 0}, {0.4 * scale, 14}};
  ASSERT_EQ(scene.asked.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(scene.asked[i].first, calls[i].first, 1e-9) << i;
    EXPECT_EQ(scene.asked[i].second, calls[i].second) << i;
  }
  EXPECT_NEAR(terms.distilled.item<double>(), 0.01, 1e-12);
  EXPECT_NEAR(terms.start.item<double>(), std::pow(start - 0.4, 2), 1e-12);
  EXPECT_NEAR(terms.finetuned.item<double>(), 0.15 * 0.15, 1e-12);
  EXPECT_NEAR(terms.loss.item<double>(), 0.01 + std::pow(start - 0.4, 2) + 0.0225, 1e-12);
  EXPECT_FALSE(terms.guidance_norm.defined());
}

TEST(DistillationLoss, GuidesByTheOfficialFactorInEitherDirection) {
  const double factor = 1.98 * 1.98 / (0.0199 * 0.0199);
  EXPECT_NEAR(factor, 9899.75, 0.01);
  for (const bool official : {true, false}) {
    Scene scene;
    const DistillationTerms terms = scene.run({.learn_start = false,
                                               .finetune = 0,
                                               .guidance_scale = 1e-5,
                                               .student_guidance = official ? "official" : "descent"},
                                              true);
    const double moved = 0.4 + (official ? -1 : 1) * 1e-5 * factor;
    EXPECT_NEAR(terms.estimate.flatten()[0].item<double>(), moved, 1e-9);
    EXPECT_NEAR(terms.distilled.item<double>(), std::pow(0.5 - moved, 2), 1e-9);
    EXPECT_NEAR(terms.guidance_norm.item<double>(), 1 / 0.0199, 1e-9);
    // The gradient passes the estimate and not the correction: the raw estimate is drawn to 0.5 minus the correction.
    terms.loss.sum().backward();
    EXPECT_NEAR(scene.weight.grad().item<double>(), 2 * (moved - 0.5), 1e-9);
    EXPECT_EQ(terms.teacher.flatten()[0].item<double>(), 0.5);
  }
}

TEST(DistillationLoss, OfficialTeacherIsMistakenOfItsNoise) {
  Scene scene;
  const DistillationTerms terms =
      scene.run({.learn_start = false, .finetune = 0, .teacher_guidance = "official"}, true);
  // The state before the last call, of DDIM with the estimate 0.5 from y + 1.98, is a x0 + b y + c eps with the noise
  // that the start stands for.
  const double eps = (0.75 + 1.98 - 0.0199 * 0.5 - 0.9801 * 0.75) / 1.98, a = 1 - 0.0004, b = 0.0004, c = 0.04;
  const double before = a * 0.5 + b * 0.75 + c * eps, mistaken = (before - c * 0.5 - b * 0.75) / a;
  const double latent = (0.5 - c * mistaken - b * 0.75) / a;
  EXPECT_NEAR(terms.teacher.flatten()[0].item<double>(), latent - c / (a * a), 1e-9);
}

TEST(DistillationLoss, MixesTargetsByTheRangeOfAnswers) {
  const Resshift process = difiisr();
  const at::Tensor x0 = at::full({1, 2, 12, 12}, 0.25, at::kDouble);
  const DistillationBatch batch{.x0 = x0, .y = 3 * x0, .noise = at::ones_like(x0)};
  double said = 0.3;
  const auto student = [&](const at::Tensor& x, const at::Tensor&) { return at::full_like(x, said += 0.1); };
  const auto teacher = [](const at::Tensor& x, const at::Tensor&) { return at::full_like(x, 0.5); };
  ZeroNoise noise;
  // Answers 0.5 and 0.6 after 0.4: a range of 0.1, times 5.
  const DistillationTerms terms = DistillationLoss({.learn_start = false, .finetune = 0, .uncertainty = 5.0}, process)(
      student, teacher, batch, noise);
  EXPECT_NEAR(terms.distilled.item<double>(), std::pow(0.5 * 0.5 + 0.5 * 0.25 - 0.4, 2), 1e-12);
  const auto with_covariance = DistillationLoss({.learn_start = false, .finetune = 0.5, .start_covariance = 0.3},
                                                process)(student, teacher, batch, noise);
  EXPECT_NEAR(with_covariance.loss.item<double>(),
              with_covariance.distilled.item<double>() + 0.3 * with_covariance.covariance.item<double>() +
                  0.5 * with_covariance.finetuned.item<double>(),
              1e-12);
  EXPECT_NEAR(with_covariance.covariance.item<double>(), 2 * std::pow(1.98, 4) / 64, 1e-9);
}

TEST(DistillationLoss, RefusesWhatItCannotDo) {
  const Resshift process = difiisr();
  tests::expect_error(Errc::kUsage, "loss.student_guidance must be one of descent, official, got 'ascent'",
                      [&] { DistillationLoss({.student_guidance = "ascent"}, process); });
  tests::expect_error(Errc::kUsage, "loss.uncertainty_draws",
                      [&] { DistillationLoss({.uncertainty_draws = 1}, process); });
  Scene scene;
  tests::expect_error(Errc::kInternal, "loss.image_space", [&] { scene.run({.image_space = true}, false); });
}

}  // namespace
}  // namespace reseda::train
