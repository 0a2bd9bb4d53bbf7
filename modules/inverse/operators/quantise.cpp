#include "modules/inverse/operators/quantise.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

constexpr const char* kName = "quantise";

}  // namespace

void QuantiseConfig::validate() const {
  RESEDA_REQUIRE(bits >= 1 && bits <= 16, Errc::kUsage, "operator.bits must be 1 .. 16, got ", bits);
}

Quantise::Quantise(const QuantiseConfig& config)
    : shape_(config.image),
      steps_(std::exp2(static_cast<double>(config.bits)) - 1),
      straight_through_(config.straight_through) {
  config.validate();
}

at::Tensor Quantise::apply(const at::Tensor& x) const {
  shape_.require(x, kName);
  const at::Tensor level = (x + 1) / 2 * steps_;
  return with_rounding_gradient(level, at::floor(level + 0.5), straight_through_) / steps_ * 2 - 1;
}

at::Tensor Quantise::pseudo_inverse(const at::Tensor& y) const {
  shape_.require(y, kName);
  return y;
}

const OperatorEntry& operator_entry_quantise() {
  static const auto entry =
      make_component<ForwardOperator, Quantise, QuantiseConfig>("quantise", "brightness rounded to a few levels");
  return entry;
}

}  // namespace reseda::inverse
