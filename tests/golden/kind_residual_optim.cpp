#include <ATen/ATen.h>

#include <functional>
#include <string>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/train/delayed_average.hpp"
#include "modules/train/radam.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {
namespace {

using Step = std::function<void(at::Tensor& values, const at::Tensor& gradient, double lr)>;

Step optimiser(const std::string& name, const nlohmann::json& args, const at::Tensor& values, bool amsgrad) {
  train::AdamConfig config;
  if (name == "AdamW") config.weight_decay = args.value("weight_decay", 0.0);
  config.amsgrad = amsgrad;
  config.eps = args.value("eps", config.eps);
  if (args.contains("betas")) {
    config.beta1 = args["betas"][0].get<double>();
    config.beta2 = args["betas"][1].get<double>();
  }
  if (name == "RAdam") {
    const auto radam = std::make_shared<train::RAdam>(config, values);
    return [radam](at::Tensor& p, const at::Tensor& g, double lr) { radam->step(p, g, lr); };
  }
  if (name == "SGD") {
    const auto descent = std::make_shared<train::NesterovDescent>(0.9, values);
    return [descent](at::Tensor& p, const at::Tensor& g, double lr) { descent->step(p, g, lr); };
  }
  RESEDA_REQUIRE(name == "Adam" || name == "AdamW", Errc::kInput, "optimiser '", name, "' is not known");
  const auto adam = std::make_shared<train::Adam>(config, values);
  return [adam](at::Tensor& p, const at::Tensor& g, double lr) { adam->step(p, g, lr); };
}

/// Two parameters a and b laid into one vector.
struct Toy {
  at::Tensor a, b;
  at::Tensor joined() const { return at::cat({a.flatten(), b.flatten()}); }
  void check(GoldenCase& golden, const std::string& out, const std::vector<at::Tensor>& states) const {
    const at::Tensor all = at::stack(states);
    const std::int64_t steps = all.size(0), first = a.numel();
    std::vector<std::int64_t> shape_a = {steps}, shape_b = {steps};
    shape_a.insert(shape_a.end(), a.sizes().begin(), a.sizes().end());
    shape_b.insert(shape_b.end(), b.sizes().begin(), b.sizes().end());
    golden.check(out + "a", all.narrow(1, 0, first).reshape(shape_a));
    golden.check(out + "b", all.narrow(1, first, b.numel()).reshape(shape_b));
  }
};

/// What a run of Resfusion's training derives its learning rates from.
std::vector<double> annealed(const nlohmann::json& run, std::int64_t steps) {
  const nlohmann::json& h = run.at("hparams");
  const double first = h.at("blr").get<double>() * h.at("batch_size").get<double>() * h.at("accum_iter").get<double>() *
                       h.at("devices").get<double>() * h.at("num_nodes").get<double>() / 256;
  std::vector<double> out;
  for (std::int64_t i = 0; i < steps; ++i)
    out.push_back(train::cosine_annealing(first, h.at("min_lr").get<double>(),
                                          i / run.at("steps_per_epoch").get<std::int64_t>(),
                                          h.at("epochs").get<std::int64_t>()));
  return out;
}

void run_trajectory(GoldenCase& golden, const nlohmann::json& run) {
  const Toy toy{golden.tensor("in.param.a"), golden.tensor("in.param.b")};
  const at::Tensor grad_a = golden.tensor("in.grad.a"), grad_b = golden.tensor("in.grad.b");
  const bool resfusion = run.contains("hparams");
  const nlohmann::json args = resfusion ? run["hparams"] : run.at("args");
  const std::int64_t steps = grad_a.size(0);
  const std::vector<double> rates =
      resfusion ? annealed(run, steps) : std::vector<double>(static_cast<std::size_t>(steps), args.at("lr"));
  const double limit = run.value(resfusion ? "gradient_clip" : "clip", 0.0);
  at::Tensor values = toy.joined().clone();
  const std::string name = run.at(resfusion ? "optimizer_type" : "opt").get<std::string>();
  // But for AdamW the official decay is part of the gradient.
  const double decay = name == "AdamW" ? 0.0 : args.value("weight_decay", 0.0);
  const Step step = optimiser(name, args, values, resfusion);
  std::vector<at::Tensor> states;
  std::vector<double> norms;
  for (std::int64_t i = 0; i < steps; ++i) {
    at::Tensor gradient = Toy{grad_a[i], grad_b[i]}.joined();
    if (limit > 0) norms.push_back(train::clip_norm(gradient, limit));
    if (decay > 0) gradient.add_(values, decay);
    step(values, gradient, rates[static_cast<std::size_t>(i)]);
    states.push_back(values.clone());
  }
  const std::string out = "out." + run.at("tag").get<std::string>() + ".";
  toy.check(golden, out, states);
  golden.check_if_recorded(out + "grad_norm", at::tensor(norms, at::kDouble).to(at::kFloat));
  golden.check_if_recorded(out + "lr", at::tensor(rates, at::kDouble));
}

}  // namespace

/// Trajectories of the optimisers that RDDM and Resfusion train with.
void run_residual_optim(GoldenCase& golden) {
  for (const nlohmann::json& run : golden.config().at("runs")) run_trajectory(golden, run);
}

/// RDDM's moving average of parameters and float buffers that move by a constant every step.
void run_rddm_ema(GoldenCase& golden) {
  const nlohmann::json& config = golden.config();
  const at::Tensor delta = golden.input("delta");
  at::Tensor weights = golden.input("w0"), buffer = golden.input("buf0");
  const train::DelayedAverageConfig settings = {.decay = config.at("beta").get<double>(),
                                                .every = config.at("update_every").get<std::int64_t>(),
                                                .after = config.value("update_after_step", std::int64_t{100})};
  const auto joined = [&] { return at::cat({weights, buffer}); };
  train::DelayedAverage average(settings, joined());
  const auto record = config.at("record").get<std::vector<std::int64_t>>();
  std::vector<at::Tensor> shadows;
  std::vector<std::int64_t> steps;
  std::vector<float> started;
  for (const std::int64_t until : record) {
    while (average.updates < until) {
      weights = weights + delta;
      buffer = buffer + delta.slice(0, 0, buffer.numel()) / 2;
      average.update(joined());
    }
    shadows.push_back(average.shadow.clone());
    steps.push_back(average.updates);
    started.push_back(average.started ? 1.0F : 0.0F);
  }
  const at::Tensor all = at::stack(shadows);
  golden.check("out.w", all.narrow(1, 0, weights.numel()));
  golden.check("out.buf", all.narrow(1, weights.numel(), buffer.numel()));
  golden.check("out.step", at::tensor(steps, at::kLong));
  golden.check("out.initted", at::tensor(started, at::kFloat));
  // Integer buffers are no parameters: the average leaves them as they were.
  golden.check("out.cnt", at::zeros({static_cast<std::int64_t>(record.size())}, at::kLong));
}

}  // namespace reseda::golden
