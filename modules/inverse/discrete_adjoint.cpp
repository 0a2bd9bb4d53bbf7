#include "modules/inverse/discrete_adjoint.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <iterator>
#include <optional>
#include <vector>

namespace reseda::inverse {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr at::Tensor diffusion::Estimates::*kFields[] = {
    &diffusion::Estimates::x0,          &diffusion::Estimates::eps,
    &diffusion::Estimates::residual,    &diffusion::Estimates::variance_share,
    &diffusion::Estimates::unguided_x0, &diffusion::Estimates::guidance};

/// What one call looks at besides the state, and which of kFields its estimates have.
struct Call {
  const diffusion::Denoiser* denoiser;
  double t;
  at::Tensor y, extra;
  std::vector<std::size_t>* present;

  variable_list estimates(const at::Tensor& x, const at::Tensor& x0_before) const {
    const diffusion::Estimates found = (*denoiser)(x, t, {y, extra, x0_before});
    variable_list all;
    present->clear();
    for (std::size_t i = 0; i < std::size(kFields); ++i) {
      if (!(found.*kFields[i]).defined()) continue;
      present->push_back(i);
      all.push_back(found.*kFields[i]);
    }
    return all;
  }
};

at::Tensor variable(const at::Tensor& x) { return x.defined() ? x.detach().requires_grad_(true) : x; }

/// Gradients of <outputs, v> with respect to the inputs that are defined, undefined where there is none.
variable_list pulled_back(const variable_list& outputs, const variable_list& v, const variable_list& inputs) {
  variable_list recorded, cotangents, wanted;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].requires_grad() || !v[i].defined()) continue;
    recorded.push_back(outputs[i]);
    cotangents.push_back(v[i]);
  }
  for (const at::Tensor& input : inputs)
    if (input.defined()) wanted.push_back(input);
  variable_list found(inputs.size());
  if (recorded.empty()) return found;
  variable_list gradients = torch::autograd::grad(recorded, wanted, cotangents, /*retain_graph=*/false,
                                                  /*create_graph=*/false, /*allow_unused=*/true);
  for (std::size_t i = 0, k = 0; i < inputs.size(); ++i)
    if (inputs[i].defined()) found[i] = gradients[k++];
  return found;
}

struct Recalled : torch::autograd::Function<Recalled> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x,
                               const std::optional<at::Tensor>& x0_before, const Call& call) {
    const at::Tensor before = x0_before.value_or(at::Tensor());
    context->save_for_backward({x, before});
    context->saved_data["t"] = call.t;
    context->saved_data["y"] = call.y;
    context->saved_data["extra"] = call.extra;
    context->saved_data["denoiser"] = reinterpret_cast<std::int64_t>(call.denoiser);
    return call.estimates(x, before);
  }

  static variable_list backward(AutogradContext* context, variable_list v) {
    const auto tensor = [&](const char* key) {
      const c10::IValue& value = context->saved_data[key];
      return value.isTensor() ? value.toTensor() : at::Tensor();
    };
    std::vector<std::size_t> present;
    const Call call{reinterpret_cast<const diffusion::Denoiser*>(context->saved_data["denoiser"].toInt()),
                    context->saved_data["t"].toDouble(), tensor("y"), tensor("extra"), &present};
    const c10::AutoGradMode recording(true);
    variable_list inputs = context->get_saved_variables();
    for (at::Tensor& input : inputs) input = variable(input);
    variable_list gradients = pulled_back(call.estimates(inputs[0], inputs[1]), v, inputs);
    return {gradients[0], gradients[1], at::Tensor()};
  }
};

/// Hands out z for the process's prior, and the inner source's draws otherwise.
class GivenPrior final : public NoiseSource {
 public:
  GivenPrior(NoiseSource& inner, at::Tensor z) : inner_(inner), z_(std::move(z)) {}
  at::Tensor normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype) override {
    if (key.stream != "prior") return inner_.normal(key, shape, dtype);
    RESEDA_INVARIANT(shape == z_.sizes());
    return z_;
  }
  at::Tensor uniform(const DrawKey& key, at::IntArrayRef shape) override { return inner_.uniform(key, shape); }

 private:
  NoiseSource& inner_;
  at::Tensor z_;
};

}  // namespace

diffusion::Estimates AdjointDenoiser::operator()(const at::Tensor& x, double t,
                                                 const diffusion::Condition& condition) const {
  std::vector<std::size_t> present;
  const variable_list found = Recalled::apply(x, std::optional<at::Tensor>(condition.x0_before),
                                              Call{&inner_, t, condition.y, condition.extra, &present});
  diffusion::Estimates estimates;
  for (std::size_t i = 0; i < present.size(); ++i) estimates.*kFields[present[i]] = found[i];
  return estimates;
}

SampledImage::SampledImage(const diffusion::Sampler& sampler, const diffusion::Process& process,
                           const diffusion::Denoiser& denoiser, NoiseSource& noise, const std::string& item,
                           const at::Tensor& z)
    : adjoint_(denoiser) {
  const c10::InferenceMode no_inference(false);
  const c10::AutoGradMode recording(true);
  z_ = z.detach().clone().requires_grad_(true);
  GivenPrior source(noise, z_);
  diffusion::SampleContext context{.noise = source, .item = item, .on_step = {}, .trace = {}};
  traced_ = sampler.run(at::zeros_like(z).detach(), process, adjoint_, context);
  image_ = traced_.detach();
}

at::Tensor SampledImage::pull_back(const at::Tensor& v) const {
  const c10::InferenceMode no_inference(false);
  if (!traced_.requires_grad()) return at::zeros_like(z_).detach();
  const at::Tensor gradient = pulled_back({traced_}, {v.detach().clone()}, {z_})[0];
  return gradient.defined() ? gradient : at::zeros_like(z_).detach();
}

}  // namespace reseda::inverse
