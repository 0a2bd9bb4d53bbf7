#pragma once

#include <string>

#include "modules/core/config.hpp"
#include "modules/diffusion/denoiser.hpp"
#include "modules/diffusion/process.hpp"
#include "modules/nets/network.hpp"

namespace reseda::speech {

/// How the output F of a network becomes a score or an estimate of x0. With s = c(t), the bridge's noise scale:
///   v1:  score = -F(x, y, t)
///   v2:  F = net(c_in x, c_in y, t), divided by s or t where network_scaling says so, and then by loss_type
///          score_matching:   score = c_skip x + c_out F
///          denoiser:         score = (F - x) / s^2
///          data_prediction:  x0 = c_skip x + c_out F
/// The defaults say that the network is an estimate of x0.
/// Source: Richter et al. 2025, "Investigating Training Objectives for Generative Speech Enhancement". Official:
/// sp-uhh/sgmse, sgmse/model.py, ScoreModel.forward; the choices are its hyper-parameters, strings there too.
struct ScoreParametrization {
  std::string backbone = "v2";
  std::string loss_type = "data_prediction";
  std::string network_scaling = "none";
  std::string c_in = "1";
  std::string c_out = "1";
  std::string c_skip = "0";
  double sigma_data = 0.1;
  template <class V>
  void fields(V& v) {
    v("backbone", backbone, "v1: the score is the negative output; v2: as loss_type and the factors say");
    v("loss_type", loss_type, "what the output became in training: score_matching, denoiser or data_prediction");
    v("network_scaling", network_scaling, "what the output is multiplied by first: none, 1/sigma or 1/t");
    v("c_in", c_in, "factor on state and measurement: 1 or edm, 1/sqrt(sigma^2 + sigma_data^2)");
    v("c_out", c_out, "factor on the output: 1, sigma, 1/sigma or edm");
    v("c_skip", c_skip, "factor on the state added to the output: 0 or edm");
    v("sigma_data", sigma_data, "standard deviation of the data in the edm factors");
  }
  /// @throws Error{kUsage} naming the key
  void validate() const;
};

/// A network as diffusion::NetworkDenoiser takes it.
struct ParametrizedNetwork {
  diffusion::NetworkDenoiser::Call call;
  diffusion::Target target;
};

/// Puts a network behind its parametrisation. `call` takes x, y [B,1,F,T] and t [B] float32 and may differ per item; it
/// keeps gradients. Where a factor depends on s it reads t on the host. The network and the process must outlive it.
/// @throws Error{kUsage} on a parametrisation that is not valid
ParametrizedNetwork parametrize(const ScoreParametrization& config, nets::Network& network,
                                const diffusion::Process& process);

}  // namespace reseda::speech
