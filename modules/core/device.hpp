#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

namespace reseda {

/// How numbers are computed; part of every run record.
enum class Precision {
  kF32,   ///< float32 everywhere: the parity path
  kTf32,  ///< float32 with TF32 matrix products and convolutions on a GPU
  kBf16   ///< bfloat16 convolutions and matrix products, float32 norms, softmax and accumulation
};

/// @throws Error{kUsage} unless the text is f32, tf32 or bf16
Precision parse_precision(const std::string& text);
const char* precision_name(Precision precision);

/// Opens a device by name: "cpu", "cuda", "cuda:1", or "auto" (cuda where it works, else cpu). Anything CUDA opens
/// libreseda_cuda.so beside the program or in ../lib first, which brings LibTorch's CUDA half.
/// @throws Error{kUsage} on another text, Error{kDevice} when cuda was asked for by name and cannot be had; it never
///         falls back silently
c10::Device open_device(const std::string& text);

/// Why CUDA cannot be used, in one line; empty when it can.
std::string cuda_unavailable_reason();

/// Fixes the number of threads of LibTorch's pool; 0 means the machine's cores. Call once, before any work.
void set_threads(std::int64_t threads);

/// Applies the matrix-product and convolution switches that belong to the precision (TF32 on or off).
void apply_precision(Precision precision);

}  // namespace reseda
