#include "modules/inverse/operators/hdr.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

constexpr const char* kName = "hdr";

}  // namespace

void HdrConfig::validate() const {
  RESEDA_REQUIRE(std::isfinite(gain) && gain > 0, Errc::kUsage, "operator.gain must be > 0, got ", gain);
}

Hdr::Hdr(const HdrConfig& config) : shape_(config.image), gain_(config.gain) { config.validate(); }

at::Tensor Hdr::apply(const at::Tensor& x) const {
  shape_.require(x, kName);
  return at::clamp(gain_ * x, -1, 1);
}

at::Tensor Hdr::pseudo_inverse(const at::Tensor& y) const {
  shape_.require(y, kName);
  return y / gain_;
}

const OperatorEntry& operator_entry_hdr() {
  static const auto entry =
      make_component<ForwardOperator, Hdr, HdrConfig>("hdr", "contrast cut off beyond the range of the image");
  return entry;
}

}  // namespace reseda::inverse
