#include "pipelines/speech/score_parametrization.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <initializer_list>
#include <string_view>

namespace reseda::speech {
namespace {

using diffusion::Process;

void require_choice(const char* key, const std::string& value, std::initializer_list<std::string_view> choices) {
  std::string all;
  for (const std::string_view choice : choices) {
    if (value == choice) return;
    all += (all.empty() ? "" : ", ") + std::string(choice);
  }
  detail::raise(Errc::kUsage, "parametrization.", key, " must be one of ", all, ", got '", value, "'");
}

/// The noise scale of the bridge at each time as [B,1,1,1] on the device of t.
at::Tensor noise_scale(const Process& process, const at::Tensor& t) {
  const at::Tensor times = t.to(at::kCPU, at::kDouble).contiguous();
  at::Tensor scale = at::empty({times.size(0), 1, 1, 1}, at::kDouble);
  for (std::int64_t i = 0; i < times.size(0); ++i)
    scale.mutable_data_ptr<double>()[i] = process.at(times.const_data_ptr<double>()[i]).c.scalar();
  return scale.to(t.device(), at::kFloat);
}

/// One call of a v2 network. Factors that are 1 or 0 cost nothing.
class V2Call {
 public:
  V2Call(ScoreParametrization config, nets::Network& network, const Process& process)
      : config_(std::move(config)), network_(network), process_(process) {
    denoiser_ = config_.loss_type == "denoiser";
    needs_scale_ = denoiser_ || config_.network_scaling == "1/sigma" || config_.c_in != "1" || config_.c_out != "1" ||
                   config_.c_skip != "0";
  }

  at::Tensor operator()(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) const {
    const at::Tensor sigma = needs_scale_ ? noise_scale(process_, t) : at::Tensor();
    const at::Tensor norm = sigma.defined() ? (sigma.square() + variance()).sqrt() : at::Tensor();
    const bool scaled = config_.c_in == "edm";
    at::Tensor out = scaled ? network_.forward(x / norm, y / norm, t) : network_.forward(x, y, t);
    if (config_.network_scaling == "1/sigma") out = out / sigma;
    if (config_.network_scaling == "1/t") out = out / t.reshape({-1, 1, 1, 1});
    if (denoiser_) return (out - x) / sigma.square();
    if (config_.c_out == "sigma") out = out * sigma;
    if (config_.c_out == "1/sigma") out = out / sigma;
    if (config_.c_out == "edm") out = out * (sigma * config_.sigma_data / norm);
    if (config_.c_skip == "edm") out = out + x * (variance() / norm.square());
    return out;
  }

 private:
  double variance() const { return config_.sigma_data * config_.sigma_data; }

  ScoreParametrization config_;
  nets::Network& network_;
  const Process& process_;
  bool denoiser_ = false, needs_scale_ = false;
};

}  // namespace

void ScoreParametrization::validate() const {
  require_choice("backbone", backbone, {"v1", "v2"});
  require_choice("loss_type", loss_type, {"score_matching", "denoiser", "data_prediction"});
  require_choice("network_scaling", network_scaling, {"none", "1/sigma", "1/t"});
  require_choice("c_in", c_in, {"1", "edm"});
  require_choice("c_out", c_out, {"1", "sigma", "1/sigma", "edm"});
  require_choice("c_skip", c_skip, {"0", "edm"});
  RESEDA_REQUIRE(std::isfinite(sigma_data) && sigma_data > 0, Errc::kUsage,
                 "parametrization.sigma_data must be > 0, got ", sigma_data);
}

ParametrizedNetwork parametrize(const ScoreParametrization& config, nets::Network& network, const Process& process) {
  config.validate();
  if (config.backbone == "v1") {
    const auto call = [&network](const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) {
      return -network.forward(x, y, t);
    };
    return {call, diffusion::Target::kScore};
  }
  const bool data = config.loss_type == "data_prediction";
  return {V2Call(config, network, process), data ? diffusion::Target::kX0 : diffusion::Target::kScore};
}

}  // namespace reseda::speech
