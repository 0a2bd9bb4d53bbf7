// ddim, dps, pgdm, mcg, ddnm, diffpir: the samplers that look at the measurement on their way.
#include <cmath>

#include "modules/inverse/conjugate_gradient.hpp"
#include "modules/inverse/solvers/solver_times.hpp"
#include "tests/modules/inverse/solvers/small_problem.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

using diffusion::GaussianOracle;
using tests::expect_error;

class Guided : public testing::Test {
 protected:
  at::Tensor draw(const char* stream, at::IntArrayRef shape = {2, 1, 4, 4}) {
    return diffusion::draw_like(noise_, {"data", stream, 0}, at::empty(shape, at::kDouble));
  }
  std::unique_ptr<ForwardOperator> make(const std::string& name, const Keys& keys = {}) {
    return make_operator(component(name, keys), {1, 4, 4});
  }
  at::Tensor run(const std::string& name, const Keys& keys, const Setting& setting = {}) {
    return solve(component(name, keys), y_, *op_, *process_, oracle_, noise_, setting);
  }
  /// The single jump from t = 0.6 to x0, or the first of two jumps, from t = 0.6 to 0.32.
  static Keys one_jump(Keys keys = {}) { return with(std::move(keys), "1"); }
  static Keys two_jumps(Keys keys = {}) { return with(std::move(keys), "2"); }
  static Keys with(Keys keys, const char* steps) {
    const std::string first = steps == std::string("1") ? "29" : "15";
    keys.insert(keys.end(),
                {{"steps", steps}, {"start_step", steps == std::string("1") ? "30" : "43"}, {"end_step", first}});
    return keys;
  }
  SolverTime time(double t) const { return {t, process_->at(t).a.scalar(), process_->at(t).c.scalar()}; }
  at::Tensor drawn(const char* stream, std::uint32_t k) {
    return diffusion::draw_like(noise_, {"item", stream, k}, mu_.expand({2, 1, 4, 4}));
  }
  /// x0 and eps of the oracle, d x0 / d x.
  diffusion::Estimates estimates(const at::Tensor& x, const SolverTime& at) const { return oracle_(x, at.t, {}); }
  static double gain(const SolverTime& at) { return at.a * kD * kD / (at.a * at.a * kD * kD + at.c * at.c); }

  static constexpr double kD = 0.5;
  CounterNoise noise_{5};
  std::unique_ptr<diffusion::Process> process_ = table_process();
  std::unique_ptr<ForwardOperator> op_ = make("super_resolution", {{"factor", "2"}});
  at::Tensor mu_ = 0.4 * draw("mean").narrow(0, 0, 1);
  at::Tensor y_ = op_->apply(mu_ + kD * draw("truth")) + 0.1 * draw("n", {2, 1, 2, 2});
  GaussianOracle oracle_{mu_, kD, *process_};
};

/// The state after the first of two jumps.
#define FIRST_STATE(name, keys, setting_start)                                                                \
  [&] {                                                                                                       \
    at::Tensor state;                                                                                         \
    run(name, two_jumps(keys), {.sigma_y = 0.1, .start = setting_start, .on_step = [&](const SolverStep& s) { \
                                  if (s.step == 0) state = s.state;                                           \
                                }});                                                                          \
    return state;                                                                                             \
  }()

TEST_F(Guided, TimesOfTheTestsAreAsTheySay) {
  std::vector<double> seen;
  run("ddim", two_jumps(), {.on_step = [&](const SolverStep& s) { seen.push_back(s.t); }});
  EXPECT_EQ(seen, (std::vector<double>{0.6, 0.32}));
}

TEST_F(Guided, DdimBeginsWithNoiseOrWithTheNoisedGuess) {
  const SolverTime from = time(0.6), to = time(0.32);
  const at::Tensor guess = draw("guess");
  for (const bool sdedit : {false, true}) {
    const at::Tensor x = sdedit ? from.a * guess + from.c * drawn("prior", 0) : drawn("prior", 0);
    const diffusion::Estimates found = estimates(x, from);
    const JumpWeights w = jump_weights(from, to, 0.7);
    const at::Tensor expected = to.a * found.x0 + w.eps * found.eps + w.noise * drawn("predictor", 0);
    const Keys keys = {{"eta", "0.7"}, {"init", sdedit ? "given" : "noise"}};
    EXPECT_LT(largest(FIRST_STATE("ddim", keys, guess) - expected), 1e-12) << sdedit;
  }
}

TEST_F(Guided, DpsStepsAlongTheResidualsGradient) {
  const SolverTime from = time(0.6), to = time(0.32);
  const at::Tensor x = drawn("prior", 0);
  const diffusion::Estimates found = estimates(x, from);
  const at::Tensor error = y_ - op_->apply(found.x0), back = gain(from) * op_->adjoint(error);
  const JumpWeights w = jump_weights(from, to, 1.0);
  const at::Tensor plain = to.a * found.x0 + w.eps * found.eps + w.noise * drawn("predictor", 0);
  // grad |r| = -k H^T r / |r|, grad |r|^2 = -2 k H^T r.
  const at::Tensor unit = back / per_item(item_norm(error), back);
  const at::Tensor none;
  EXPECT_LT(largest(FIRST_STATE("dps", (Keys{{"scale", "0.3"}, {"clip", "0"}}), none) - plain - 0.3 * unit), 1e-12);
  EXPECT_LT(largest(FIRST_STATE("dps", (Keys{{"scale", "0.3"}, {"clip", "0"}, {"step", "squared_norm"}}), none) -
                    plain - 0.6 * unit),
            1e-12);
  EXPECT_LT(largest(FIRST_STATE("dps", (Keys{{"scale", "9"}, {"clip", "0"}, {"step", "weighted"}}), none) - plain -
                    2 * from.a * to.a * back),
            1e-12);
  EXPECT_LT(largest(FIRST_STATE("dps", (Keys{{"scale", "0"}, {"clip", "0"}}), none) -
                    FIRST_STATE("ddim", (Keys{{"eta", "1"}}), none)),
            1e-12);
}

TEST_F(Guided, DpsTakesTheVarianceThatTheNetworkSays) {
  const SolverTime from = time(0.6), to = time(0.32);
  const at::Tensor x = drawn("prior", 0), share = 0.5 + 0.3 * draw("share").clamp(-1, 1);
  const diffusion::FunctionDenoiser learned([&](const at::Tensor& at, double t, const diffusion::Condition& condition) {
    diffusion::Estimates found = oracle_(at, t, condition);
    found.variance_share = share;
    return found;
  });
  at::Tensor state;
  const Keys keys = {{"scale", "0"}, {"clip", "0"}, {"variance", "learned_range"}};
  solve(component("dps", two_jumps(keys)), y_, *op_, *process_, learned, noise_, {.on_step = [&](const SolverStep& s) {
          if (s.step == 0) state = s.state;
        }});
  // beta and betatilde of the step, by hand.
  const double ratio = from.a / to.a, beta = from.c * from.c - ratio * ratio * to.c * to.c;
  const double small = to.c * to.c * beta / (from.c * from.c);
  const at::Tensor variance = (share * std::log(beta) + (1 - share) * std::log(small)).exp();
  const at::Tensor mean = (ratio * to.c * to.c * x + to.a * beta * estimates(x, from).x0) / (from.c * from.c);
  EXPECT_LT(largest(state - mean - variance.sqrt() * drawn("predictor", 0)), 1e-12);
  expect_error(Errc::kUsage, "needs a network that predicts it", [&] { run("dps", two_jumps(keys)); });
}

TEST_F(Guided, DpsHasNoGradientWhereItClips) {
  const at::Tensor none;
  // Clipped to hardly anything, no estimate moves.
  const at::Tensor free = FIRST_STATE("dps", (Keys{{"scale", "0"}, {"clip", "1e-6"}}), none);
  EXPECT_LT(largest(FIRST_STATE("dps", (Keys{{"scale", "5"}, {"clip", "1e-6"}}), none) - free), 1e-12);
  EXPECT_GT(largest(FIRST_STATE("dps", (Keys{{"scale", "5"}, {"clip", "100"}}), none) - free), 1e-2);
}

TEST_F(Guided, DpsDifferentiatesNonlinearOperators) {
  op_ = make("hdr");
  y_ = op_->apply(mu_ + kD * draw("truth"));
  const SolverTime from = time(0.6);
  const at::Tensor x = drawn("prior", 0), none;
  const at::Tensor plain = FIRST_STATE("dps", (Keys{{"scale", "0"}, {"clip", "0"}}), none);
  const at::Tensor moved = plain - FIRST_STATE("dps", (Keys{{"scale", "1"}, {"clip", "0"}}), none);
  const double h = 1e-6;
  for (const std::int64_t i : {0, 7, 13}) {
    const auto norm = [&](double shift) {
      at::Tensor there = x.clone();
      there.view({2, 16})[1][i] += shift;
      return item_norm(y_ - op_->apply(estimates(there, from).x0))[1].item<double>();
    };
    EXPECT_NEAR(moved.reshape({2, 16})[1][i].item<double>(), (norm(h) - norm(-h)) / (2 * h), 1e-6) << i;
  }
}

TEST_F(Guided, PgdmFollowsThePseudoInversesResidual) {
  const SolverTime from = time(0.6), to = time(0.32);
  const at::Tensor guess = draw("guess"), x = from.a * guess + from.c * drawn("prior", 0);
  const diffusion::Estimates found = estimates(x, from);
  const at::Tensor g = gain(from) * op_->pseudo_inverse(y_ - op_->apply(found.x0));
  const JumpWeights w = jump_weights(from, to, 0.4);
  const at::Tensor plain = to.a * found.x0 + w.eps * found.eps + w.noise * drawn("predictor", 0);
  const auto expect = [&](const char* weight, double factor) {
    const Keys keys = {{"eta", "0.4"}, {"scale", "0.8"}, {"weight", weight}};
    EXPECT_LT(largest(FIRST_STATE("pgdm", keys, guess) - plain - 0.8 * from.a * factor * g), 1e-12) << weight;
  };
  expect("awd", to.a);
  expect("mcg", 1.0);
  expect("jump", to.a - w.eps * from.a / from.c);
  const Keys off = {{"eta", "0.4"}, {"scale", "0"}};
  EXPECT_LT(largest(FIRST_STATE("pgdm", off, guess) - plain), 1e-12);
}

TEST_F(Guided, PgdmProjectsWhatTheMeasurementKnows) {
  const at::Tensor found = run("pgdm", one_jump({{"project", "true"}}));
  EXPECT_LT(largest(op_->apply(found) - y_), 1e-12);
  // The guidance moves nothing that is known: with and without it the same.
  const at::Tensor none;
  const at::Tensor with = FIRST_STATE("pgdm", (Keys{{"project", "true"}}), none),
                   without = FIRST_STATE("pgdm", (Keys{{"project", "true"}, {"scale", "0"}}), none);
  EXPECT_LT(largest(op_->apply(with) - op_->apply(without)), 1e-12);
}

TEST_F(Guided, PgdmTakesTheNoiseAnew) {
  const SolverTime from = time(0.6), to = time(0.32);
  const at::Tensor guess = draw("guess"), x = from.a * guess + from.c * drawn("prior", 0);
  const at::Tensor found = estimates(x, from).x0, x0 = found + op_->pseudo_inverse(y_ - op_->apply(found));
  const at::Tensor expected = to.a * x0 + to.c * (x - from.a * x0) / from.c;
  const Keys keys = {{"scale", "0"}, {"project", "true"}, {"renoise", "true"}};
  EXPECT_LT(largest(FIRST_STATE("pgdm", keys, guess) - expected), 1e-12);
}

TEST_F(Guided, PgdmPushesTheContrastUp) {
  const at::Tensor guess = draw("guess");
  const Keys plain = {{"scale", "1"}}, pushed = {{"scale", "1"}, {"contrast", "2"}};
  const SolverTime from = time(0.6), to = time(0.32);
  const at::Tensor x0 = estimates(from.a * guess + from.c * drawn("prior", 0), from).x0, flat = x0.flatten(1);
  const at::Tensor slope = (flat - flat.mean(1, true)) / (15 * flat.std(1, true, true));
  const at::Tensor moved = FIRST_STATE("pgdm", pushed, guess) - FIRST_STATE("pgdm", plain, guess);
  EXPECT_LT(largest(moved.flatten(1) - from.a * to.a * gain(from) * 2 * slope), 1e-12);
}

TEST_F(Guided, McgReplacesTheKnownAndMovesTheRest) {
  op_ = make("inpaint");
  y_ = op_->apply(mu_ + kD * draw("truth"));
  const SolverTime from = time(0.6), to = time(0.32);
  const at::Tensor guess = draw("guess"), x = from.a * guess + from.c * drawn("prior", 0),
                   mask = op_->apply(at::ones_like(x));
  ASSERT_GT(mask.sum().item<double>(), 0);
  ASSERT_LT(mask.mean().item<double>(), 1);
  const diffusion::Estimates found = estimates(x, from);
  const JumpWeights w = jump_weights(from, to, 0.3);
  const at::Tensor free = to.a * found.x0 + w.eps * found.eps + w.noise * drawn("predictor", 0);
  // The oracle's pixels do not depend on each other, so that nothing pulls the unknown ones.
  const at::Tensor expected = (1 - mask) * free + mask * (to.a * y_ + to.c * drawn("measurement", 0));
  const Keys keys = {{"eta", "0.3"}, {"scale", "0.5"}};
  EXPECT_LT(largest(FIRST_STATE("mcg", keys, guess) - expected), 1e-12);
}

TEST_F(Guided, McgMovesTheUnknownAlongTheGradient) {
  op_ = make("inpaint");
  const at::Tensor truth = draw("truth"), mask = op_->apply(at::ones_like(truth)), guess = draw("guess");
  y_ = op_->apply(truth);
  // Each estimate is the mean of its row: the known pixels pull the unknown ones.
  const diffusion::FunctionDenoiser rows([](const at::Tensor& x, double, const diffusion::Condition&) {
    return diffusion::Estimates{x.mean(3, true).expand_as(x), at::zeros_like(x)};
  });
  const auto state = [&](const char* scale) {
    at::Tensor first;
    solve(component("mcg", two_jumps({{"scale", scale}})), y_, *op_, *process_, rows, noise_,
          {.start = guess, .on_step = [&](const SolverStep& s) {
             if (s.step == 0) first = s.state;
           }});
    return first;
  };
  const SolverTime from = time(0.6);
  const at::Tensor x0 = (from.a * guess + from.c * drawn("prior", 0)).mean(3, true).expand_as(guess);
  // d/dx of sum (m (y - x0))^2 = -2 mean over the row of m (y - x0).
  const at::Tensor gradient = -2 * (mask * (y_ - x0)).mean(3, true).expand_as(guess);
  EXPECT_LT(largest(state("0.5") - state("0") + 0.5 * from.a * (1 - mask) * gradient), 1e-12);
}

TEST_F(Guided, DdnmTakesTheRangeFromTheMeasurement) {
  EXPECT_LT(largest(op_->apply(run("ddnm", one_jump())) - y_), 1e-12);
  EXPECT_LT(largest(op_->apply(run("ddnm", {{"steps", "7"}})) - y_), 1e-12);
  const SolverTime from = time(0.6), to = time(0.32);
  const diffusion::Estimates found = estimates(drawn("prior", 0), from);
  const at::Tensor x0 = found.x0 + op_->pseudo_inverse(y_ - op_->apply(found.x0));
  at::Tensor state;
  run("ddnm", two_jumps({{"eta", "0.6"}}), {.on_step = [&](const SolverStep& s) {
        if (s.step == 0) state = s.state;
      }});
  EXPECT_LT(largest(state - to.a * x0 - to.c * (0.8 * found.eps + 0.6 * drawn("predictor", 0))), 1e-12);
}

TEST_F(Guided, DdnmLeavesRoomForTheMeasurementsNoise) {
  const SolverTime from = time(0.6), to = time(0.32);
  const diffusion::Estimates found = estimates(drawn("prior", 0), from);
  const SpectralForm& form = *op_->spectral();
  const at::Tensor z = drawn("predictor", 0), lack = op_->pseudo_inverse(y_ - op_->apply(found.x0));
  const auto state = [&](double sigma) {
    at::Tensor first;
    run("ddnm", two_jumps({{"eta", "0.6"}}), {.sigma_y = sigma, .on_step = [&](const SolverStep& s) {
                                                if (s.step == 0) first = s.state;
                                              }});
    return form.vt(first);
  };
  const at::Tensor x0 = form.vt(found.x0), e = form.vt(found.eps), n = form.vt(z), l = form.vt(lack);
  const auto head = [](const at::Tensor& x) { return x.narrow(1, 0, 4); };
  const auto tail = [](const at::Tensor& x) { return x.narrow(1, 4, 12); };
  // Singular values 1/2: the correction brings deviation r = 2 a' sigma.
  for (const double sigma : {0.01, 4.0}) {
    const double r = 2 * to.a * sigma;
    ASSERT_EQ(r < to.c, sigma == 0.01);
    const at::Tensor expected = r < to.c ? to.a * head(x0 + l) + std::sqrt(to.c * to.c - r * r) * head(n)
                                         : to.a * (head(x0) + to.c * 0.8 / r * head(l)) + 0.6 * to.c * head(n);
    EXPECT_LT(largest(head(state(sigma)) - expected), 1e-12) << sigma;
    EXPECT_LT(largest(tail(state(sigma)) - to.a * tail(x0) - to.c * (0.8 * tail(e) + 0.6 * tail(n))), 1e-12);
  }
}

TEST_F(Guided, DiffPirEndsOnTheBestCompromise) {
  const double sigma = 0.1;
  at::Tensor x0;
  const diffusion::FunctionDenoiser kept([&](const at::Tensor& x, double t, const diffusion::Condition& condition) {
    const diffusion::Estimates found = oracle_(x, t, condition);
    x0 = found.x0;
    return found;
  });
  const SolverTime from = time(0.6);
  const double rho = 3.0 * std::pow(sigma / from.ratio(), 2.0);
  const Keys keys = one_jump({{"lambda", "3"}});
  const at::Tensor found = solve(component("diffpir", keys), y_, *op_, *process_, kept, noise_, {.sigma_y = sigma});
  // The gradient of |y - H x|^2 + rho |x - x0|^2 vanishes.
  EXPECT_LT(largest(op_->adjoint(op_->apply(found) - y_) + rho * (found - x0)), 1e-12);
}

TEST_F(Guided, DiffPirStepsAlike) {
  const SolverTime from = time(0.6), to = time(0.32);
  const at::Tensor guess = draw("guess"), x = from.a * guess + from.c * drawn("prior", 0);
  const double rho = 4.0 * std::pow(0.1 / from.ratio(), 2.0);
  const at::Tensor moved = least_squares(*op_, y_, rho, estimates(x, from).x0, {200, 1e-14}).x;
  const at::Tensor eps = (x - from.a * moved) / from.c;
  const at::Tensor expected = to.a * moved + to.c * (std::sqrt(0.75) * eps + 0.5 * drawn("predictor", 0));
  const Keys keys = {{"zeta", "0.25"}};
  EXPECT_LT(largest(FIRST_STATE("diffpir", keys, guess) - expected), 1e-10);
}

TEST_F(Guided, NeedWhatTheirOperatorHas) {
  op_ = make("hdr");
  y_ = op_->apply(draw("truth"));
  for (const char* name : {"mcg", "ddnm"})
    expect_error(Errc::kUsage, std::string("solver ") + name + " needs a linear operator with a pseudo-inverse", [&] {
      run(name, {{"steps", "2"}});
    });
  expect_error(Errc::kUsage, "solver diffpir needs a linear operator", [&] { run("diffpir", {{"steps", "2"}}); });
  expect_error(Errc::kUsage, "solver ddrm needs an operator with a spectral form", [&] {
    run("ddrm", {{"steps", "2"}});
  });
  expect_error(Errc::kUsage, "solver pgdm with project needs", [&] {
    run("pgdm", {{"steps", "2"}, {"project", "true"}});
  });
}

TEST_F(Guided, StopWhenAskedAndEndWhatIsNotFinite) {
  const Setting stop{.progress = [](const Progress& progress) { return progress.done < 2; }};
  const diffusion::FunctionDenoiser broken([](const at::Tensor& x, double, const diffusion::Condition&) {
    return diffusion::Estimates{at::full_like(x, std::nan("")), at::full_like(x, std::nan(""))};
  });
  for (const char* name : {"ddim", "dps", "pgdm", "mcg", "ddnm", "diffpir", "ddrm", "red_diff"}) {
    expect_error(Errc::kInterrupted, "item: stopped after step 2", [&] { run(name, {{"steps", "5"}}, stop); });
    expect_error(Errc::kNumeric, "diverged", [&] {
      solve(component(name, {{"steps", "5"}}), y_, *op_, *process_, broken, noise_);
    });
  }
}

}  // namespace
}  // namespace reseda::inverse
