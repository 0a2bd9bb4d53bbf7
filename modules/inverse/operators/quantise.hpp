#pragma once

#include <string>
#include <vector>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/image_shape.hpp"
#include "modules/inverse/operators/straight_through.hpp"

namespace reseda::inverse {

struct QuantiseConfig {
  std::vector<std::int64_t> image = kDefaultImage;
  std::int64_t bits = 3;
  bool straight_through = true;
  template <class V>
  void fields(V& v) {
    v("image", image, kImageHelp);
    v("bits", bits, "2^bits levels between -1 and 1");
    v("straight_through", straight_through, kStraightThroughHelp);
  }
  void validate() const;
};

/// Rounds to L + 1 = 2^bits levels: H(x) = 2 floor(L (x + 1) / 2 + 1/2) / L - 1, not clamped. H^+ y = y,
/// whose levels stay as they are. Deterministic.
/// Official: NVlabs/RED-diff, utils/degredations.py (Quantization).
class Quantise final : public ForwardOperator {
 public:
  explicit Quantise(const QuantiseConfig& config);
  at::Tensor apply(const at::Tensor& x) const override;
  bool is_linear() const override { return false; }
  at::Tensor pseudo_inverse(const at::Tensor& y) const override;

 private:
  ImageShape shape_;
  double steps_;
  bool straight_through_;
};

}  // namespace reseda::inverse
