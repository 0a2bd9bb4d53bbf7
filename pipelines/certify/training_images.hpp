#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "pipelines/certify/certify_model.hpp"
#include "pipelines/certify/image_data.hpp"

namespace reseda::certify {

/// Images of one size with their classes.
struct LabelledImages {
  at::Tensor pixels;  ///< [N,C,H,W] uint8 levels
  at::Tensor labels;  ///< [N] int64

  std::int64_t count() const { return labels.size(0); }
};

/// All images of a data set, which the model's size, channels and classes must fit.
/// @throws Error{kInput} naming the image, or where they take more than 8 GiB
LabelledImages read_images(const ImageData& data, const CertifyModelConfig& model);
/// The same whatever the classes. @param size  height and width
LabelledImages read_images(const ImageData& data, std::int64_t channels, std::int64_t size);

/// @throws Error{kInput} unless there are images, of the model's channels and size
void require_shape(const LabelledImages& images, const CertifyModelConfig& model);

/// SHA-256 of a tensor's values, for what a resumed training must agree on.
std::string digest(const at::Tensor& tensor);

/// Every n-th image apart from the rest. n = 0 holds nothing out.
struct HeldOutImages {
  LabelledImages training, validation;
};
HeldOutImages hold_out(const LabelledImages& all, std::int64_t every);

struct AugmentationConfig {
  std::int64_t padding = 4;
  bool flip = true;
  template <class V>
  void fields(V& v) {
    v("padding", padding, "images are moved by up to this many pixels along each axis; black comes in");
    v("flip", flip, "every other image is mirrored, left to right");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// What one step of training sees.
struct LabelledBatch {
  at::Tensor images;  ///< [B,C,H,W] float32 in [0, 1], without noise
  at::Tensor labels;  ///< [B] int64
};

/// Batches of augmented images: every image once before any comes again, in an order drawn anew each time round.
/// A batch depends on (seed, step) and the arguments alone. Draws: "train" (order, augmentation).
class TrainingImages {
 public:
  TrainingImages(const LabelledImages& images, AugmentationConfig config, std::uint64_t seed);
  LabelledBatch batch(std::int64_t count, std::int64_t step);

 private:
  std::int64_t at_position(std::int64_t position);

  AugmentationConfig config_;
  std::uint64_t seed_;
  std::int64_t height_, width_;
  at::Tensor padded_, labels_;
  std::int64_t round_ = -1;  // the one that order_ is of
  std::vector<std::int64_t> order_;
};

}  // namespace reseda::certify
