#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "pipelines/certify/image_record.hpp"
#include "pipelines/certify/smoothed_classifier.hpp"

namespace reseda::certify {

/// The votes of one image so far; enough to go on from.
struct VoteState {
  std::vector<std::int64_t> selection, estimation;  ///< per class [K + 1], the last for logits that are not finite
  std::vector<std::int64_t> looks;  ///< of the sequential bound: hits among the votes between a look and the one before
  std::int64_t selected() const;
  std::int64_t estimated() const;
};

/// Votes on images until they are certified, by the bound that the settings name, and can be stopped after any batch.
/// The sequential bound looks at its confidence sequence every kLook votes and once at the end, wherever batches end:
/// what is counted depends on no batch. Votes behind the deciding look are thrown away.
class ImageVotes {
 public:
  static constexpr std::int64_t kLook = 50;
  using AfterBatch = std::function<void(const VoteState&)>;  ///< may throw to end the work; the state may be kept

  /// @param smoothed  outlives this   @param classes  K
  ImageVotes(const SmoothedClassifier& smoothed, const RunSettings& settings, std::int64_t classes)
      : smoothed_(smoothed), settings_(settings), classes_(classes) {}

  VoteState start() const;
  /// Whether a state read from a file can be one of these settings.
  bool fits(const VoteState& state) const;
  /// Goes on from a state to the end and certifies. @param image  [C,H,W] as the smoother takes it
  /// @throws Error{kNumeric} where no vote of the selection had finite logits
  stats::Certificate certify(const at::Tensor& image, const std::string& item, VoteState& state,
                             const AfterBatch& after_batch) const;

 private:
  std::int64_t select(const at::Tensor& image, const std::string& item, VoteState& state,
                      const AfterBatch& after_batch) const;
  stats::Certificate fixed(const at::Tensor& image, const std::string& item, VoteState& state,
                           const AfterBatch& after_batch) const;
  stats::Certificate sequential(const at::Tensor& image, const std::string& item, std::int64_t label, VoteState& state,
                                const AfterBatch& after_batch) const;
  stats::Certificate sound(stats::Certificate certificate, std::int64_t label, std::int64_t coordinates) const;

  const SmoothedClassifier& smoothed_;
  const RunSettings& settings_;
  std::int64_t classes_;
};

/// The largest radius that the settings can certify: every vote a hit.
double largest_radius(const RunSettings& settings);

}  // namespace reseda::certify
