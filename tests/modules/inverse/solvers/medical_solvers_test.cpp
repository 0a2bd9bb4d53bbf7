// DiffusionMBIR and score-MRI: single steps worked out by hand, limits, draws by name.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/inverse/coil_maps.hpp"
#include "modules/inverse/fourier.hpp"
#include "modules/inverse/operators/identity.hpp"
#include "modules/inverse/operators/mri.hpp"
#include "modules/inverse/operators/radon.hpp"
#include "modules/inverse/solvers/ve_walk.hpp"
#include "tests/modules/inverse/solvers/small_problem.hpp"
#include "tests/modules/inverse/tensor_checks.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

using diffusion::FunctionDenoiser;
using tests::expect_error;

class MedicalSolversTest : public testing::Test {
 protected:
  std::unique_ptr<diffusion::Process> process_ = diffusion::make_process(component("ve"));
  /// Says that there is no noise, so that nothing but noise and measurement moves the state.
  FunctionDenoiser silent_{[](const at::Tensor& x, double, const diffusion::Condition&) {
    return diffusion::Estimates{x, at::zeros_like(x)};
  }};

  at::Tensor run(const std::string& name, const Keys& keys, const at::Tensor& y, const ForwardOperator& op,
                 NoiseSource& noise, const diffusion::Denoiser* denoiser = nullptr, const Setting& setting = {}) {
    return solve(component(name, keys), y, op, *process_, denoiser ? *denoiser : silent_, noise, setting);
  }
};

at::Tensor random_complex(at::IntArrayRef shape) { return at::randn(shape, at::kComplexDouble); }

Mri fourier(std::vector<std::int64_t> image, const std::string& values, const at::Tensor& mask,
            const at::Tensor& maps = {}) {
  MriConfig config;
  config.image = std::move(image);
  config.values = values;
  return {config, mask, maps};
}

TEST_F(MedicalSolversTest, StepsHaveTheirTable) {
  VeWalkConfig config;
  config.steps = 4;
  config.t_eps = 1e-10;
  std::vector<std::int64_t> nearest, truncated;
  for (const VeStep& step : ve_steps("walk", config, *process_)) {
    nearest.push_back(step.index);
    EXPECT_NEAR(step.sigma, 0.01 * std::pow(37800, step.t), 1e-9 * step.sigma);
    // sigma_i = 0.01 37800^{i / 3}
    const double here = 0.01 * std::pow(37800, static_cast<double>(step.index) / 3), before = here / std::cbrt(37800);
    EXPECT_NEAR(step.g, step.index == 0 ? 0.01 : std::sqrt(here * here - before * before), 1e-9 * here);
  }
  config.index = "truncated";
  for (const VeStep& step : ve_steps("walk", config, *process_)) truncated.push_back(step.index);
  EXPECT_EQ(nearest, (std::vector<std::int64_t>{3, 2, 1, 0}));
  EXPECT_EQ(truncated, (std::vector<std::int64_t>{3, 1, 1, 0}));
  expect_error(Errc::kUsage, "walk needs a variance-exploding", [&] { ve_steps("walk", config, *table_process()); });
}

TEST_F(MedicalSolversTest, MovesFollowTheScore) {
  const at::Tensor x = row({1, 0, 3, 0}).reshape({2, 1, 1, 2}), score = row({-3, 0, 0, 4}).reshape({2, 1, 1, 2}),
                   z = row({0, 6, 8, 0}).reshape({2, 1, 1, 2});
  const VeMove predicted = ve_predict({.g = 0.5}, x, score, z);
  expect_close(predicted.mean, row({0.25, 0, 3, 1}).reshape({2, 1, 1, 2}));
  expect_close(predicted.x, row({0.25, 3, 7, 1}).reshape({2, 1, 1, 2}));
  VeWalkConfig config;
  config.snr = 0.5;  // both items: 2 (0.5 * 2)^2 = 2, noise twice the draw
  expect_close(ve_correct(config, x, score, z).x, row({-5, 12, 19, 8}).reshape({2, 1, 1, 2}));
  config.langevin_norm = "batch";  // of mean norms 7 and 3.5: the same
  expect_close(ve_correct(config, x, score, z).mean, row({-5, 0, 3, 8}).reshape({2, 1, 1, 2}));
  config.langevin_norm = "item";
  expect_close(ve_correct(config, x, at::zeros_like(score), z).x, x);
}

TEST_F(MedicalSolversTest, MbirStepsOnTwoSlicesByHand) {
  // Two slices of one pixel, H = I, from 0. Wrapped: D^T D = [2 -2; -2 2]. First step: r = (2, 6), N r = (0, 8),
  // x = 40/48 r; D x = (10/3, -10/3), v = (4/3, -4/3), u = (2, -2). Second: b = (7/3, 17/3), r = (7/3, -1), N r =
  // (4, -8/3), step 29/54.
  const Identity op({.image = {1, 1, 1}});
  const at::Tensor y = row({2, 6}).reshape({2, 1, 1, 1});
  ZeroNoise noise;
  Keys keys = {{"steps", "2"},         {"tv_weight", "0.5"},    {"rho", "0.25"}, {"final_consistency", "false"},
               {"cg_iterations", "1"}, {"splitting", "carried"}};
  std::vector<at::Tensor> states;
  Setting setting;
  setting.on_step = [&](const SolverStep& step) { states.push_back(step.state); };
  keys.emplace_back("boundary", "wrap");
  expect_close(run("diffusion_mbir", keys, y, op, noise, nullptr, setting),
               row({473.0 / 162, 241.0 / 54}).reshape({2, 1, 1, 1}), 1e-12);
  expect_close(states[0], row({5.0 / 3, 5}).reshape({2, 1, 1, 1}));
  // Open: D^T D = [1 -1; -1 1], N r = (1, 7), x = 40/44 r.
  keys.back().second = "open";
  run("diffusion_mbir", keys, y, op, noise, nullptr, setting);
  expect_close(states[2], row({20.0 / 11, 60.0 / 11}).reshape({2, 1, 1, 1}));
  // Fresh: v alone, b = (4/3, 20/3), r = (4/3, 0), N r = (2, -2/3), step 2/3.
  keys.back().second = "wrap";
  keys.emplace_back("splitting", "fresh");
  expect_close(run("diffusion_mbir", keys, y, op, noise), row({23.0 / 9, 5}).reshape({2, 1, 1, 1}), 1e-12);
  // Without the penalty the data term is solved, and the last step ends on the measurement in any case.
  keys = {{"steps", "2"}, {"rho", "0"}, {"final_consistency", "false"}};
  expect_close(run("diffusion_mbir", keys, y, op, noise), y);
  keys = {{"steps", "2"}, {"rho", "50"}};
  expect_close(run("diffusion_mbir", keys, y, op, noise), y);
}

TEST_F(MedicalSolversTest, MbirVariationFlattensSlices) {
  // Carried along, a heavy weight leaves nothing between the slices, and with all axes nothing within them.
  const Identity op({.image = {1, 2, 2}});
  at::manual_seed(3);
  const at::Tensor y = at::randn({3, 1, 2, 2}, at::kDouble);
  ZeroNoise noise;
  for (const char* norm : {"separate", "joint"}) {
    Keys keys = {{"steps", "60"},
                 {"tv_weight", "50"},
                 {"rho", "1"},
                 {"cg_iterations", "20"},
                 {"final_consistency", "false"},
                 {"splitting", "carried"},
                 {"tv_norm", norm}};
    expect_close(run("diffusion_mbir", keys, y, op, noise), y.mean(0, true).expand_as(y), 1e-4);
    keys.emplace_back("tv_axes", "all");
    expect_close(run("diffusion_mbir", keys, y, op, noise), y.mean().expand_as(y), 1e-4);
  }
  // Made afresh in each step, what it does not reach is a quadratic penalty: (I + rho D^T D) x = y.
  const Keys keys = {
      {"steps", "3"}, {"tv_weight", "50"}, {"rho", "2"}, {"cg_iterations", "20"}, {"final_consistency", "false"}};
  const at::Tensor inverse = at::linalg_inv(row({3, -2, 0, -2, 5, -2, 0, -2, 3}).reshape({3, 3}));
  expect_close(run("diffusion_mbir", keys, y, op, noise), at::matmul(inverse, y.flatten(1)).reshape({3, 1, 2, 2}),
               1e-9);
}

TEST_F(MedicalSolversTest, MbirDoesNotDependOnItsChunks) {
  RadonConfig config;
  config.image = {1, 6, 6};
  config.rays.views = 5;
  const Radon op(config);
  at::manual_seed(4);
  const at::Tensor y = op.apply(at::rand({5, 1, 6, 6}));
  const diffusion::GaussianOracle prior(at::full({1}, 0.5), 0.3, *process_);
  std::vector<at::Tensor> found;
  for (const char* chunk : {"1", "2", "12"}) {
    CounterNoise noise(1);
    found.push_back(run("diffusion_mbir", {{"steps", "6"}, {"chunk", chunk}}, y, op, noise, &prior));
  }
  expect_close(found[1], found[0], 1e-3);
  expect_close(found[2], found[0], 1e-3);
}

TEST_F(MedicalSolversTest, MbirRestoresAVolume) {
  RadonConfig config;
  config.image = {1, 12, 12};
  config.rays.views = 14;
  const Radon op(config);
  at::manual_seed(5);
  const at::Tensor slice = at::rand({1, 1, 12, 12}), x = slice + 0.01 * at::randn({6, 1, 12, 12});
  const diffusion::GaussianOracle prior(slice.mean(), 0.3, *process_);
  CounterNoise noise(2), same(2), again(2);
  const Keys keys = {{"steps", "100"}, {"cg_iterations", "20"}, {"rho", "0.005"}};
  const at::Tensor found = run("diffusion_mbir", keys, op.apply(x), op, noise, &prior);
  const auto error = [&](const at::Tensor& guess) { return (guess - x).square().mean().item<double>(); };
  EXPECT_LE(error(found), 0.5 * error(op.pseudo_inverse(op.apply(x))));
  // The weights follow the unit of the sinogram.
  config.rays.pixel = 0.1;
  const Radon other(config);
  expect_close(run("diffusion_mbir", {{"steps", "20"}}, other.apply(x), other, same, &prior),
               run("diffusion_mbir", {{"steps", "20"}}, op.apply(x), op, again, &prior), 1e-3);
}

TEST_F(MedicalSolversTest, ScoreMriReturnsAFullMeasurement) {
  at::manual_seed(6);
  const at::Tensor full = at::ones({5, 6});
  const diffusion::GaussianOracle prior(at::zeros({1}), 0.4, *process_);
  CounterNoise noise(3);
  const at::Tensor real = at::randn({2, 1, 5, 6}, at::kDouble), complex = random_complex({2, 1, 5, 6});
  for (const char* result : {"mean", "state", "repeated"}) {
    const Keys keys = {{"steps", "3"}, {"result", result}};
    const Mri one = fourier({1, 5, 6}, "real", full), two = fourier({1, 5, 6}, "complex", full);
    expect_close(run("score_mri", keys, one.apply(real), one, noise, &prior), real, 1e-6);
    expect_close(run("score_mri", keys, two.apply(complex), two, noise, &prior), complex, 1e-6);
  }
  // With maps whose squares add up to 1, H^* H is 1 as well.
  const Mri sense = fourier({1, 5, 6}, "complex", full, birdcage_maps(4, 5, 6));
  expect_close(run("score_mri", {{"steps", "3"}}, sense.apply(complex), sense, noise, &prior), complex, 1e-3);
}

TEST_F(MedicalSolversTest, ScoreMriWalksCoilsByThemselves) {
  at::manual_seed(7);
  const at::Tensor maps = birdcage_maps(3, 6, 8), mask = at::ones({6, 8});
  const Mri op = fourier({1, 6, 8}, "complex", mask, maps);
  const at::Tensor x = random_complex({1, 1, 6, 8}), coils = maps * x;
  CounterNoise noise(4);
  for (const char* update : {"maps", "broadcast"}) {
    Keys keys = {{"steps", "4"},    {"state", "coils"},   {"order", "predictor_first"},
                 {"init", "noise"}, {"sense_every", "2"}, {"sense_update", update}};
    const at::Tensor found = run("score_mri", keys, op.apply(x), op, noise);
    EXPECT_EQ(found.sizes(), (std::vector<std::int64_t>{1, 3, 6, 8}));
    // Coil images that the maps explain are left alone; official code adds what A of them lacks.
    if (std::string(update) == "maps") expect_close(found, coils, 1e-5);
  }
}

TEST_F(MedicalSolversTest, SenseStepAddsTheMissingPartByCoil) {
  // One pixel, two coils, nothing measured at first sight: the state stays 0, and with y the correction is
  // w S_c sum conj(S) y = w S_c x.
  const at::Tensor maps = at::complex(row({0.6, 0.8}), row({0, 0})).reshape({2, 1, 1});
  const Mri op = fourier({1, 1, 1}, "complex", at::zeros({1, 1}), maps);
  const at::Tensor y = at::complex(row({3, 5}), row({0, 0})).reshape({1, 2, 1, 1});
  ZeroNoise noise;
  const Keys keys = {{"steps", "2"}, {"state", "coils"}, {"init", "noise"}, {"sense_every", "1"}};
  // The mask hides y from the corrections too.
  expect_close(at::real(run("score_mri", keys, y, op, noise)), at::zeros({1, 2, 1, 1}, at::kDouble));
  const Mri open = fourier({1, 1, 1}, "complex", at::ones({1, 1}), maps);
  // Measured coils hold y; together they say 0.6 * 3 + 0.8 * 5 = 5.8, of which the maps explain (3.48, 4.64): what is
  // left has no part along the maps.
  expect_close(at::real(run("score_mri", keys, y, open, noise)), row({3, 5}).reshape({1, 2, 1, 1}), 1e-6);
}

TEST_F(MedicalSolversTest, ScoreMriDrawsByNameInOrder) {
  const at::Tensor mask = at::ones({2, 2});
  const Mri real = fourier({1, 2, 2}, "real", mask), complex = fourier({1, 2, 2}, "complex", mask);
  using Names = std::vector<std::string>;
  diffusion::ListedNoise first, second, third;
  run("score_mri", {{"steps", "2"}}, at::zeros({1, 1, 2, 2}, at::kComplexFloat), real, first);
  EXPECT_EQ(first.draws, (Names{"prior 0", "corrector 0", "predictor 0", "corrector 1", "predictor 1"}));
  run("score_mri", {{"steps", "2"}, {"order", "predictor_first"}}, at::zeros({1, 1, 2, 2}, at::kComplexFloat), complex,
      second);
  EXPECT_EQ(second.draws, (Names{"prior 0", "prior 1", "predictor 0", "predictor 1", "corrector 0", "corrector 1",
                                 "predictor 2", "predictor 3", "corrector 2", "corrector 3"}));
  const Mri two = fourier({1, 2, 2}, "complex", mask, birdcage_maps(2, 2, 2));
  run("score_mri", {{"steps", "2"}, {"state", "coils"}}, at::zeros({1, 2, 2, 2}, at::kComplexFloat), two, third);
  third.draws.resize(10);
  EXPECT_EQ(third.draws, (Names{"prior 0", "prior 1", "corrector 0", "corrector 1", "predictor 0", "predictor 1",
                                "corrector 2", "corrector 3", "predictor 2", "predictor 3"}));
}

TEST_F(MedicalSolversTest, WithoutAMeasurementThePriorIsSampled) {
  // x0 ~ N(0.7, 0.5^2) in 4096 pixels; nothing is measured.
  const Mri op = fourier({1, 64, 64}, "complex", at::zeros({64, 64}));
  const diffusion::GaussianOracle prior(at::full({1}, 0.7), 0.5, *process_);
  CounterNoise noise(5);
  const at::Tensor y = at::zeros({1, 1, 64, 64}, at::kComplexFloat);
  const at::Tensor x = run("score_mri", {{"steps", "400"}}, y, op, noise, &prior);
  for (const at::Tensor& part : {at::real(x), at::imag(x)}) {
    EXPECT_NEAR(part.mean().item<double>(), 0.7, 0.05);
    EXPECT_NEAR(part.std().item<double>(), 0.5, 0.05);
  }
}

TEST_F(MedicalSolversTest, ItemsDoNotDependOnTheirBatch) {
  at::manual_seed(8);
  const at::Tensor mask = kspace_mask({.type = "gaussian1d", .acceleration = 2, .center_fraction = 0.1}, 6, 8);
  const Mri op = fourier({1, 6, 8}, "real", mask);
  const at::Tensor y = op.apply(at::rand({2, 1, 6, 8}));
  const diffusion::GaussianOracle prior(at::full({1}, 0.5), 0.2, *process_);
  const auto walk = [&](const at::Tensor& some, const Keys& keys) {
    ZeroNoise noise;
    return run("score_mri", keys, some, op, noise, &prior);
  };
  expect_close(walk(y, {{"steps", "4"}}).slice(0, 1), walk(y.slice(0, 1), {{"steps", "4"}}), 1e-6);
  expect_close(walk(y, {{"steps", "4"}, {"chunk", "1"}}), walk(y, {{"steps", "4"}}), 1e-6);
}

TEST_F(MedicalSolversTest, SayWhatTheyRefuse) {
  const Identity op({.image = {1, 2, 2}});
  const at::Tensor y = at::zeros({1, 1, 2, 2});
  CounterNoise noise(6);
  const auto refused = [&](const std::string& text, const std::string& name, const Keys& keys) {
    expect_error(Errc::kUsage, text, [&] { run(name, keys, y, op, noise); });
  };
  refused("solver.steps", "score_mri", {{"steps", "1"}});
  refused("solver.init", "score_mri", {{"init", "given"}});
  refused("needs the operator mri", "score_mri", {{"steps", "2"}, {"state", "coils"}});
  refused("solver.state = coils", "score_mri", {{"sense_every", "2"}});
  refused("solver.rho", "diffusion_mbir", {{"rho", "-1"}});
  refused("solver.boundary", "diffusion_mbir", {{"boundary", "reflect"}});
  refused("solver.t_eps", "diffusion_mbir", {{"t_eps", "1"}});
  const Mri complex = fourier({1, 2, 2}, "complex", at::ones({2, 2}));
  expect_error(Errc::kUsage, "real images", [&] {
    run("diffusion_mbir", {{"steps", "2"}}, at::zeros({1, 1, 2, 2}, at::kComplexFloat), complex, noise);
  });
}

}  // namespace
}  // namespace reseda::inverse
