// What holds for every registered process and every target, whatever its formula.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "modules/diffusion/denoiser.hpp"
#include "modules/diffusion/process.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

/// Processes whose weights on x0 and y do not sum to 1.
const std::set<std::string> kUnbalanced = {"ddpm", "resfusion"};

constexpr Target kTargets[] = {
    Target::kX0,       Target::kEps,      Target::kScaledEps,        Target::kScore, Target::kV, Target::kVelocity,
    Target::kResidual, Target::kResNoise, Target::kResidualAndNoise, Target::kEdmF};

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

class EveryProcess : public testing::TestWithParam<const ProcessEntry*> {
 protected:
  std::unique_ptr<Process> process_ = make_process(component(GetParam()->name));

  /// Times inside the range, away from its ends.
  std::vector<double> inside() const {
    std::vector<double> times;
    for (const double share : {0.07, 0.31, 0.5, 0.77, 0.96})
      times.push_back(process_->t_end() + share * (process_->t_start() - process_->t_end()));
    return times;
  }
};

TEST_P(EveryProcess, RatesAreTheDerivativesOfTheMarginal) {
  const double h = 1e-6 * (process_->t_start() - process_->t_end());
  for (const double t : inside()) {
    const Marginal after = process_->at(t + h), before = process_->at(t - h);
    const Rates rates = process_->rate(t);
    const auto expect = [&](const Coef& up, const Coef& down, const Coef& rate, const char* what) {
      const at::Tensor measured = (up.value - down.value) / (2 * h);
      EXPECT_LT(largest(measured - rate.value), 1e-6 * (1 + largest(rate.value))) << what << " at " << t;
    };
    expect(after.a, before.a, rates.a, "a'");
    expect(after.b, before.b, rates.b, "b'");
    expect(after.c, before.c, rates.c, "c'");
  }
}

TEST_P(EveryProcess, ForwardSdeHasTheMarginal) {
  for (const double t : inside()) {
    const Marginal m = process_->at(t);
    const Rates r = process_->rate(t);
    const ForwardSde sde = forward_sde(m, r);
    EXPECT_LT(largest(sde.f.value * m.a.value - r.a.value), 1e-10 * (1 + largest(r.a.value)));
    EXPECT_LT(largest(sde.f.value * m.b.value + sde.h.value - r.b.value), 1e-10 * (1 + largest(r.b.value)));
    const at::Tensor growth = 2 * sde.f.value * m.c.value.square() + sde.g.value.square();
    EXPECT_LT(largest(growth - 2 * m.c.value * r.c.value), 1e-10 * (1 + largest(growth)));
    EXPECT_TRUE(at::all(sde.g.value > 0).item<bool>());
  }
}

TEST_P(EveryProcess, IsCleanAtItsEnd) {
  const Marginal clean = process_->at(std::min(process_->t_end(), 1e-9));
  EXPECT_LT(largest(clean.a.value - 1.0), 1e-3);
  EXPECT_LT(largest(clean.b.value), 1e-3);
  EXPECT_LT(largest(clean.c.value), 1.1e-2);
}

TEST_P(EveryProcess, MovesFromCleanToDegraded) {
  EXPECT_LT(process_->t_end(), process_->t_start());
  double last = 2.0, last_noise = 0.0;
  for (const double t : inside()) {
    const Marginal m = process_->at(t);
    // The share of x0 falls, or stays while noise grows.
    EXPECT_LE(largest(m.a.value), last);
    if (largest(m.a.value) == last) {
      EXPECT_GT(largest(m.c.value), last_noise);
    }
    last_noise = largest(m.c.value);
    EXPECT_TRUE(at::all(m.c.value > 0).item<bool>());
    last = largest(m.a.value);
    if (kUnbalanced.count(GetParam()->name) == 0) {
      EXPECT_LT(largest(m.a.value + m.b.value - 1.0), 1e-12);
    }
  }
}

TEST_P(EveryProcess, PriorIsTheMeasurementPlusTheNoiseOfTheStart) {
  const double c = largest(process_->at(process_->t_start()).c.value);
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kComplexFloat, at::kComplexDouble}) {
    const at::Tensor y = at::ones({2, 1, 4, 4}, type);
    CounterNoise noise(1), other(2);
    ZeroNoise silent;
    const at::Tensor x = process_->prior(y, noise, "item");
    EXPECT_EQ(x.sizes(), y.sizes());
    EXPECT_EQ(x.scalar_type(), type);
    EXPECT_TRUE(at::equal(x, process_->prior(y, noise, "item")));
    EXPECT_LE(largest(x - process_->prior(y, silent, "item")), 6 * c);
    const bool random = !at::equal(x, process_->prior(y, other, "item"));
    EXPECT_EQ(random, c > 1e-3);
  }
}

TEST_P(EveryProcess, TargetsRoundTrip) {
  for (const at::ScalarType type : {at::kDouble, at::kComplexDouble}) {
    CounterNoise noise(5);
    const auto draw = [&](const char* stream) {
      return draw_like(noise, {"x", stream, 0}, at::empty({2, 3, 4, 5}, type));
    };
    const at::Tensor x0 = draw("x0"), y = draw("y"), eps = draw("eps");
    for (const double t : inside())
      for (const Target target : kTargets) {
        const Marginal m = process_->at(t);
        const Rates r = process_->rate(t);
        const Estimates found =
            estimates_from(target, target_value(target, x0, eps, y, m, r), m.sample(x0, y, eps), y, m, r);
        EXPECT_LT(largest(found.x0 - x0), 1e-9) << target_name(target) << " at " << t;
        EXPECT_LT(largest(found.eps - eps), 1e-9) << target_name(target) << " at " << t;
      }
  }
}

TEST_P(EveryProcess, ConfigIsCompleteAndChecked) {
  const ConfigNode complete = GetParam()->complete(ConfigNode::map(), "process");
  EXPECT_EQ(GetParam()->complete(complete, "process").to_json(), complete.to_json());
  EXPECT_FALSE(GetParam()->about.empty());
  ASSERT_EQ(GetParam()->fields().size(), complete.keys().size());
  for (const ConfigField& field : GetParam()->fields()) {
    EXPECT_FALSE(field.help.empty()) << field.key;
    const auto [code, message] = error_of([&] { make_process(component(GetParam()->name, {{field.key + "x", "1"}})); });
    EXPECT_EQ(code, Errc::kUsage);
    EXPECT_NE(message.find(field.key + "x"), std::string::npos) << message;
    EXPECT_EQ(error_of([&] {
                make_process(component(GetParam()->name, {{field.key, "[nan, x]"}}));
              }).first,
              Errc::kUsage);
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, EveryProcess, testing::ValuesIn(process_entries()),
                         [](const auto& entry) { return entry.param->name; });

}  // namespace
}  // namespace reseda::diffusion
