#include "modules/nets/rddm_unet.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::nets {
namespace {

Heads heads_of(const std::string& evaluate) {
  if (evaluate == "first") return Heads::kFirst;
  return evaluate == "second" ? Heads::kSecond : Heads::kBoth;
}

}  // namespace

void RddmUnetConfig::validate() const {
  RESEDA_REQUIRE(nets == "two" || nets == "one" || nets == "shared", Errc::kUsage,
                 "network.nets must be two, one or shared, got '", nets, "'");
  RESEDA_REQUIRE(evaluate == "both" || evaluate == "first" || evaluate == "second", Errc::kUsage,
                 "network.evaluate must be both, first or second, got '", evaluate, "'");
  unet.validate();
}

RddmUnet::RddmUnet(const RddmUnetConfig& config) : config_(config), heads_(heads_of(config.evaluate)) {
  config_.validate();
  if (config_.nets == "shared") {
    // The names of the shared form are those of the U-Net itself: its children become this network's.
    unets_.push_back(std::make_shared<ResidualUnet>(config_.unet, Decoders::kShared));
    for (const auto& child : unets_[0]->named_children()) register_module(child.key(), child.value());
    return;
  }
  const std::size_t count = config_.nets == "two" ? 2 : 1;
  for (std::size_t i = 0; i < count; ++i)
    unets_.push_back(register_module("unet" + std::to_string(i), std::make_shared<ResidualUnet>(config_.unet)));
}

void RddmUnet::set_probe(const nn::Probe& probe) {
  for (std::size_t i = 0; i < unets_.size(); ++i)
    unets_[i]->set_probe(config_.nets == "shared" ? probe : nn::under(probe, "unet" + std::to_string(i)));
}

at::Tensor RddmUnet::forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) {
  return forward_given(x, y, t, {});
}

at::Tensor RddmUnet::forward_given(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t,
                                   const at::Tensor& estimate) {
  const at::Tensor input = ResidualUnet::joined(config_.unet, x, y, estimate, compute_type());
  if (config_.nets == "shared") return unets_[0]->predict(input, t, heads_);
  const bool pair = t.dim() == 2;
  RESEDA_REQUIRE(!pair || t.size(1) == 2, Errc::kInternal, "rddm_unet: t must be [B] or [B,2]");
  const auto time = [&](std::int64_t head) { return pair ? t.select(1, head) : t; };
  if (config_.nets == "one") {
    RESEDA_REQUIRE(!pair || heads_ != Heads::kBoth, Errc::kUsage,
                   "network.evaluate must be first or second where network.nets is one and the process has two times");
    return unets_[0]->predict(input, time(heads_ == Heads::kSecond ? 1 : 0));
  }
  if (heads_ == Heads::kFirst) return unets_[0]->predict(input, time(0));
  if (heads_ == Heads::kSecond) return unets_[1]->predict(input, time(1));
  return at::cat({unets_[0]->predict(input, time(0)), unets_[1]->predict(input, time(1))}, 1);
}

const NetworkEntry& network_entry_rddm_unet() {
  static const NetworkEntry entry = make_component<Network, RddmUnet, RddmUnetConfig>(
      "rddm_unet", "U-Nets of RDDM for residual and noise, apart, shared or one alone");
  return entry;
}

}  // namespace reseda::nets
