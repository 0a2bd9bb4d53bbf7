#include <ATen/ATen.h>

#include <array>
#include <vector>

#include "tests/golden/golden_case.hpp"
#include "tests/golden/golden_loss.hpp"

namespace reseda::golden {
namespace {

/// One setting of the model on the shared batch and draws: the loss, what went into it, and gradients.
void run_variant(GoldenCase& golden, const nlohmann::json& variant, std::vector<at::Tensor> draws) {
  const std::string name = variant.at("name").get<std::string>();
  nlohmann::json settings = golden.config().at("model");
  settings.update(variant.value("model", nlohmann::json::object()));
  // A variant with another process leaves the shared one's keys behind.
  const bool bridge = settings.at("sde") == "sbve";
  for (const char* key : bridge ? std::array{"theta", "sigma_min", "sigma_max"} : std::array{"k", "c", "eps"})
    settings.erase(key);
  const GoldenModel model = make_model(settings, golden.weights());
  const speech::OfficialLoss loss = make_official_loss(settings);

  at::Tensor x0 = golden.input("x"), y = golden.input("y");
  const std::int64_t items = variant.value("batch", x0.size(0));
  for (at::Tensor* tensor : {&x0, &y}) *tensor = tensor->slice(0, 0, items);
  for (at::Tensor& draw : draws) draw = draw.slice(0, 0, items);
  RecordedNoise noise(std::move(draws));
  const speech::DegradedBatch batch = loss.degrade(*model.process, x0, y, noise, 0);
  const at::Tensor output = model.parametrized.call(batch.x_t, y, batch.t);
  const at::Tensor value = loss(output, x0, batch);
  value.backward();

  golden.check_if_recorded("mid.t." + name, batch.t);
  golden.check_if_recorded("mid.mean." + name, batch.mean);
  golden.check_if_recorded("mid.x_t." + name, batch.x_t);
  golden.check_if_recorded("mid.forward_out." + name, output.detach());
  golden.check("out.loss." + name, value.detach().reshape({1}));
  for (const auto& [key, parameter] : model.network->tensors())
    if (golden.has("out.grad." + name + "." + key)) golden.check("out.grad." + name + "." + key, parameter.grad());
}

}  // namespace

/// The official training losses: every variant of the case starts from the same weights, batch and draws.
void run_loss(GoldenCase& golden) {
  const std::vector<at::Tensor> draws = golden.draws();
  for (const nlohmann::json& variant : golden.config().at("variants")) run_variant(golden, variant, draws);
}

}  // namespace reseda::golden
