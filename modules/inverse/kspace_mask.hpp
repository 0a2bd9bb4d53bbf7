#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "modules/inverse/numpy_random.hpp"

namespace reseda::inverse {

struct KspaceMaskConfig {
  std::string type = "equispaced_fraction";
  double acceleration = 4.0;
  double center_fraction = 0.08;
  std::int64_t seed = 0;
  template <class V>
  void fields(V& v) {
    v("type", type,
      "lines along the width: random, equispaced, equispaced_fraction, magic (fastMRI), gaussian1d, uniform1d "
      "(score-MRI); points: gaussian2d, uniformrandom2d (score-MRI); full");
    v("acceleration", acceleration, "how many times fewer samples than in the full spectrum, about; >= 1");
    v("center_fraction", center_fraction, "share of the lines that is kept in the middle; not used for points");
    v("seed", seed, "of NumPy's RandomState, 0 .. 2^32 - 1");
  }
  void validate() const;
};

/// A mask of 0 and 1 for a centred spectrum, [height, width] float32; masks of lines are equal in every row.
/// With W = width, n = number of lines in the middle, R = acceleration and draws from the generator in this order:
///   random               uniform < p for each line, p = (W/R - n) / (W - n), n = round(W f), plus the middle
///   equispaced           every round(R)-th line from an offset below round(R), plus the middle
///   equispaced_fraction  round(offset + i r), r = R (n - W) / (n R - W), offset below round(r), plus the middle
///   magic                equispaced, the negative half shifted so that lines and their mirror images are both taken
///   gaussian1d           whole(1.2 floor(W/R)) normal draws of deviation 15 W / 128, truncated and clipped, plus the
///                        int(W f) lines from W/2 - n/2
///   uniform1d            floor(W/R) - n draws with replacement, plus the middle as for gaussian1d
///   gaussian2d           floor(H W / R) pairs of normal draws of variance 1.5 H^2 / 128 and 1.5 W^2 / 128
///   uniformrandom2d      floor(H W / R) draws with replacement
/// Quirk: draws with replacement repeat, so the last four take fewer samples than asked for.
/// @throws Error{kUsage} where the middle alone holds more lines than the acceleration allows (random,
/// equispaced_fraction)
/// Official: facebookresearch/fastMRI, fastmri/data/subsample.py; hyungjin-chung/score-MRI, utils.py (get_mask).
at::Tensor kspace_mask(const KspaceMaskConfig& config, std::int64_t height, std::int64_t width, NumpyRandom& random);

/// The same with the generator of the config's seed.
at::Tensor kspace_mask(const KspaceMaskConfig& config, std::int64_t height, std::int64_t width);

}  // namespace reseda::inverse
