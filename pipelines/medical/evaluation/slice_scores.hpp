#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "pipelines/common/score_text.hpp"

namespace reseda::medical {

/// CT has units of its own, and windows that readers use; everything else is scored by its own range.
enum class ScanKind { kCt, kOther };

using app::Better;

/// A score and what it means. In every record the definition stands next to the number.
struct ScoreName {
  std::string key, label, unit;  ///< unit "" for none
  int decimals;
  Better better;
  std::string metric, range, window, mask;  ///< definition in words; "" where it does not apply
};

/// What is measured in a slice of this kind, in this order.
const std::vector<ScoreName>& scores_of(ScanKind kind);

/// Place of a score among those of a kind; their number where the kind lacks it.
std::size_t score_place(ScanKind kind, const std::string& key);

/// What the slices of one scan have in common.
struct SliceContext {
  ScanKind kind = ScanKind::kOther;
  double peak = 0;                         ///< maximum of the reference volume: the range of PSNR and SSIM
  double object = 0;                       ///< a pixel of the reference above this belongs to the object
  std::array<double, 2> spacing = {1, 1};  ///< between rows, between columns, in mm
  bool spacing_known = false;              ///< false: a pixel is the unit
};

/// The object in a slice of the reference, [H,W] bool: CT: metrics::body_mask at -500 HU; else pixels above `object`.
at::Tensor object_mask(const at::Tensor& reference, const SliceContext& context);

/// Scores of one image of a slice, in the order of scores_of; NaN where one is undefined.
/// @param reference, estimate  [H,W] float32, finite
/// @param taken                what is correlated with the reference's edges: of a restored slice input - restored, of
///                             the input itself input - reference, the noise; undefined: unknown
/// @throws Error{kInput} on slices below 16 x 16 pixels or of unlike shape, or a peak that is not positive
std::vector<double> score_slice(const at::Tensor& reference, const at::Tensor& estimate, const at::Tensor& taken,
                                const SliceContext& context);

}  // namespace reseda::medical
