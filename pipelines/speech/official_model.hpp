#pragma once

#include "modules/core/config_node.hpp"
#include "pipelines/speech/speech_model.hpp"

namespace reseda::speech {

/// What an official SGMSE+ checkpoint says about its model, as two trees with the keys of SpeechModelConfig.
struct OfficialModel {
  ConfigNode trained;   ///< what the weights were trained with; holds for every use of them
  ConfigNode defaults;  ///< what the official enhancement adds by itself: sample rate, padding, sampler, older defaults
};

/// Reads the hyper-parameters of an official model (ScoreModel's keyword arguments):
///   backbone  ncsnpp, ncsnpp_48k: the score is minus the output; ncsnpp_v2: loss_type, network_scaling, c_in, c_out,
///             c_skip, sigma_data; with every key that the network of this name knows
///   sde       ouve (theta, sigma_min, sigma_max, t_eps) or sbve (k, c, eps)
///   data      n_fft, hop_length, window; transform_type, spec_abs_exponent, spec_factor
/// and the rules of enhancement.py: ncsnpp pads with zeros and the others by reflection; ouve is sampled with 30
/// predictor and corrector steps, snr 0.5, from t = 1 to 0.03; sbve by its ODE in N steps.
/// Quirk: the official program takes 48 kHz for ncsnpp_48k and 16 kHz for everything else. Here n_fft = 1534 means
/// 48 kHz, too, and any other model's `sr` is believed.
/// @throws Error{kCheckpoint} naming a key whose value no known model has (backbone dcunet, sde ouvp, ...)
/// Source: sp-uhh/sgmse, sgmse/model.py, sgmse/data_module.py, enhancement.py.
OfficialModel read_official_model(const ConfigNode& hyper_parameters);

}  // namespace reseda::speech
