#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "modules/train/rddm_loss.hpp"
#include "modules/train/resfusion_loss.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/rddm_variant.hpp"
#include "tests/golden/residual_network.hpp"

namespace reseda::golden {
namespace {

constexpr double kNormRounding = 3e-6;

at::Tensor mapped(const at::Tensor& image) { return image * 2 - 1; }

/// A class map [B,H,W] as channels of -1 and 1.
at::Tensor mask_channels(const at::Tensor& classes, std::int64_t count) {
  const at::Tensor index = at::arange(count, at::kLong).reshape({1, -1, 1, 1});
  return mapped(classes.unsqueeze(1).eq(index).to(at::kFloat));
}

/// Gradients of the network's parameters by name, and their norm over all of them and `others`.
void check_gradients(GoldenCase& golden, const std::string& out, const nets::Network& network,
                     const std::vector<at::Tensor>& others) {
  double squares = 0;
  for (const auto& [name, parameter] : network.tensors()) {
    if (!parameter.requires_grad() || !parameter.grad().defined()) continue;
    squares += std::pow(parameter.grad().norm().item<double>(), 2.0);
    if (golden.has(out + "grad." + name)) golden.check(out + "grad." + name, parameter.grad());
  }
  for (const at::Tensor& other : others) squares += std::pow(other.grad().norm().item<double>(), 2.0);
  if (!golden.has(out + "grad_norm")) return;
  // Rounding moves official gradients by 1e-5 of their size (float32 against float64) and their norm by some of that,
  // whatever the one recorded pair of norms says.
  const double stated = golden.tolerance(out + "grad_norm").atol, norm = std::sqrt(squares);
  golden.check(out + "grad_norm", at::scalar_tensor(norm), {.atol = std::max(stated, kNormRounding * norm)});
}

/// The share that the automatic choice of RDDM's objective learns: a parameter until it is frozen.
at::Tensor share_of(const nlohmann::json& settings) {
  if (settings.value("objective", "") != "auto_res_noise" || settings.contains("alpha_res_to_0_or_1")) return {};
  return at::full({1}, settings.value("alpha_res", 0.5), at::kFloat).requires_grad_(true);
}

std::string decided(const nlohmann::json& settings) {
  const std::string objective = settings.value("objective", "pred_res_noise");
  if (!settings.contains("alpha_res_to_0_or_1")) return objective;
  return settings["alpha_res_to_0_or_1"].get<double>() > 0.5 ? "pred_res" : "pred_noise";
}

void run_rddm_variant(GoldenCase& golden, const nlohmann::json& run) {
  const nlohmann::json& config = golden.config();
  nlohmann::json settings = config.at("diffusion");
  settings.update(run.value("diffusion", nlohmann::json::object()));
  settings["variant"] = config.at("variant");
  const ResidualNetwork made = make_residual_network(config, golden.weights());
  const auto process = rddm_process_of(settings);
  const train::RddmLoss loss({.objective = decided(settings), .norm = settings.value("loss_type", "l1")},
                             process->schedule());
  const at::Tensor x0 = mapped(golden.input("gt"));
  at::Tensor y = golden.has("in.input") ? mapped(golden.input("input")) : at::Tensor();
  const train::RddmBatch batch = loss.degrade(x0, y, golden.draws().at(0), golden.input("t"));
  if (golden.has("in.mask")) {
    const at::Tensor mask = golden.input("mask");
    y = at::cat({y, settings.value("input_condition_mask", false) ? mask : mapped(mask)}, 1);
  }
  const at::Tensor times = (batch.index + 1).to(at::kDouble) / static_cast<double>(process->steps());
  const at::Tensor predictions = made.network->forward(batch.x_t, made.condition_channels > 0 ? y : at::Tensor(),
                                                       diffusion::network_input_times(*process, times));
  const at::Tensor share = share_of(settings);
  std::vector<at::Tensor> losses = loss(predictions, batch, share);
  const at::Tensor total =
      share.defined() ? (share * losses[0] + (1 - share) * losses[1]).sum() : at::stack(losses).sum();
  total.backward();

  const std::string out = "out." + run.at("tag").get<std::string>() + ".";
  golden.check_if_recorded(out + "loss", total.detach());
  golden.check_if_recorded(out + "total", total.detach());
  // A frozen choice records 0 as its second loss.
  while (golden.has(out + "loss." + std::to_string(losses.size()))) losses.push_back(at::zeros({}));
  for (std::size_t i = 0; i < losses.size(); ++i)
    golden.check_if_recorded(out + "loss." + std::to_string(i), losses[i].detach());
  if (share.defined()) golden.check_if_recorded(out + "grad.alpha_res", share.grad());
  check_gradients(golden, out, *made.network, share.defined() ? std::vector{share} : std::vector<at::Tensor>{});
}

void run_resfusion_variant(GoldenCase& golden, const nlohmann::json& run) {
  const nlohmann::json& config = golden.config();
  const ResidualNetwork made = make_residual_network(config, golden.weights());
  const train::ResfusionLoss loss(
      {.mode = run.at("mode").get<std::string>(), .norm = run.at("loss_type").get<std::string>()},
      diffusion::resfusion_schedule(resfusion_schedule_of(run.at("scheduler"))));
  at::Tensor y = golden.has("in.input") ? mapped(golden.input("input")) : at::Tensor();
  const train::ResfusionBatch batch =
      loss.degrade(mapped(golden.input("target")), y, golden.draws().at(0), golden.input("t"));
  if (golden.has("in.masks"))
    y = at::cat({y, mask_channels(golden.input("masks"), made.condition_channels - made.channels)}, 1);
  const at::Tensor value =
      loss(made.network->forward(batch.x_t, made.condition_channels > 0 ? y : at::Tensor(), batch.index.to(at::kFloat)),
           batch);
  value.backward();
  const std::string out = "out." + run.at("tag").get<std::string>() + ".";
  golden.check(out + "loss", value.detach());
  check_gradients(golden, out, *made.network, {});
}

}  // namespace

/// RDDM's training losses and their gradients, every run from the same weights, batch and draw.
void run_rddm_loss(GoldenCase& golden) {
  for (const nlohmann::json& run : golden.config().at("runs")) run_rddm_variant(golden, run);
}

/// Resfusion's training losses likewise.
void run_resfusion_loss(GoldenCase& golden) {
  for (const nlohmann::json& run : golden.config().at("runs")) run_resfusion_variant(golden, run);
}

}  // namespace reseda::golden
