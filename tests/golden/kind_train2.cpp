#include <ATen/ATen.h>

#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "modules/train/adam.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/golden_loss.hpp"

namespace reseda::golden {
namespace {

/// Sums over each tensor, float64 stored as float32.
at::Tensor sums(const std::vector<StateDict::Entry>& entries) {
  std::vector<at::Tensor> out;
  for (const auto& entry : entries) out.push_back(entry.second.detach().to(at::kDouble).sum());
  return at::stack(out).to(at::kFloat);
}

/// The bias of an attention's keys changes no output (softmax ignores it): its gradient is rounding, which Adam turns
/// into steps of the whole rate. Within what `steps` of these can do the recorded sum is taken for the actual one.
at::Tensor without_key_biases(const at::Tensor& actual, const at::Tensor& recorded,
                              const std::vector<StateDict::Entry>& entries, double rate, double steps) {
  at::Tensor out = actual.clone();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& [name, tensor] = entries[i];
    const auto at = static_cast<std::int64_t>(i);
    const double reach = 2 * rate * steps * static_cast<double>(tensor.numel());
    if (name.ends_with(".NIN_1.b") && std::abs((actual[at] - recorded[at]).item<double>()) <= reach)
      out[at] = recorded[at];
  }
  return out;
}

}  // namespace

/// Steps of Adam on one batch, each followed by the moving average of all parameters; those that are not trained stay.
void run_train2(GoldenCase& golden) {
  const nlohmann::json& settings = golden.config().at("model");
  const GoldenModel model = make_model(settings, golden.weights());
  const speech::OfficialLoss loss = make_official_loss(settings);
  const at::Tensor x0 = golden.input("x"), y = golden.input("y");
  const double lr = settings.value("lr", 1e-4);

  const std::vector<StateDict::Entry> all = model.network->tensors();
  train::FlatParameters parameters(all);
  train::Adam adam({.lr = lr}, parameters.values());
  train::MovingAverage average(settings.value("ema_decay", 0.999), parameters.values());
  for (std::uint32_t step = 0; step < golden.config().at("steps").get<std::uint32_t>(); ++step) {
    const std::string number = std::to_string(step);
    parameters.zero_gradient();
    const speech::DegradedBatch batch = loss.degrade(*model.process, x0, y, golden.noise(), step);
    const at::Tensor value = loss(model.parametrized.call(batch.x_t, y, batch.t), x0, batch);
    value.backward();
    golden.check("out.loss." + number, value.detach().reshape({1}));
    adam.step(parameters.values(), parameters.gradient(), lr);
    average.update(parameters.values());

    const auto averaged = parameters.slices(average.shadow);
    const std::map<std::string, at::Tensor> moving(averaged.begin(), averaged.end());
    std::vector<StateDict::Entry> shadow = all;
    for (auto& [name, tensor] : shadow)
      if (moving.count(name) > 0) tensor = moving.at(name);
    golden.check("out.ema_num_updates." + number, at::scalar_tensor(average.updates, at::kLong));
    for (const auto& [what, entries] : {std::pair("out.param_sum.", all), std::pair("out.shadow_sum.", shadow)})
      golden.check(what + number,
                   without_key_biases(sums(entries), golden.tensor(what + number), entries, lr, step + 1));
    for (std::size_t i = 0; i < all.size(); ++i) {
      golden.check_if_recorded("out.param." + number + "." + all[i].first, all[i].second);
      golden.check_if_recorded("out.shadow." + number + "." + all[i].first, shadow[i].second);
    }
  }
}

}  // namespace reseda::golden
