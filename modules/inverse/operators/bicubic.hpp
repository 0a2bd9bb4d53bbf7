#pragma once

#include <string>
#include <vector>

#include "modules/inverse/operators/separable.hpp"

namespace reseda::inverse {

struct BicubicConfig {
  std::vector<std::int64_t> image = kDefaultImage;
  std::int64_t factor = 4;
  std::string kernel = "cubic";
  double singular_cut = 0.03;
  template <class V>
  void fields(V& v) {
    v("image", image, kImageHelp);
    v("factor", factor, "of both sides; divides height and width");
    v("kernel", kernel, "cubic (a = -1/2), linear or lanczos3");
    v("singular_cut", singular_cut, "singular values of the rows' and the columns' matrix below this are taken as 0");
  }
  void validate() const;
};

/// The matrix [n/r, n] of one axis: row k holds b((j - c) / r) at pixel j, c = r k + (r - 1) / 2, over their sum;
/// pixels beyond an edge mirror with the edge repeated. b of support S: cubic, S = 2, (a+2)|x|^3 - (a+3)|x|^2 + 1 to
/// |x| = 1 and a|x|^3 - 5a|x|^2 + 8a|x| - 4a to 2, a = -1/2; linear, S = 1, 1 - |x|; lanczos3, S = 3, sinc(x)
/// sinc(x/3). float64.
at::Tensor downscaling_matrix(std::int64_t count, std::int64_t factor, const std::string& kernel);

/// Antialiased reduction by r of both axes, H x = A x B^T with A, B as above; y is [B,C,H/r,W/r]. Adjoint,
/// pseudo-inverse and spectral form: Separable. Deterministic.
/// Source: Keys 1981, "Cubic convolution interpolation for digital image processing". Official: NVlabs/RED-diff,
/// utils/degredations.py (SRConv), equal for even r; for odd r that is shifted by half a pixel.
class Bicubic final : public Separable {
 public:
  /// @throws Error{kUsage} unless the factor divides both sides
  explicit Bicubic(const BicubicConfig& config);
};

}  // namespace reseda::inverse
