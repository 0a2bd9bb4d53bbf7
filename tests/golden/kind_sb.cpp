#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <vector>

#include "modules/diffusion/processes/sb_ve.hpp"
#include "modules/diffusion/sampler.hpp"
#include "modules/diffusion/samplers/sb_schedule.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/golden_model.hpp"

namespace reseda::golden {
namespace {

void check_schedule(GoldenCase& golden, const diffusion::Process& process, std::int64_t steps) {
  const auto* bridge = dynamic_cast<const diffusion::SbVe*>(&process);
  RESEDA_INVARIANT(bridge != nullptr);
  const at::Tensor grid = at::linspace(1.0, 1e-4, steps + 1, at::kFloat);
  const diffusion::SbSchedule schedule = diffusion::sb_schedule(bridge->config(), grid);
  const at::Tensor one = at::ones_like(grid);
  golden.check("mid.schedule", at::stack({schedule.s, schedule.total.expand_as(grid), schedule.r, one, one, one}, 1));
}

}  // namespace

/// The samplers of the Schroedinger bridge around a network.
void run_sb(GoldenCase& golden) {
  const at::InferenceMode inference;
  const nlohmann::json& settings = golden.config().at("sampler");
  const GoldenModel model = make_model(golden.config().at("model"), golden.weights());
  const auto steps = settings.at("N").get<std::int64_t>();
  // Asked for a number of steps, the official sampler works on a copy of the bridge that has lost its eps.
  nlohmann::json copied = golden.config().at("model");
  copied.erase("eps");
  const auto process = make_bridge(copied);
  const auto sampler = diffusion::make_sampler(
      to_config({{"name", "sb_" + settings.at("sampler_type").get<std::string>()}, {"steps", steps}}));
  check_schedule(golden, *process, steps);

  std::vector<double> times;
  const auto call = [&](const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) {
    const at::Tensor estimate = model.parametrized.call(x, y, t);
    const std::string number = std::to_string(times.size());
    const std::string name = std::string(3 - std::min<std::size_t>(3, number.size()), '0') + number;
    golden.check_if_recorded("mid.state." + name, x);
    golden.check_if_recorded("mid.estimate." + name, estimate);
    times.push_back(t[0].item<double>());
    return estimate;
  };
  const diffusion::NetworkDenoiser denoiser(call, model.parametrized.target, *process);
  diffusion::SampleContext context{.noise = golden.noise(), .item = golden.name(), .on_step = {}, .trace = {}};
  golden.check("out.x", sampler->run(golden.input("y"), *process, denoiser, context));
  golden.check("mid.network_t", at::tensor(times, at::kFloat));
  RESEDA_INVARIANT(static_cast<std::int64_t>(times.size()) == sampler->network_calls());
  // The official code reports 50 calls whatever it did.
  golden.check("out.nfe_reported", at::scalar_tensor(50, at::kLong));
}

}  // namespace reseda::golden
