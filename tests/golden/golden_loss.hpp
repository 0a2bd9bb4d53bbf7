#pragma once

#include <nlohmann/json.hpp>

#include "pipelines/speech/official_loss.hpp"
#include "tests/golden/golden_model.hpp"

namespace reseda::golden {

/// The official training loss of a json with the official hyper-parameters and their defaults, oddities included.
inline speech::OfficialLoss make_official_loss(const nlohmann::json& model) {
  const speech::OfficialLossConfig config = {.weighting = model.value("loss_weighting", "sigma^2"),
                                             .l1_weight = model.value("l1_weight", 0.001),
                                             .t_eps = model.value("t_eps", 0.03),
                                             .num_frames = model.value("num_frames", std::int64_t{256}),
                                             .official_quirks = true};
  const signal::StftConfig stft = {.n_fft = model.value("n_fft", std::int64_t{510}),
                                   .hop = model.value("hop_length", std::int64_t{128}),
                                   .window = model.value("window", "hann")};
  const signal::SpectralTransformConfig transform = {.type = model.value("transform_type", "exponent"),
                                                     .exponent = model.value("spec_abs_exponent", 0.5),
                                                     .factor = model.value("spec_factor", 0.15)};
  return {config, score_parametrization(model), stft, transform};
}

}  // namespace reseda::golden
