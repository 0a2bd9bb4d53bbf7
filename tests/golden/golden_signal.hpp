#pragma once

#include <nlohmann/json.hpp>

#include "modules/signal/stft.hpp"

namespace reseda::golden {

/// The STFT of a json with the official data module's keys (n_fft, hop_length, window).
inline signal::StftConfig stft_config(const nlohmann::json& data) {
  signal::StftConfig config;
  config.n_fft = data.value("n_fft", config.n_fft);
  config.hop = data.value("hop_length", config.hop);
  config.window = data.value("window", config.window);
  config.validate();
  return config;
}

/// The compression of a json with the official data module's keys (transform_type, spec_abs_exponent, spec_factor).
inline signal::SpectralTransformConfig transform_config(const nlohmann::json& data) {
  signal::SpectralTransformConfig config;
  config.type = data.value("transform_type", config.type);
  config.exponent = data.value("spec_abs_exponent", config.exponent);
  config.factor = data.value("spec_factor", config.factor);
  config.validate();
  return config;
}

}  // namespace reseda::golden
