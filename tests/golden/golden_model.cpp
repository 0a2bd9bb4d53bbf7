#include "tests/golden/golden_model.hpp"

#include "tests/golden/golden_case.hpp"
#include "tests/golden/golden_network.hpp"

namespace reseda::golden {

std::unique_ptr<diffusion::Process> make_bridge(const nlohmann::json& settings) {
  const bool bridge = settings.at("sde") == "sbve";
  nlohmann::json process = {{"name", bridge ? "sb_ve" : "ou_ve"}};
  for (const char* key : {"theta", "sigma_min", "sigma_max", "k", "c", "eps"})
    if (settings.contains(key)) process[key] = settings[key];
  return diffusion::make_process(to_config(process));
}

speech::ScoreParametrization score_parametrization(const nlohmann::json& model) {
  const auto text = [&model](const char* key, const char* fallback) {
    const bool given = model.contains(key) && !model[key].is_null();
    return given ? model[key].get<std::string>() : std::string(fallback);
  };
  return {.backbone = model.at("backbone") == "ncsnpp_v2" ? "v2" : "v1",
          .loss_type = text("loss_type", "score_matching"),
          .network_scaling = text("network_scaling", "none"),
          .c_in = text("c_in", "1"),
          .c_out = text("c_out", "1"),
          .c_skip = text("c_skip", "0"),
          .sigma_data = model.value("sigma_data", 0.1)};
}

GoldenModel make_model(const nlohmann::json& model, const StateDict& weights) {
  GoldenModel made{make_bridge(model), make_network(model, weights), {}};
  made.parametrized = speech::parametrize(score_parametrization(model), *made.network, *made.process);
  return made;
}

}  // namespace reseda::golden
