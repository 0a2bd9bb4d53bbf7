#pragma once

#include <vector>

#include "modules/diffusion/denoiser.hpp"

namespace reseda::diffusion {

/// To whom a time belongs at which two ranges meet.
enum class SharedEdge {
  kUpper,  ///< ranges are [from, to)
  kLower   ///< ranges are (from, to]; what the official sampling of PPAP does
};

/// Another denoiser for each range of times: experts, or guidance only where the guide is competent. The calls outside
/// of every range go to `otherwise`.
/// Source: Go et al. 2023, "Towards Practical Plug-and-Play Diffusion Models", Sec. 4. Official: riiid/PPAP,
/// guided_diffusion/multi_expert_helper.py (edge: kLower, although its experts are trained on [from, to)).
class RangeDispatch final : public Denoiser {
 public:
  struct Range {
    double from, to;
    const Denoiser* denoiser;
  };
  /// @throws Error{kUsage} unless from < to, and where ranges overlap
  RangeDispatch(std::vector<Range> ranges, const Denoiser& otherwise, SharedEdge edge = SharedEdge::kUpper);
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override;

 private:
  std::vector<Range> ranges_;
  const Denoiser& otherwise_;
  SharedEdge edge_;
};

}  // namespace reseda::diffusion
