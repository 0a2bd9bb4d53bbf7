#include "tests/golden/network_gradients.hpp"

#include <ATen/ATen.h>

#include <vector>

namespace reseda::golden {

void check_network_gradients(GoldenCase& golden, const std::string& out, const nets::Network& network) {
  std::vector<at::Tensor> norms;
  for (const auto& [name, parameter] : network.tensors()) {
    if (!parameter.requires_grad()) continue;
    const at::Tensor gradient = parameter.grad().defined() ? parameter.grad() : at::zeros_like(parameter);
    norms.push_back(gradient.norm());
    if (golden.has(out + "grad." + name)) golden.check(out + "grad." + name, gradient);
  }
  golden.check(out + "grad_norms", at::stack(norms));
}

}  // namespace reseda::golden
