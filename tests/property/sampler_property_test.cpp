// What holds for every registered sampler on every registered process, with every target, on exact denoisers.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "modules/diffusion/batch_noise.hpp"
#include "modules/diffusion/oracles/gaussian.hpp"
#include "modules/diffusion/sampler.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

constexpr Target kTargets[] = {
    Target::kX0,       Target::kEps,      Target::kScaledEps,        Target::kScore, Target::kV, Target::kVelocity,
    Target::kResidual, Target::kResNoise, Target::kResidualAndNoise, Target::kEdmF};

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

/// A denoiser whose estimates went through a target and back, as those of a network do.
class ThroughTarget final : public Denoiser {
 public:
  ThroughTarget(const Denoiser& inner, Target target, const Process& process)
      : inner_(inner), target_(target), process_(process) {}
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override {
    const Estimates exact = inner_(x, t, condition);
    const Marginal m = process_.at(t);
    const Rates r = process_.rate(t);
    return estimates_from(target_, target_value(target_, exact.x0, exact.eps, condition.y, m, r), x, condition.y, m, r);
  }

 private:
  const Denoiser& inner_;
  Target target_;
  const Process& process_;
};

class CountedDenoiser final : public Denoiser {
 public:
  explicit CountedDenoiser(const Denoiser& inner) : inner_(inner) {}
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override {
    ++calls;
    return inner_(x, t, condition);
  }
  mutable std::int64_t calls = 0;

 private:
  const Denoiser& inner_;
};

struct Pair {
  const SamplerEntry* sampler;
  const ProcessEntry* process;
};

/// What a sampler says to a process within its first step: nothing when they fit.
std::pair<Errc, std::string> objection(const Pair& pair) {
  const auto process = make_process(component(pair.process->name));
  const GaussianOracle oracle(at::zeros({1}, at::kDouble), 0.4, *process);
  ZeroNoise noise;
  const at::Tensor y = at::ones({1, 1, 1, 2}, at::kDouble);
  SampleContext context{.noise = noise, .item = "item", .on_step = [](const Progress&) { return false; }, .trace = {}};
  const auto error = error_of([&] { make_sampler(component(pair.sampler->name))->run(y, *process, oracle, context); });
  return error.first == Errc::kInterrupted ? std::pair(Errc::kInternal, std::string()) : error;
}

std::vector<Pair> all_pairs() {
  std::vector<Pair> pairs;
  for (const SamplerEntry* sampler : sampler_entries())
    for (const ProcessEntry* process : process_entries()) pairs.push_back({sampler, process});
  return pairs;
}

const std::vector<Pair>& fitting_pairs() {
  static const std::vector<Pair> pairs = [] {
    std::vector<Pair> fitting;
    for (const Pair& pair : all_pairs())
      if (objection(pair).second.empty()) fitting.push_back(pair);
    return fitting;
  }();
  return pairs;
}

TEST(SamplersAndProcesses, FitOrSayWhyNot) {
  for (const Pair& pair : all_pairs()) {
    const auto [code, message] = objection(pair);
    if (message.empty()) continue;
    EXPECT_EQ(code, Errc::kUsage) << message;
    EXPECT_NE(message.find(pair.sampler->name), std::string::npos) << message;
  }
  for (const ProcessEntry* process : process_entries()) {
    const auto& pairs = fitting_pairs();
    const auto fits = [&](const Pair& pair) { return pair.process == process; };
    EXPECT_GE(std::count_if(pairs.begin(), pairs.end(), fits), 2) << process->name;
  }
}

/// Why a target cannot be sampled on a process; empty where it can. Where sampling starts without a share of x0 (a = 0)
/// the noise says nothing of it.
std::string unsolvable(Target target, const Process& process) {
  const double t = process.t_start();
  const at::Tensor one = at::ones({1, 2, 1, 1}, at::kDouble);
  return error_of([&] {
           const at::Tensor prediction = target == Target::kResidualAndNoise ? at::cat({one, one}, 1) : one;
           estimates_from(target, prediction, one, one, process.at(t), process.rate(t));
         })
      .second;
}

class EverySamplerOnEveryProcess : public testing::TestWithParam<Pair> {
 protected:
  at::Tensor run(const at::Tensor& y, const Denoiser& denoiser, NoiseSource& noise) const {
    SampleContext context{.noise = noise, .item = "item", .on_step = {}, .trace = {}};
    return sampler_->run(y, *process_, denoiser, context);
  }

  /// One mean for every item: rk45 takes the items of a batch one by one.
  at::Tensor mean(at::ScalarType type) { return draw("mu", type).narrow(0, 0, 1); }
  at::Tensor draw(const char* stream, at::ScalarType type) {
    return draw_like(noise_, {"data", stream, 0}, at::empty({3, 2, 4, 8}, type));
  }

  std::unique_ptr<Sampler> sampler_ = make_sampler(component(GetParam().sampler->name));
  std::unique_ptr<Process> process_ = make_process(component(GetParam().process->name));
  CounterNoise noise_{31};
  at::Tensor y_ = draw("y", at::kDouble), mu_ = mean(at::kDouble);
  GaussianOracle oracle_{mu_, 0.4, *process_};
};

TEST_P(EverySamplerOnEveryProcess, FindsWhatTheDenoiserKnows) {
  // A denoiser that knows x0, and no noise: what is left of y and of the discretisation is small.
  ZeroNoise silent;
  const at::Tensor found = run(y_, GaussianOracle(mu_, 0.0, *process_), silent);
  EXPECT_LT(largest(found - mu_), 0.02 * (largest(y_ - mu_) + largest(y_)));
}

TEST_P(EverySamplerOnEveryProcess, EveryTargetSaysTheSame) {
  const at::Tensor direct = run(y_, oracle_, noise_);
  const bool grows = largest(process_->at(process_->t_start()).c.value) > largest(process_->at(0.5).c.value);
  for (const Target target : kTargets) {
    // Resnoise is defined by noise that grows; towards the end of a bridge it says nothing of x0.
    if (target == Target::kResNoise && !grows) continue;
    if (const std::string reason = unsolvable(target, *process_); !reason.empty()) {
      std::cout << "  left out: " << GetParam().process->name << " at its start: " << reason << "\n";
      continue;
    }
    EXPECT_LT(largest(run(y_, ThroughTarget(oracle_, target, *process_), noise_) - direct), 1e-4)
        << target_name(target);
  }
}

TEST_P(EverySamplerOnEveryProcess, ItemsDoNotDependOnTheirBatch) {
  for (const at::ScalarType type : {at::kFloat, at::kComplexFloat}) {
    const at::Tensor y = draw("y", type), mu = draw("mu", type);
    const FunctionDenoiser denoiser([&](const at::Tensor& x, double t, const Condition& condition) {
      // Each item knows its own mean, found by its measurement.
      std::vector<at::Tensor> means;
      for (std::int64_t i = 0; i < x.size(0); ++i)
        for (std::int64_t j = 0; j < y.size(0); ++j)
          if (at::equal(condition.y[i], y[j])) means.push_back(mu[j]);
      return GaussianOracle(at::stack(means), 0.4, *process_)(x, t, condition);
    });
    const auto rows = [&](const std::vector<std::int64_t>& order) {
      std::vector<std::string> items;
      std::vector<at::Tensor> chosen;
      for (const std::int64_t i : order) {
        items.push_back("item " + std::to_string(i));
        chosen.push_back(y[i]);
      }
      BatchNoise each(noise_, items);
      return run(at::stack(chosen), denoiser, each);
    };
    const at::Tensor all = rows({0, 1, 2}), turned = rows({2, 0});
    for (const std::int64_t i : {0, 1, 2}) EXPECT_TRUE(at::equal(all[i], rows({i})[0])) << i;
    EXPECT_TRUE(at::equal(turned[0], all[2]));
    EXPECT_TRUE(at::equal(turned[1], all[0]));
  }
}

TEST_P(EverySamplerOnEveryProcess, KeepsShapeTypeAndInput) {
  for (const at::ScalarType type : {at::kFloat, at::kComplexFloat, at::kComplexDouble}) {
    const at::Tensor y = draw("y", type), before = y.clone();
    const at::Tensor x = run(y, GaussianOracle(mean(type), 0.4, *process_), noise_);
    EXPECT_EQ(x.sizes(), y.sizes());
    EXPECT_EQ(x.scalar_type(), type);
    EXPECT_TRUE(at::isfinite(x).all().item<bool>());
    EXPECT_TRUE(at::equal(y, before));
  }
}

TEST_P(EverySamplerOnEveryProcess, SinglePrecisionIsEnough) {
  const at::Tensor wide = run(y_, oracle_, noise_);
  const at::Tensor narrow = run(y_.to(at::kFloat), oracle_, noise_);
  EXPECT_LT(largest(narrow - wide), 2e-3);
}

TEST_P(EverySamplerOnEveryProcess, RepeatsItselfAndCountsItsCalls) {
  const CountedDenoiser counted(oracle_);
  const at::Tensor once = run(y_, counted, noise_);
  if (sampler_->network_calls() >= 0) {
    EXPECT_EQ(counted.calls, sampler_->network_calls());
  }
  EXPECT_GT(counted.calls, 0);
  EXPECT_TRUE(at::equal(once, run(y_, oracle_, noise_)));
}

TEST_P(EverySamplerOnEveryProcess, NeverReturnsWhatIsNotFinite) {
  const FunctionDenoiser broken([](const at::Tensor& x, double, const Condition&) {
    return Estimates{at::full_like(x, std::nan("")), at::full_like(x, std::nan(""))};
  });
  EXPECT_EQ(error_of([&] { run(y_, broken, noise_); }).first, Errc::kNumeric);
}

TEST_P(EverySamplerOnEveryProcess, StopsWhenAsked) {
  if (sampler_->network_calls() == 1) return;  // done before anybody can ask
  std::int64_t seen = 0;
  SampleContext context{.noise = noise_,
                        .item = "clip",
                        .on_step =
                            [&](const Progress& progress) {
                              seen = progress.done;
                              return false;
                            },
                        .trace = {}};
  const auto [code, message] = error_of([&] { sampler_->run(y_, *process_, oracle_, context); });
  EXPECT_EQ(code, Errc::kInterrupted);
  EXPECT_EQ(message, "clip: stopped after step 1");
  EXPECT_EQ(seen, 1);
}

INSTANTIATE_TEST_SUITE_P(Registry, EverySamplerOnEveryProcess, testing::ValuesIn(fitting_pairs()),
                         [](const auto& pair) { return pair.param.sampler->name + "_on_" + pair.param.process->name; });

class EverySampler : public testing::TestWithParam<const SamplerEntry*> {};

TEST_P(EverySampler, ConfigIsCompleteAndChecked) {
  const ConfigNode complete = GetParam()->complete(ConfigNode::map(), "sampler");
  EXPECT_EQ(GetParam()->complete(complete, "sampler").to_json(), complete.to_json());
  EXPECT_FALSE(GetParam()->about.empty());
  for (const ConfigField& field : GetParam()->fields()) {
    EXPECT_FALSE(field.help.empty()) << field.key;
    const auto [code, message] = error_of([&] { make_sampler(component(GetParam()->name, {{field.key + "x", "1"}})); });
    EXPECT_EQ(code, Errc::kUsage);
    EXPECT_NE(message.find(field.key + "x"), std::string::npos) << message;
    EXPECT_EQ(error_of([&] {
                make_sampler(component(GetParam()->name, {{field.key, "[[1], x]"}}));
              }).first,
              Errc::kUsage)
        << field.key;
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, EverySampler, testing::ValuesIn(sampler_entries()),
                         [](const auto& entry) { return entry.param->name; });

}  // namespace
}  // namespace reseda::diffusion
