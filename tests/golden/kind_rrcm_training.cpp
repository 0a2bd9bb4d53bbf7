#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modules/diffusion/processes/karras_ve.hpp"
#include "modules/train/adam.hpp"
#include "modules/train/info_nce.hpp"
#include "modules/train/layer_decay.hpp"
#include "modules/train/rrcm_loss.hpp"
#include "modules/train/rrcm_schedule.hpp"
#include "modules/train/smoothing_loss.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/rrcm_network.hpp"

namespace reseda::golden {
namespace {

using Json = nlohmann::json;
using Net = std::shared_ptr<nets::RrcmVit>;

/// Where the json gives no tolerance for a tensor: of its largest value.
constexpr double kShare = 3e-4;

void check_loosely(GoldenCase& golden, const std::string& name, const at::Tensor& value, double share = kShare) {
  const double scale = golden.tensor(name).abs().max().item<double>();
  golden.check(name, value, {.atol = share * scale + 1e-7});
}

train::RrcmPretrainLoss::Network caller(const Net& network) {
  return [network](const at::Tensor& x, const at::Tensor& t) {
    const at::Tensor representation = network->features(x, t).representation;
    return train::RrcmRepresentation{representation, network->project(representation)};
  };
}

void check_statistics(GoldenCase& golden, const Net& network, const std::string& prefix) {
  for (const char* number : {"1", "4"}) {
    const std::string from = std::string("projection_head.") + number + ".", to = prefix + "bn" + number + "_";
    check_loosely(golden, to + "running_mean", tensor_of(*network, from + "running_mean"), 1e-4);
    check_loosely(golden, to + "running_var", tensor_of(*network, from + "running_var"), 1e-4);
    golden.check(to + "num_batches", tensor_of(*network, from + "num_batches_tracked").view({1}));
  }
}

}  // namespace

/// Keys of several processes.
void run_rrcm_contrastive(GoldenCase& golden) {
  const Json& config = golden.config();
  const auto rank = config.at("rank").get<std::int64_t>();
  const at::Tensor q = golden.input("f").requires_grad_(), all = golden.input("global_targets");
  std::vector<at::Tensor> keys = {all[rank]};
  for (std::int64_t i = 0; i < all.size(0); ++i)
    if (i != rank) keys.push_back(all[i]);
  const at::Tensor loss = train::info_nce(q, at::cat(keys), 0.2);
  golden.check("out.loss", loss.detach());
  golden.check("out.loss_local", train::info_nce(q.detach(), all[rank], 0.2));
  loss.mean().backward();
  golden.check("out.grad_f", q.grad());
}

/// The pre-training loss, its gradients, and what it leaves in batch normalisation.
void run_rrcm_pretrain_loss(GoldenCase& golden) {
  const Json& config = golden.config();
  const Net student = make_rrcm(config, 0, golden.weights("nnet."));
  const Net target = make_rrcm(config, 0, golden.weights("target_model."));
  for (const Net& network : {student, target}) {
    network->train();
    // A case begins with no batch counted.
    for (const char* name : {"projection_head.1.num_batches_tracked", "projection_head.4.num_batches_tracked"})
      tensor_of(*network, name).zero_();
  }
  const diffusion::KarrasVe process({.scales = config.at("num_scales")});
  const train::RrcmPretrainLoss loss(process, config.at("tau"));
  const auto index = static_cast<std::size_t>(golden.input("indices")[0].item<std::int64_t>());
  const train::RrcmViews views = {golden.input("x_start"), golden.input("x_aug"), golden.input("x_aug2")};
  const at::Tensor eps = golden.noise().normal({"", "noise"}, views.plain.sizes());
  const auto parts =
      loss(caller(student), caller(target), views, eps, process.grid().at(index), process.grid().at(index + 1));
  check_loosely(golden, "out.xt_metric1", parts.contrast.detach());
  check_loosely(golden, "out.xt_metric2", parts.consistency.detach());
  const at::Tensor total = parts.contrast + parts.consistency;
  check_loosely(golden, "out.loss", total.detach());
  total.mean().backward();
  at::Tensor squares = at::zeros({});
  for (const auto& [name, tensor] : student->tensors()) {
    if (golden.has("out.grad." + name)) check_loosely(golden, "out.grad." + name, tensor.grad());
    if (tensor.grad().defined()) squares = squares + tensor.grad().square().sum();
  }
  check_loosely(golden, "out.grad_norm", squares.sqrt().view({1}));
  check_statistics(golden, student, "out.nnet.");
  check_statistics(golden, target, "out.target_model.");
}

namespace {

/// Adam with rates of its own for every parameter.
class GroupedAdam {
 public:
  GroupedAdam(const std::vector<StateDict::Entry>& parameters, double lr, double weight_decay,
              const std::function<train::ParameterRates(const StateDict::Entry&)>& rates = {})
      : lr_(lr) {
    for (const auto& entry : parameters) {
      const train::ParameterRates of = rates ? rates(entry) : train::ParameterRates{1.0, weight_decay};
      train::AdamConfig config;
      config.weight_decay = of.weight_decay;
      parameters_.push_back({entry.second, of.lr_factor, train::Adam(config, entry.second.detach())});
    }
  }
  void step(double factor) {
    const at::NoGradGuard no_grad;
    for (auto& [tensor, lr_factor, adam] : parameters_)
      if (tensor.grad().defined()) {
        at::Tensor values = tensor.detach();
        adam.step(values, tensor.grad(), lr_ * factor * lr_factor);
      }
  }

 private:
  struct Parameter {
    at::Tensor tensor;
    double lr_factor;
    train::Adam adam;
  };
  double lr_;
  std::vector<Parameter> parameters_;
};

std::vector<StateDict::Entry> trainable(const Net& network) {
  std::vector<StateDict::Entry> out;
  for (const auto& entry : network->tensors())
    if (entry.second.requires_grad()) out.push_back(entry);
  return out;
}

/// average = rate average + (1 - rate) value, for parameters alone.
void follow(const Net& average, const Net& network, double rate) {
  const at::NoGradGuard no_grad;
  const auto from = trainable(network), to = trainable(average);
  for (std::size_t i = 0; i < from.size(); ++i) at::Tensor(to[i].second).mul_(rate).add_(from[i].second, 1 - rate);
}

double clip(const Net& network, double most) {
  double squares = 0;
  for (const auto& [name, tensor] : trainable(network))
    if (tensor.grad().defined()) squares += tensor.grad().square().sum().item<double>();
  const double norm = std::sqrt(squares), factor = most / (norm + 1e-6);
  if (factor < 1)
    for (const auto& [name, tensor] : trainable(network))
      if (tensor.grad().defined()) tensor.grad().mul_(factor);
  return norm;
}

void reset_statistics(const Net& network) {
  for (const char* number : {"1", "4"}) {
    const std::string of = std::string("projection_head.") + number + ".";
    tensor_of(*network, of + "running_mean").zero_();
    tensor_of(*network, of + "running_var").fill_(1);
  }
}

}  // namespace

/// Some steps of pre-training: rates, clipping after the warm-up, both moving averages.
void run_rrcm_pretrain_steps(GoldenCase& golden) {
  const Json& config = golden.config();
  std::map<std::string, Net> nets;
  for (const char* name : {"nnet", "nnet_ema", "target_model"}) {
    nets[name] = make_rrcm(config, 0, golden.weights());
    nets[name]->train();
    if (std::string(name) != "nnet") reset_statistics(nets[name]);
  }
  const Net student = nets["nnet"];
  train::RrcmScheduleConfig schedule;
  const Json& growth = config.at("ema_scale");
  schedule.total_steps = growth.at("total_steps");
  schedule.target_ema_A = growth.at("target_ema_A");
  GroupedAdam adam(trainable(student), config.at("lr"), config.at("weight_decay"));
  const at::Tensor plain = golden.input("x_start"), first = golden.input("x_aug"), second = golden.input("x_aug2");
  const at::Tensor indices = golden.input("indices");
  for (std::int64_t step = 0; step < config.at("steps").get<std::int64_t>(); ++step) {
    const Json& expected = golden.json().at("per_step")[static_cast<std::size_t>(step)];
    const std::int64_t scales = train::rrcm_scales(schedule, step);
    EXPECT_EQ(scales, expected.at("num_scales").get<std::int64_t>());
    const diffusion::KarrasVe process({.scales = scales});
    const train::RrcmPretrainLoss loss(process, config.at("tau"));
    const auto index = static_cast<std::size_t>(indices[step][0].item<std::int64_t>());
    const at::Tensor eps = golden.noise().normal({"", "noise"}, plain[step].sizes());
    const auto parts = loss(caller(student), caller(nets["target_model"]), {plain[step], first[step], second[step]},
                            eps, process.grid().at(index), process.grid().at(index + 1));
    const at::Tensor total = (parts.contrast + parts.consistency).mean();
    check_loosely(golden, "out.loss_step" + std::to_string(step), total.detach().view({1}), 5e-4);
    for (const auto& entry : trainable(student))
      if (entry.second.grad().defined()) entry.second.grad().zero_();
    total.backward();
    if (!expected.at("clipped_from_norm").is_null()) {
      EXPECT_NEAR(clip(student, config.at("gradclip")) / expected["clipped_from_norm"].get<double>(), 1, 2e-3);
    }
    const double factor = train::warmup_cosine(step, config.at("warmup"), config.at("total"));
    EXPECT_NEAR(config.at("lr").get<double>() * factor, expected.at("lr").get<double>(), 1e-12);
    adam.step(factor);
    follow(nets["nnet_ema"], student, config.at("ema_rate"));
    const double rate = train::rrcm_target_ema(schedule, step);
    EXPECT_NEAR(rate, expected.at("target_ema").get<double>(), 1e-12);
    follow(nets["target_model"], student, rate);
  }
  for (const auto& [name, network] : nets)
    for (const auto& [key, tensor] : network->tensors())
      if (golden.has("out." + name + "." + key))
        check_loosely(golden, "out." + name + "." + key, tensor.detach(), 2e-3);
}

namespace {

/// The classes or shares that the case trains with.
at::Tensor targets_of(GoldenCase& golden) {
  const at::Tensor labels = golden.input("labels"), shares = golden.input("soft_targets");
  return golden.config().at("hard_labels").get<bool>() ? labels : shares;
}

/// Whether a task trains this parameter: the consistency leaves out the head, a linear probe takes the head alone.
bool trains(const std::string& task, const std::string& name) {
  const bool head = name.starts_with("linear_head.");
  return task == "finetune" || head == (task == "linear");
}

}  // namespace

/// A step of fine-tuning: with noise and consistency, without, and of the head alone.
void run_rrcm_finetune(GoldenCase& golden) {
  const Json& config = golden.config();
  const std::string task = config.at("task");
  const bool noisy = task == "consistency";
  const Net network = make_rrcm(config, config.at("classes"), golden.weights());
  const diffusion::KarrasVe process({.scales = config.at("num_scales")});
  const at::Tensor images = golden.input("images"), targets = targets_of(golden);
  at::Tensor x = images;
  double t = process.t_end();
  if (noisy) {
    t = config.at("noise_aug");
    x = images.repeat({2, 1, 1, 1});
    x = x + t * golden.noise().normal({"", "noise"}, x.sizes());
  }
  const at::Tensor times = at::full({x.size(0)}, process.network_time(t), at::kFloat);
  for (const auto& [name, tensor] : network->tensors())
    if (task == "linear" && !trains(task, name)) at::Tensor(tensor).set_requires_grad(false);
  const at::Tensor logits = network->forward(process.network_scale(t) * x, {}, times);
  check_loosely(golden, "out.logits", logits.detach());
  const at::Tensor ce = train::cross_entropy(logits, targets);
  train::SmoothingLossConfig loss = {.lambda = config.at("lbd"), .eta = config.at("eta")};
  const at::Tensor extra = noisy ? train::smoothing_regulariser(loss, logits) : train::mean_entropy(logits);
  if (noisy)
    for (const char* form : {"default", "kl", "xent", "mse"}) {
      loss.form = form;
      check_loosely(golden, std::string("out.consistency_") + form,
                    train::smoothing_regulariser(loss, logits.detach()).view({1}));
    }
  check_loosely(golden, "out.ce", ce.detach().view({1}));
  check_loosely(golden, "out.regulariser", extra.detach().view({1}));
  check_loosely(golden, "out.loss", (ce + extra).detach().view({1}));
  (ce + extra).backward();
  std::vector<StateDict::Entry> chosen;
  for (const auto& [name, tensor] : trainable(network)) {
    if (golden.has("out.grad." + name)) check_loosely(golden, "out.grad." + name, tensor.grad());
    if (trains(task, name)) chosen.emplace_back(name, tensor);
  }
  const train::LayerDecayConfig decay = {
      .decay = config.at("layer_decay"), .depth = config.at("depth"), .weight_decay = config.at("weight_decay")};
  std::map<std::string, train::ParameterRates> rates;
  GroupedAdam adam(chosen, config.at("lr"), 0, [&](const StateDict::Entry& entry) {
    return rates[entry.first] = train::layer_rates(decay, entry.first, entry.second.dim());
  });
  std::size_t listed = 0;
  for (const Json& group : golden.json().at("param_groups"))
    for (const Json& name : group.at("params")) {
      const train::ParameterRates of = rates.at(name);
      EXPECT_NEAR(of.lr_factor * config.at("lr").get<double>(), group.at("lr").get<double>(), 1e-15) << name;
      EXPECT_EQ(of.weight_decay, group.at("weight_decay").get<double>()) << name;
      ++listed;
    }
  EXPECT_EQ(listed, chosen.size());
  adam.step(1);
  // The first step of Adam has the sign of the gradient, so that rounding of a gradient near 0 shows in full.
  for (const auto& [name, tensor] : network->tensors())
    if (golden.has("out.after_step." + name)) check_loosely(golden, "out.after_step." + name, tensor.detach(), 2e-3);
}

}  // namespace reseda::golden
