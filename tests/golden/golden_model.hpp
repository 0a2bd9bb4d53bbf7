#pragma once

#include <memory>
#include <nlohmann/json.hpp>

#include "modules/diffusion/process.hpp"
#include "modules/nets/network.hpp"
#include "pipelines/speech/score_parametrization.hpp"

namespace reseda::golden {

/// The bridge of a json with the official settings (sde, theta, sigma_min, sigma_max | k, c, eps).
std::unique_ptr<diffusion::Process> make_bridge(const nlohmann::json& settings);

/// The parametrisation of a json with the official hyper-parameters and their defaults.
speech::ScoreParametrization score_parametrization(const nlohmann::json& model);

/// A whole official model: bridge, network with weights, and what the network's output means.
struct GoldenModel {
  std::unique_ptr<diffusion::Process> process;
  std::shared_ptr<nets::Network> network;
  speech::ParametrizedNetwork parametrized;
};
GoldenModel make_model(const nlohmann::json& model, const StateDict& weights);

}  // namespace reseda::golden
