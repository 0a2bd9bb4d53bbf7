#pragma once

#include <cstdint>
#include <vector>

namespace reseda::kernels {

/// Floats that begin on a cache line, zero at first.
class AlignedFloats {
 public:
  /// At least `count` floats; what was there may be lost.
  void ensure(std::int64_t count);
  float* data() { return lines_.empty() ? nullptr : lines_.front().values; }
  const float* data() const { return lines_.empty() ? nullptr : lines_.front().values; }

 private:
  struct alignas(64) Line {
    float values[16] = {};
  };
  std::vector<Line> lines_;
};

/// Maps of several images with channels last and a border of zeros one pixel wide:
/// [count][height + 2][width + 2][channels].
class BorderedMaps {
 public:
  BorderedMaps(std::int64_t count, std::int64_t height, std::int64_t width, std::int64_t channels);
  /// @param y, x  from -1 (the border) to height and width
  float* pixel(std::int64_t n, std::int64_t y, std::int64_t x) { return values_.data() + offset(n, y, x); }
  const float* pixel(std::int64_t n, std::int64_t y, std::int64_t x) const { return values_.data() + offset(n, y, x); }
  /// Copies in from planes, [count][channels][height][width].
  void take(const float* planes);
  /// Copies the first `some` channels out to planes, [count][some][height][width].
  void give(float* planes, std::int64_t some) const;
  std::int64_t row_stride() const { return (width + 2) * channels; }

  const std::int64_t count, height, width, channels;

 private:
  std::int64_t offset(std::int64_t n, std::int64_t y, std::int64_t x) const {
    return ((n * (height + 2) + y + 1) * (width + 2) + x + 1) * channels;
  }
  AlignedFloats values_;
};

/// Weights of a convolution as networks hold them.
struct ConvWeights {
  std::vector<float> weight;  ///< [out][in][kernel][kernel]
  std::vector<float> bias;    ///< [out]
  std::int64_t in = 0, out = 0;
  std::int64_t kernel = 3;  ///< 3 with padding 1, or 1 without
  std::int64_t stride = 1;
};

/// Working memory of one thread.
struct ConvScratch {
  AlignedFloats rows, sums;
};

/// A convolution with what follows it, on one thread: y = relu(w * x + b + add), relu and add where asked for.
/// 3x3 with stride 1 goes by Winograd's F(4x4, 3x3), Y = A^T [sum_c (G g_c G^T) . (B^T d_c B)] A, a quarter of the
/// products; the rest by rows of pixels. In float32; Winograd's rounding is some ten times that of the direct sum. An
/// element of the result depends on its image alone, not on the others, their number or the thread.
/// Source: Lavin & Gray 2016, "Fast algorithms for convolutional neural networks".
class FusedConv {
 public:
  struct Options {
    const BorderedMaps* add = nullptr;  ///< of the result's shape; may be the result itself
    bool relu = false;
  };
  /// @throws Error{kInternal} on other kernels and strides, on sizes that do not fit, or unless `out` is a multiple of
  ///         16
  explicit FusedConv(const ConvWeights& weights);
  /// @param x  [count][H][W][in]   @param y  [count][ceil(H / stride)][ceil(W / stride)][out], not x
  /// @throws Error{kInternal} on other shapes
  void run(const BorderedMaps& x, BorderedMaps& y, const Options& options, ConvScratch& scratch) const;

  /// Whether this machine has the instructions that it was compiled for: AVX2 and FMA of an x86.
  static bool supported();

 private:
  void winograd(const BorderedMaps& x, BorderedMaps& y, const Options& options, ConvScratch& scratch) const;
  void by_rows(const BorderedMaps& x, BorderedMaps& y, const Options& options, ConvScratch& scratch) const;
  bool takes_tiles(const BorderedMaps& x) const;

  std::int64_t in_, out_, kernel_, stride_;
  std::vector<float> bias_;
  AlignedFloats rows_;      // [out / 16][kernel kernel in][16]
  AlignedFloats elements_;  // [36][out / 16][in][16], of 3x3 with stride 1
};

}  // namespace reseda::kernels
