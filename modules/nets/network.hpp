#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>
#include <string>
#include <vector>

#include "modules/core/registry.hpp"
#include "modules/core/state_dict.hpp"

namespace reseda::nets {

/// A whole network. Parameter names are the official state_dict keys. It knows no schedule: `t` is whatever number the
/// process says the network is conditioned on.
/// An implementation derives from NetworkModule (network_module.hpp), so that users need no torch/nn header.
class Network {
 public:
  Network() = default;
  virtual ~Network() = default;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  /// @param x  state of the process, [B,C,H,W], real or complex as the network says
  /// @param y  measurement that conditions it, same shape as x, with further channels behind where the network takes
  ///           them (a mask); undefined for unconditional networks
  /// @param t  [B] float32; [B,heads()] where a network with several predictions takes a time for each
  /// @return   the prediction; which quantity it is, the model's config says (diffusion::Target). Several predictions
  ///           lie along the channels
  virtual at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) = 0;

  /// Whether forward_given() takes an earlier estimate of x0.
  virtual bool self_conditioned() const { return false; }
  /// forward() of a self-conditioned network that also sees an earlier estimate of x0, shape of x; undefined stands for
  /// zeros, which is what forward() takes.
  /// @throws Error{kUsage} where an estimate is given to a network that takes none
  virtual at::Tensor forward_given(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t,
                                   const at::Tensor& estimate);
  /// forward() of a network that is conditioned on a class. @param labels  [B] int64; undefined for other networks
  /// @throws Error{kUsage} where classes are given to a network that takes none, or none to one that takes them
  virtual at::Tensor forward_labelled(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t,
                                      const at::Tensor& labels);
  /// How many predictions lie along the channels of the result.
  virtual std::int64_t heads() const { return 1; }

  /// The frame or pixel multiple to which the last axis (and the one before) must be padded.
  virtual std::int64_t time_multiple() const { return 1; }

  /// The type of the activations inside, float32 or bfloat16; weights, norms' statistics and the result stay float32.
  void set_compute_type(at::ScalarType type) { compute_type_ = type; }
  at::ScalarType compute_type() const { return compute_type_; }

  /// Parameters and buffers by their official names, in registration order.
  virtual std::vector<StateDict::Entry> tensors() const = 0;
  /// Moves parameters and buffers to a device.
  virtual void to(c10::Device device) = 0;
  /// Copies weights in. @throws Error{kCheckpoint} with a load report unless every name and shape matches
  void load(const StateDict& weights);

 private:
  at::ScalarType compute_type_ = at::kFloat;
};

using NetworkEntry = Component<Network>;
const std::vector<const NetworkEntry*>& network_entries();

/// Makes a network from {name: ..., further keys}, with its own random initial weights.
std::shared_ptr<Network> make_network(const ConfigNode& node, const std::string& path = "network");

}  // namespace reseda::nets
