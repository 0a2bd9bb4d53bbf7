#pragma once

#include <ATen/core/Tensor.h>

namespace reseda::metrics {

/// The body in a slice: pixels above a threshold, holes filled, the largest connected piece. Pixels touch by their
/// sides, holes by theirs. Of pieces of one size the first from the top left counts; if no pixel is above, the mask is
/// all true.
/// @param slice      [H,W], real; NaN is not above
/// @param threshold  -500 for CT in HU: lungs and bowel gas are holes and belong to the body
/// @return           [H,W] bool
/// @throws Error{kInput} on another shape
/// Source: the rule of the suite's scoring script, equal to scipy.ndimage's binary_fill_holes and label with their
/// default structure.
at::Tensor body_mask(const at::Tensor& slice, double threshold);

}  // namespace reseda::metrics
