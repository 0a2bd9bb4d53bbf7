#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "modules/diffusion/clipped_denoiser.hpp"
#include "modules/diffusion/processes/resfusion.hpp"
#include "modules/diffusion/sampler.hpp"
#include "modules/train/resfusion_loss.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/rddm_variant.hpp"
#include "tests/golden/residual_network.hpp"

namespace reseda::golden {
namespace {

diffusion::Resfusion process_of(const nlohmann::json& scheduler) {
  diffusion::ResfusionConfig config;
  config.coefficients = resfusion_schedule_of(scheduler);
  return diffusion::Resfusion(config);
}

/// The states of a run of a mode: the start, and the state after each step.
struct Run {
  at::Tensor steps, indices;
};

Run sample(const diffusion::Resfusion& process, const std::string& mode, const at::Tensor& y,
           const diffusion::NetworkDenoiser::Call& network, NoiseSource& noise) {
  std::vector<at::Tensor> states;
  std::vector<std::int64_t> indices;
  const diffusion::NetworkDenoiser denoiser(
      [&](const at::Tensor& x, const at::Tensor& shown, const at::Tensor& t) {
        if (states.empty()) states.push_back(x);
        indices.push_back(t[0].item<std::int64_t>());
        return network(x, shown, t);
      },
      diffusion::parse_target(mode == "epsilon"  ? "resnoise"
                              : mode == "sample" ? "x0"
                                                 : "residual"),
      process);
  const diffusion::ClippedDenoiser clipped(denoiser, 1.0, false, process);
  const bool relative = mode == "epsilon";
  diffusion::SampleContext context{.noise = noise, .item = "", .on_step = {}, .trace = {}};
  context.trace = [&](std::int64_t, const at::Tensor& state) { states.push_back(state); };
  diffusion::make_sampler(to_config({{"name", "resfusion_ancestral"}, {"update", relative ? "relative" : "mixed"}}))
      ->run(y, process, relative ? static_cast<const diffusion::Denoiser&>(denoiser) : clipped, context);
  return {at::stack(states), at::tensor(indices, at::kLong)};
}

at::Tensor mapped(const at::Tensor& image) { return image * 2 - 1; }

void check_process(GoldenCase& golden, const nlohmann::json& item, const std::vector<at::Tensor>& draws) {
  const std::string out = "out." + item.at("tag").get<std::string>() + ".";
  const diffusion::Resfusion process = process_of(item.at("scheduler"));
  const std::int64_t count = process.steps();
  golden.check(out + "T_acc", at::tensor({count}, at::kLong));

  const at::Tensor x0 = golden.input("x0"), y = golden.input("y"), eps = golden.input("eps");
  const train::ResfusionLoss loss({}, process.schedule());
  const auto every_time = [count](const at::Tensor& all) {
    const at::Tensor first = all[0].unsqueeze(0);
    return first.expand({count, first.size(1), first.size(2), first.size(3)});
  };
  const train::ResfusionBatch batch =
      loss.degrade(every_time(x0), every_time(y), every_time(eps), at::arange(count, at::kLong));
  golden.check(out + "x_t", batch.x_t);
  golden.check(out + "resnoise", batch.resnoise);

  const at::Tensor net = golden.input("net");
  for (const nlohmann::json& mode : golden.config().at("modes")) {
    std::int64_t call = 0;
    RecordedNoise noise(draws);
    const Run run = sample(
        process, mode.get<std::string>(), y,
        [&](const at::Tensor& x, const at::Tensor&, const at::Tensor&) { return 0.25 * x + net[call++ % net.size(0)]; },
        noise);
    golden.check(out + mode.get<std::string>() + ".steps", run.steps);
    golden.check(out + mode.get<std::string>() + ".times", run.indices);
    EXPECT_EQ(noise.used(), item.at("draws_used").get<std::size_t>()) << golden.name() << ": " << mode;
  }
}

/// The condition of a case: the image, and a class map as channels of -1 and 1.
struct Conditions {
  at::Tensor y, shown;
};

Conditions conditions_of(GoldenCase& golden, const ResidualNetwork& made, const at::Tensor& like) {
  Conditions out;
  out.y = golden.has("in.input") ? mapped(golden.input("input")) : at::zeros_like(like);
  if (made.condition_channels == 0) return out;
  out.shown = out.y;
  if (golden.has("in.masks")) {
    const std::int64_t classes = made.condition_channels - made.channels;
    const at::Tensor index = at::arange(classes, at::kLong).reshape({1, -1, 1, 1});
    const at::Tensor channels = golden.input("masks").unsqueeze(1).eq(index).to(at::kFloat);
    out.shown = at::cat({out.y, mapped(channels)}, 1);
  }
  return out;
}

/// Every state, or of more than twelve the first three, the middle one and the last three.
at::Tensor recorded_states(const at::Tensor& steps) {
  const std::int64_t count = steps.size(0);
  if (count <= 12) return steps;
  return steps.index({at::tensor(
      {std::int64_t{0}, std::int64_t{1}, std::int64_t{2}, count / 2, count - 3, count - 2, count - 1}, at::kLong)});
}

}  // namespace

/// Forward process and reverse loop of Resfusion. The recorded network is x / 4 + one of three constants in turn.
void run_resfusion_process(GoldenCase& golden) {
  const c10::InferenceMode inference;
  const std::vector<at::Tensor> draws = golden.draws();
  for (const nlohmann::json& item : golden.config().at("items")) check_process(golden, item, draws);
}

/// Resfusion's sampler around its networks, down to the bytes of the image.
void run_resfusion_sample(GoldenCase& golden) {
  const c10::InferenceMode inference;
  const ResidualNetwork made = make_residual_network(golden.config(), golden.weights());
  const std::vector<at::Tensor> draws = golden.draws();
  const Conditions conditions = conditions_of(golden, made, draws.at(0));
  if (golden.has("in.shape_like")) {
    EXPECT_EQ(golden.input("shape_like").sizes(), conditions.y.sizes());
  }
  for (const nlohmann::json& settings : golden.config().at("runs")) {
    const diffusion::Resfusion process = process_of(settings.at("scheduler"));
    RecordedNoise noise(draws);
    const Run run = sample(
        process, settings.at("mode").get<std::string>(), conditions.y,
        [&](const at::Tensor& x, const at::Tensor&, const at::Tensor& t) {
          return made.network->forward(x, conditions.shown, t);
        },
        noise);
    const std::string out = "out." + settings.at("tag").get<std::string>() + ".";
    golden.check(out + "steps", recorded_states(run.steps));
    const at::Tensor image = (run.steps[-1].clamp(-1, 1) + 1) / 2;
    golden.check(out + "image", image);
    // A value within rounding of a whole level may fall to the level below.
    if (golden.has(out + "png"))
      golden.check(out + "png", (image * 255).floor().clamp(0, 255).to(at::kByte), {.atol = 1});
    EXPECT_EQ(noise.used(), settings.at("draws_used").get<std::size_t>()) << golden.name() << ": " << out;
  }
}

}  // namespace reseda::golden
