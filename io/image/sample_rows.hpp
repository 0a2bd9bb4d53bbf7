#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <cstring>
#include <string>

namespace reseda::io::detail {

/// Puts interleaved samples of a row where they belong in pixels [C,H,W].
/// @param samples  count x channels values: of columns first_column .. of channels first_channel ..
struct RowPlace {
  std::int64_t row, first_column, columns, first_channel, channels;
};

template <class T>
void store_row(const T* samples, const RowPlace& place, at::Tensor& pixels) {
  const std::int64_t height = pixels.size(1), width = pixels.size(2);
  float* plane = pixels.mutable_data_ptr<float>() + place.first_channel * height * width + place.row * width;
  for (std::int64_t c = 0; c < place.channels; ++c, plane += height * width) {
    for (std::int64_t x = 0; x < place.columns; ++x) {
      plane[place.first_column + x] = static_cast<float>(samples[x * place.channels + c]);
    }
  }
}

/// Pixels as the bytes of interleaved samples of type T in this machine's byte order; values must be T's already.
/// @param pixels  [C,H,W] float32 on the CPU
template <class T>
std::string interleaved_bytes(const at::Tensor& pixels) {
  const at::Tensor by_pixel = pixels.permute({1, 2, 0}).contiguous();
  const float* values = by_pixel.const_data_ptr<float>();
  const auto count = static_cast<std::size_t>(by_pixel.numel());
  std::string out(count * sizeof(T), '\0');
  for (std::size_t i = 0; i < count; ++i) {
    const T value = static_cast<T>(values[i]);
    std::memcpy(out.data() + i * sizeof(T), &value, sizeof(T));
  }
  return out;
}

}  // namespace reseda::io::detail
