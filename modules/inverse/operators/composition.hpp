#pragma once

#include <memory>
#include <string>
#include <vector>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/image_shape.hpp"

namespace reseda::inverse {

struct CompositionConfig {
  std::vector<std::int64_t> image = kDefaultImage;
  std::vector<ConfigNode> parts;
  template <class V>
  void fields(V& v) {
    v("image", image, kImageHelp);
    v("parts", parts, "operators, the first is applied first: [{name: ...}, ...]");
  }
};

/// One operator after another, H = H_k ... H_1. H^* = H_1^* ... H_k^*; pseudo_inverse() gives H_1^+ ... H_k^+ y, which
/// is no pseudo-inverse in general. Linear where every part is. Deterministic where every part is.
class Composition final : public ForwardOperator {
 public:
  /// @throws Error{kUsage} without parts, or where a part does not give images and another follows
  explicit Composition(const CompositionConfig& config);
  explicit Composition(std::vector<std::unique_ptr<ForwardOperator>> parts);
  at::Tensor apply(const at::Tensor& x) const override;
  bool is_linear() const override;
  at::Tensor adjoint(const at::Tensor& y) const override;
  at::Tensor pseudo_inverse(const at::Tensor& y) const override;
  bool has_pseudo_inverse() const override { return false; }

 private:
  std::vector<std::unique_ptr<ForwardOperator>> parts_;
};

}  // namespace reseda::inverse
