#pragma once

#include <torch/nn/module.h>

#include <vector>

#include "modules/nets/network.hpp"

namespace reseda::nets {

/// A network that keeps its tensors in a torch module tree: the base of every network in this folder.
class NetworkModule : public Network, public torch::nn::Module {
 public:
  std::vector<StateDict::Entry> tensors() const override;
  void to(c10::Device device) override { torch::nn::Module::to(device); }
};

}  // namespace reseda::nets
