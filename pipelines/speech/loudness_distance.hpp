#pragma once

#include <ATen/core/Tensor.h>

namespace reseda::speech {

/// A differentiable perceptual distance between speech signals at 16 kHz: the disturbance of loudness on a Bark scale.
/// Both signals are levelled to equal power between 325 and 3250 Hz, weighted by a high-pass as a handset hears, split
/// into 32 ms frames, gathered into 49 Bark bands, compensated for a constant filter and for slow gain changes, and
/// mapped to loudness (Zwicker's law, exponent 0.23). With D the loudness difference outside a dead zone of a quarter
/// of the smaller loudness, a frame counts with a symmetric part (p = 2) and one that weights what was added more than
/// what was lost (p = 1), divided by a mild function of its energy; frames are gathered by L6 over 20 frames and L2
/// over all:
///   distance = 0.1 d_symmetric + 0.0309 d_asymmetric      (about 4.5 minus an opinion score).
/// It follows the structure of ITU-T P.862 but not its tables (band edges and thresholds are formulas here): it is a
/// training loss, not a PESQ score.
/// @param clean, estimate  [B, L] float32, L >= 8192     @return [B] float32, differentiable in `estimate`
/// Source: Rix et al. 2001, "Perceptual evaluation of speech quality (PESQ)"; Martin-Donas et al. 2018, "A deep
/// learning loss function based on the perceptual evaluation of the speech quality"; Zwicker & Fastl,
/// "Psychoacoustics".
at::Tensor loudness_distance(const at::Tensor& clean, const at::Tensor& estimate);

}  // namespace reseda::speech
