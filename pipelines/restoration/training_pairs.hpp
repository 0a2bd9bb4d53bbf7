#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "pipelines/restoration/image_set.hpp"
#include "pipelines/restoration/restoration_model.hpp"

namespace reseda::restoration {

/// What a step of training is given, in the network's range.
struct Pairs {
  at::Tensor x0;           ///< [B,C,S,S] clean
  at::Tensor y = {};       ///< [B,C,S,S] measured; undefined for a prior
  at::Tensor extra = {};   ///< [B,K,S,S] what else the network sees; mostly undefined
  at::Tensor weight = {};  ///< [B,C,S,S] factor of the process's noise at each pixel; undefined: 1
};

/// Where training takes its crops from.
class PairSource {
 public:
  virtual ~PairSource() = default;
  /// @return  the crops of one step: the same for the same arguments, whatever was drawn before
  virtual Pairs draw(std::int64_t count, std::int64_t size, std::uint64_t seed, std::int64_t step) const = 0;
  /// Names of what it holds, one a line: a resumed run must have the same.
  virtual std::string contents() const = 0;
  /// Whether pairs have a weight.
  virtual bool weighs_noise() const { return false; }
};

/// Crops of images, degraded as the model's config says; for a prior as they are. Of a model that enlarges, y is the
/// small frame enlarged.
/// Draws: "crop N" (crop, degradation).
class DegradedImages final : public PairSource {
 public:
  DegradedImages(const RestorationModel& model, ImageSet images) : model_(model), images_(std::move(images)) {}
  Pairs draw(std::int64_t count, std::int64_t size, std::uint64_t seed, std::int64_t step) const override;
  std::string contents() const override;

 private:
  Pairs draw_small(std::int64_t count, std::int64_t size, std::uint64_t seed, std::int64_t step) const;

  const RestorationModel& model_;
  ImageSet images_;
};

}  // namespace reseda::restoration
