#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "pipelines/restoration/training_pairs.hpp"

namespace reseda::infrared {

/// Degraded images with a guide's picture of each beside it, which the network sees, and the weight of the noise that
/// follows from it (noise_weight): what the second stage of UPSR is trained on.
class GuidedImages final : public restoration::PairSource {
 public:
  /// @param model, guide  kept by reference
  GuidedImages(const restoration::RestorationModel& model, const restoration::RestorationModel& guide,
               restoration::ImageSet images)
      : model_(model), guide_(guide), images_(model, std::move(images)) {}
  restoration::Pairs draw(std::int64_t count, std::int64_t size, std::uint64_t seed, std::int64_t step) const override;
  std::string contents() const override { return images_.contents(); }
  bool weighs_noise() const override { return true; }

 private:
  const restoration::RestorationModel& model_;
  const restoration::RestorationModel& guide_;
  restoration::DegradedImages images_;
};

}  // namespace reseda::infrared
