#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::certify {

/// The centre of a photograph as published ImageNet classifiers are shown it, by bilinear interpolation with
/// antialiasing to a short side of `resize` (the long side cut to whole pixels), then the centre of size x size, whose
/// offsets are rounded half to even.
/// @param image  [C,H,W] uint8   @return [C,size,size] uint8   @throws Error{kUsage} where the centre is larger
/// Official: locuslab/smoothing, code/datasets.py (Resize 256, CenterCrop 224 of torchvision on Pillow images).
at::Tensor resized_and_cropped(const at::Tensor& image, std::int64_t resize, std::int64_t size);

/// The same as rRCM does it: halved by means (both sides rounded down) while the short side is twice the size or more,
/// then bicubic to a short side of `size`, sides rounded half to even, then the centre by whole offsets; rounded to
/// levels after each. An image of size x size is untouched.
/// Official: jiachenlei/rRCM, rrcm_tune.py (ShortSideResizeCenterCrop).
at::Tensor halved_and_cropped(const at::Tensor& image, std::int64_t size);

}  // namespace reseda::certify
