#include "modules/inverse/forward_operator.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

namespace reseda::inverse {
namespace {

ConfigNode image_node(at::IntArrayRef shape) {
  ConfigNode list = ConfigNode::list();
  for (const std::int64_t side : shape) list.append(ConfigNode(std::to_string(side)));
  return list;
}

}  // namespace

at::Tensor ForwardOperator::adjoint(const at::Tensor&) const {
  detail::raise(Errc::kUsage, "operator: it is not linear and has no adjoint");
}

at::Tensor ForwardOperator::vjp(const at::Tensor& x, const at::Tensor& v) const {
  if (is_linear()) return adjoint(v);
  const c10::InferenceMode no_inference(false);
  const c10::AutoGradMode recording(true);
  // Tensors made in inference mode cannot be recorded; their copies can.
  const at::Tensor variable = x.detach().clone().requires_grad_(true);
  const at::Tensor inner = (apply(variable) * v.detach().clone()).sum();
  if (!inner.requires_grad()) return at::zeros_like(variable).detach();
  return torch::autograd::grad({inner}, {variable})[0];
}

std::unique_ptr<ForwardOperator> make_operator(const ConfigNode& node, at::IntArrayRef shape, const std::string& path) {
  auto [name, rest] = split_name(node, path);
  rest["image"] = image_node(shape);
  return find_component(operator_entries(), "operator", name).make(rest, path);
}

}  // namespace reseda::inverse
