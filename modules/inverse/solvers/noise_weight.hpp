#pragma once

#include <string>

namespace reseda::inverse {

inline constexpr const char* kNoiseWeightHelp =
    "weight of the prior's gradient as a function of r = c / a: linear r, sqrt, square, log ln(1 + r), trunc_linear "
    "min(r, 1), power2over3 or const 1";

/// @throws Error{kUsage} unless it is one of the weights above (the official code takes any other name as linear)
void require_noise_weight(const std::string& name);

/// The weight at noise-to-signal ratio r.
/// Source: Mardani et al. 2024, "A Variational Perspective on Solving Inverse Problems with Diffusion Models", Sec. 4.
/// Official: NVlabs/RED-diff, algos/reddiff.py (denoise_term_weight).
double noise_weight(const std::string& name, double ratio);

}  // namespace reseda::inverse
