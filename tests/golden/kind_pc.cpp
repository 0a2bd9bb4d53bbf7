#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "modules/diffusion/sampler.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/golden_model.hpp"

namespace reseda::golden {

/// The predictor-corrector sampler around a network, with the states and scores of the recorded evaluations.
void run_pc(GoldenCase& golden) {
  const at::InferenceMode inference;
  const nlohmann::json& settings = golden.config().at("sampler");
  const GoldenModel model = make_model(golden.config().at("model"), golden.weights());
  const auto steps = settings.at("N").get<std::int64_t>(),
             corrections = settings.value("corrector_steps", std::int64_t{1});
  const nlohmann::json sampler_settings = {{"name", "pc"},
                                           {"predictor", settings.at("predictor")},
                                           {"corrector", settings.at("corrector")},
                                           {"steps", steps},
                                           {"corrector_steps", corrections},
                                           {"snr", settings.at("snr")},
                                           {"t_eps", settings.at("eps")},
                                           {"denoise", settings.value("denoise", true)},
                                           {"legacy_steps", golden.config().value("legacy", false)},
                                           {"langevin_norm", "batch"}};
  const auto sampler = diffusion::make_sampler(to_config(sampler_settings));

  std::int64_t calls = 0;
  const auto call = [&](const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) {
    const at::Tensor score = model.parametrized.call(x, y, t);
    const std::string number = std::to_string(calls++);
    const std::string name = std::string(3 - std::min<std::size_t>(3, number.size()), '0') + number;
    golden.check_if_recorded("mid.state." + name, x);
    golden.check_if_recorded("mid.score." + name, score);
    return score;
  };
  const diffusion::NetworkDenoiser denoiser(call, model.parametrized.target, *model.process);
  diffusion::SampleContext context{.noise = golden.noise(), .item = golden.name(), .on_step = {}, .trace = {}};
  golden.check("out.x", sampler->run(golden.input("y"), *model.process, denoiser, context));

  RESEDA_INVARIANT(calls == sampler->network_calls());
  // The official count takes a predictor for granted, also where there is none.
  const bool corrects = settings.at("corrector") != "none";
  golden.check("out.nfe", at::scalar_tensor(steps * (corrects ? corrections + 1 : 1), at::kLong));
}

}  // namespace reseda::golden
