#pragma once

#include <string>
#include <vector>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/image_shape.hpp"

namespace reseda::inverse {

struct PhaseRetrievalConfig {
  std::vector<std::int64_t> image = kDefaultImage;
  std::int64_t pad = -1;
  template <class V>
  void fields(V& v) {
    v("image", image, kImageHelp);
    v("pad", pad, "zeros around the image on each side; -1: a quarter of the longer side (64 for 256, as official)");
  }
  void validate() const;
};

/// Moduli of the DFT of each channel: H(x) = |F P x|, P pads with zeros, F is the orthonormal DFT with image and
/// frequency 0 in the middle; y is [B,C,H+2p,W+2p]. H(-x) = H(x). pseudo_inverse() gives the cropped |F^-1 y|, a first
/// guess that is not an inverse. Deterministic.
/// Official: NVlabs/RED-diff, utils/degredations.py (PhaseRetrievalOperator), where p = 64 for every image.
class PhaseRetrieval final : public ForwardOperator {
 public:
  explicit PhaseRetrieval(const PhaseRetrievalConfig& config);
  at::Tensor apply(const at::Tensor& x) const override;
  bool is_linear() const override { return false; }
  at::Tensor pseudo_inverse(const at::Tensor& y) const override;
  bool has_pseudo_inverse() const override { return false; }

 private:
  ImageShape shape_;
  std::int64_t pad_;
};

}  // namespace reseda::inverse
