#include "modules/inverse/operators/composition.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

std::vector<std::unique_ptr<ForwardOperator>> make_parts(const CompositionConfig& config) {
  at::Tensor image = at::zeros(ImageShape(config.image).batch(1));
  std::vector<std::unique_ptr<ForwardOperator>> parts;
  for (std::size_t k = 0; k < config.parts.size(); ++k) {
    const std::string path = "operator.parts[" + std::to_string(k) + "]";
    RESEDA_REQUIRE(image.dim() == 4, Errc::kUsage, path, " follows a part that gives no image but ", image.sizes());
    parts.push_back(make_operator(config.parts[k], image.sizes().slice(1), path));
    image = parts.back()->apply(image);
  }
  return parts;
}

}  // namespace

Composition::Composition(const CompositionConfig& config) : Composition(make_parts(config)) {}

Composition::Composition(std::vector<std::unique_ptr<ForwardOperator>> parts) : parts_(std::move(parts)) {
  RESEDA_REQUIRE(!parts_.empty(), Errc::kUsage, "operator.parts must name at least one operator");
}

at::Tensor Composition::apply(const at::Tensor& x) const {
  at::Tensor y = x;
  for (const auto& part : parts_) y = part->apply(y);
  return y;
}

bool Composition::is_linear() const {
  return std::all_of(parts_.begin(), parts_.end(), [](const auto& part) { return part->is_linear(); });
}

at::Tensor Composition::adjoint(const at::Tensor& y) const {
  at::Tensor x = y;
  for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) x = (*part)->adjoint(x);
  return x;
}

at::Tensor Composition::pseudo_inverse(const at::Tensor& y) const {
  at::Tensor x = y;
  for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) x = (*part)->pseudo_inverse(x);
  return x;
}

const OperatorEntry& operator_entry_composition() {
  static const auto entry =
      make_component<ForwardOperator, Composition, CompositionConfig>("composition", "one operator after another");
  return entry;
}

}  // namespace reseda::inverse
