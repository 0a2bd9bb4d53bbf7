#pragma once

#include <string>
#include <utility>
#include <vector>

#include "modules/core/noise.hpp"

namespace reseda::diffusion {

/// Gives every item of a batch the draws it would get alone: row i of a draw is the inner source's draw for item i. So
/// what a sampler returns for an item does not depend on which items share its batch.
class BatchNoise final : public NoiseSource {
 public:
  /// @param items  one stable id per row; equal ids get equal noise (the channels of one recording)
  BatchNoise(NoiseSource& inner, std::vector<std::string> items) : inner_(inner), items_(std::move(items)) {}
  /// @param key    its item is not used, the ids are
  /// @param shape  [B, ...], B = number of items. @throws Error{kInternal} otherwise
  at::Tensor normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype = at::kFloat) override;
  at::Tensor uniform(const DrawKey& key, at::IntArrayRef shape) override;

 private:
  template <class Draw>
  at::Tensor rows(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype, const Draw& draw) const;

  NoiseSource& inner_;
  std::vector<std::string> items_;
};

}  // namespace reseda::diffusion
