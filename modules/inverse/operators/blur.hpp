#pragma once

#include <memory>
#include <string>
#include <vector>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/boundary.hpp"
#include "modules/inverse/operators/image_shape.hpp"
#include "modules/inverse/operators/point_spread.hpp"

namespace reseda::inverse {

struct BlurConfig {
  std::vector<std::int64_t> image = kDefaultImage;
  PointSpreadConfig point_spread;
  std::string boundary = "reflect";
  double singular_cut = 0.03;
  std::string compat = "none";
  template <class V>
  void fields(V& v) {
    v("image", image, kImageHelp);
    v("point_spread", point_spread, "the blur kernel");
    v("boundary", boundary, "beyond the edge: zero, reflect (the edge repeated) or periodic");
    v("singular_cut", singular_cut,
      "where there is a pseudo-inverse: singular values below this are taken as 0; of the rows' and the columns' "
      "matrix "
      "where the kernel is a product, else of the image's transform");
    v("compat", compat, "none, or reddiff: the operator that RED-diff's deblur tasks apply, which is not a blur");
  }
  void validate() const;
};

/// Convolution of every channel with a kernel, (H x)[i,j] = sum k[a,b] x[i - a, j - b], by the form that fits: a
/// periodic boundary takes CircularBlur, a kernel that is a product of two vectors Separable, any other PaddedBlur.
/// @param kernel  [K,L], sides odd, finite, not all 0; its sum need not be 1
/// @throws Error{kUsage} on another kernel, or where the cut leaves nothing
std::unique_ptr<ForwardOperator> make_blur(const ImageShape& shape, const at::Tensor& kernel, Boundary boundary,
                                           double singular_cut);

/// The matrix [n,n] of one axis of RED-diff's blur: row i holds taps[t] at pixel i - K/2 + t for t < K - 1, zero
/// boundary. Quirk: the last tap is not used. Official: NVlabs/RED-diff, utils/degredations.py (Deblurring).
at::Tensor reddiff_blur_matrix(const at::Tensor& taps, std::int64_t count);

}  // namespace reseda::inverse
