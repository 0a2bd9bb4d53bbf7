#pragma once

#include <ATen/core/Tensor.h>

namespace reseda::metrics {

enum class LumaRounding {
  kNone,    ///< BasicSR's calculate_psnr and calculate_ssim with test_y_channel, pyiqa's psnr
  kNearest  ///< to whole levels, halves to even: ResShift's rgb2ycbcr, pyiqa's ssim
};

/// Luma in video range, as super-resolution of colour images is usually scored:
///   Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255
/// Black is 16, white 235: a difference of grey shrinks by 219 / 255, so the PSNR of Y (with 255 for the range) reads
/// 1.32 dB higher than that of the grey itself.
/// @param rgb  [.., 3, H, W], real, 0 .. 255   @return [.., H, W] float64 on the CPU
/// @throws Error{kInput} unless there are three channels
/// Source: ITU-R BT.601. Official: XPixelGroup/BasicSR basicsr/utils/color_util.py (rgb2ycbcr);
/// chaofengc/IQA-PyTorch pyiqa/utils/color_util.py; zsyOAOA/ResShift utils/util_image.py
at::Tensor video_luma(const at::Tensor& rgb, LumaRounding rounding);

}  // namespace reseda::metrics
