#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "modules/nets/residual_unet.hpp"

namespace reseda::nets {

/// Settings of RDDM's network: how its predictions share networks, and those of the U-Net.
struct RddmUnetConfig {
  std::string nets = "two";
  std::string evaluate = "both";
  ResidualUnetConfig unet;

  template <class V>
  void fields(V& v) {
    v("nets", nets, "two (unet0 residual or x0, unet1 noise), one (unet0), or shared (one encoder, two decoders)");
    v("evaluate", evaluate,
      "which predictions of two are computed: both, first or second; of nets: one, whose time it takes of two");
    unet.fields(v);
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const;
};

/// RDDM's network: one or two predictions, each of a U-Net of its own or of one with a shared encoder. Two predictions
/// lie along the channels, [residual or x0, noise].
/// Names are official: unet0.*, unet1.*; the shared form has those of the U-Net with its second decoder.
/// Official: nachifur/RDDM, class UnetRes; `nets` is share_encoder 0, -1, 1 or num_unet 2, 1, and `evaluate` is
/// test_res_or_noise.
class RddmUnet : public NetworkModule {
 public:
  /// @throws Error{kUsage} as the config's validate()
  explicit RddmUnet(const RddmUnetConfig& config);

  /// @param x  [B,channels,H,W]
  /// @param y  [B,condition_channels,H,W]: degraded image, then a mask; not looked at where these are 0
  /// @param t  [B] float32; also [B,2], a time for each prediction, unless the encoder is shared
  /// @return   [B,heads() out_dim,H,W] float32
  /// @throws Error{kUsage} where channels do not fit the config, Error{kInternal} on other shapes
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override;
  /// Quirk: official code stands zeros of the wrong shape in for a missing estimate where there is a condition, and
  /// fails; here they have the shape of x.
  at::Tensor forward_given(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t,
                           const at::Tensor& estimate) override;
  bool self_conditioned() const override { return config_.unet.self_condition; }
  std::int64_t heads() const override { return config_.nets != "one" && heads_ == Heads::kBoth ? 2 : 1; }
  std::int64_t time_multiple() const override { return config_.unet.multiple(); }

  /// Changes the setting `evaluate`.
  void set_heads(Heads heads) { heads_ = heads; }
  /// Lets a test see the parts by their names in the state dictionary.
  void set_probe(const nn::Probe& probe);

 private:
  RddmUnetConfig config_;
  Heads heads_;
  std::vector<std::shared_ptr<ResidualUnet>> unets_;
};

}  // namespace reseda::nets
