#include "modules/kernels/cpu/fused_conv.hpp"

#include <algorithm>
#include <array>

#include "modules/core/error.hpp"
#include "modules/kernels/cpu/fused_conv_loops.hpp"

namespace reseda::kernels {
namespace {

constexpr std::int64_t kColumns = 16, kTileSide = 4;
/// Tiles or pixels that are worked on together: their transforms stay in the second cache.
constexpr std::int64_t kBlock = 12;
/// Floats behind each of the 36 elements' rows, so that these do not fall on the same lines of the first cache.
constexpr std::int64_t kGap = 16;

/// G g G^T of a 3x3 kernel, in double.
std::array<double, loops::kElements> transformed(const float* g) {
  constexpr double kG[6][3] = {{1.0 / 4, 0, 0},
                               {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                               {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                               {1.0 / 24, 1.0 / 12, 1.0 / 6},
                               {1.0 / 24, -1.0 / 12, 1.0 / 6},
                               {0, 0, 1}};
  std::array<double, loops::kElements> out{};
  for (std::size_t i = 0; i < 6; ++i)
    for (std::size_t j = 0; j < 6; ++j)
      for (std::size_t a = 0; a < 3; ++a)
        for (std::size_t b = 0; b < 3; ++b) out[6 * i + j] += kG[i][a] * static_cast<double>(g[3 * a + b]) * kG[j][b];
  return out;
}

/// Where weight (c, k) of a matrix [depth][out] lies among columns of 16.
std::int64_t packed(std::int64_t c, std::int64_t k, std::int64_t depth) {
  return (k / kColumns * depth + c) * kColumns + k % kColumns;
}

bool same_shape(const BorderedMaps& a, const BorderedMaps& b) {
  return a.count == b.count && a.height == b.height && a.width == b.width && a.channels == b.channels;
}

}  // namespace

void AlignedFloats::ensure(std::int64_t count) {
  const auto lines = static_cast<std::size_t>((count + 15) / 16);
  if (lines_.size() < lines) lines_.resize(lines);
}

BorderedMaps::BorderedMaps(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c)
    : count(n), height(h), width(w), channels(c) {
  values_.ensure(n * (h + 2) * (w + 2) * c);
}

void BorderedMaps::take(const float* planes) {
  for (std::int64_t n = 0; n < count; ++n)
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t y = 0; y < height; ++y)
        for (std::int64_t x = 0; x < width; ++x) pixel(n, y, x)[c] = *planes++;
}

void BorderedMaps::give(float* planes, std::int64_t some) const {
  for (std::int64_t n = 0; n < count; ++n)
    for (std::int64_t c = 0; c < some; ++c)
      for (std::int64_t y = 0; y < height; ++y)
        for (std::int64_t x = 0; x < width; ++x) *planes++ = pixel(n, y, x)[c];
}

FusedConv::FusedConv(const ConvWeights& w)
    : in_(w.in), out_(w.out), kernel_(w.kernel), stride_(w.stride), bias_(w.bias) {
  RESEDA_INVARIANT((kernel_ == 1 || kernel_ == 3) && stride_ >= 1 && in_ >= 1 && out_ >= 1 && out_ % kColumns == 0);
  const std::int64_t taps = kernel_ * kernel_;
  RESEDA_INVARIANT(static_cast<std::int64_t>(w.weight.size()) == out_ * in_ * taps &&
                   static_cast<std::int64_t>(bias_.size()) == out_);
  const bool tiles = kernel_ == 3 && stride_ == 1 && in_ % 8 == 0;
  rows_.ensure(taps * in_ * out_);
  if (tiles) elements_.ensure(loops::kElements * in_ * out_);
  for (std::int64_t k = 0; k < out_; ++k) {
    for (std::int64_t c = 0; c < in_; ++c) {
      const float* g = w.weight.data() + (k * in_ + c) * taps;
      for (std::int64_t tap = 0; tap < taps; ++tap) rows_.data()[packed(tap * in_ + c, k, taps * in_)] = g[tap];
      if (!tiles) continue;
      const auto u = transformed(g);
      for (std::int64_t e = 0; e < loops::kElements; ++e)
        elements_.data()[e * in_ * out_ + packed(c, k, in_)] = static_cast<float>(u[static_cast<std::size_t>(e)]);
    }
  }
}

bool FusedConv::supported() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

bool FusedConv::takes_tiles(const BorderedMaps& x) const {
  return elements_.data() != nullptr && x.height % kTileSide == 0 && x.width % kTileSide == 0;
}

void FusedConv::run(const BorderedMaps& x, BorderedMaps& y, const Options& options, ConvScratch& scratch) const {
  const auto strided = [this](std::int64_t size) { return (size + stride_ - 1) / stride_; };
  RESEDA_INVARIANT(x.channels == in_ && y.channels == out_ && x.count == y.count && &x != &y &&
                   y.height == strided(x.height) && y.width == strided(x.width));
  RESEDA_INVARIANT(options.add == nullptr || same_shape(*options.add, y));
  if (takes_tiles(x))
    winograd(x, y, options, scratch);
  else
    by_rows(x, y, options, scratch);
}

void FusedConv::winograd(const BorderedMaps& x, BorderedMaps& y, const Options& options, ConvScratch& scratch) const {
  const std::int64_t across = x.width / kTileSide, of_image = across * (x.height / kTileSide);
  const std::int64_t v_stride = kBlock * in_ + kGap, m_stride = kBlock * out_ + kGap;
  scratch.rows.ensure(loops::kElements * v_stride);
  scratch.sums.ensure(loops::kElements * m_stride);
  float *v = scratch.rows.data(), *m = scratch.sums.data();
  for (std::int64_t first = 0; first < x.count * of_image; first += kBlock) {
    const std::int64_t block = std::min(kBlock, x.count * of_image - first);
    const auto each_tile = [&](const auto& work) {
      for (std::int64_t i = 0; i < block; ++i) {
        const std::int64_t n = (first + i) / of_image, tile = (first + i) % of_image;
        work(i, n, kTileSide * (tile / across), kTileSide * (tile % across));
      }
    };
    each_tile([&](std::int64_t i, std::int64_t n, std::int64_t row, std::int64_t column) {
      loops::winograd_input(x.pixel(n, row - 1, column - 1), x.row_stride(), in_, v + i * in_, v_stride);
    });
    for (std::int64_t e = 0; e < loops::kElements; ++e)
      loops::products(v + e * v_stride, block, in_, elements_.data() + e * in_ * out_, out_, m + e * m_stride);
    each_tile([&](std::int64_t i, std::int64_t n, std::int64_t row, std::int64_t column) {
      const float* add = options.add != nullptr ? options.add->pixel(n, row, column) : nullptr;
      loops::winograd_output(m + i * out_, m_stride, out_, {bias_.data(), add, options.relu}, y.pixel(n, row, column),
                             y.row_stride());
    });
  }
}

void FusedConv::by_rows(const BorderedMaps& x, BorderedMaps& y, const Options& options, ConvScratch& scratch) const {
  const std::int64_t of_image = y.width * y.height, depth = kernel_ * kernel_ * in_, border = kernel_ / 2;
  scratch.rows.ensure(kBlock * depth);
  scratch.sums.ensure(kBlock * out_);
  for (std::int64_t first = 0; first < y.count * of_image; first += kBlock) {
    const std::int64_t block = std::min(kBlock, y.count * of_image - first);
    const auto each_pixel = [&](const auto& work) {
      for (std::int64_t i = 0; i < block; ++i) {
        const std::int64_t n = (first + i) / of_image, pixel = (first + i) % of_image;
        work(i, n, pixel / y.width, pixel % y.width);
      }
    };
    each_pixel([&](std::int64_t i, std::int64_t n, std::int64_t row, std::int64_t column) {
      float* to = scratch.rows.data() + i * depth;
      for (std::int64_t tap = 0; tap < kernel_; ++tap, to += kernel_ * in_)
        std::copy_n(x.pixel(n, stride_ * row - border + tap, stride_ * column - border), kernel_ * in_, to);
    });
    loops::products(scratch.rows.data(), block, depth, rows_.data(), out_, scratch.sums.data());
    each_pixel([&](std::int64_t i, std::int64_t n, std::int64_t row, std::int64_t column) {
      const float* add = options.add != nullptr ? options.add->pixel(n, row, column) : nullptr;
      loops::finish_pixel(scratch.sums.data() + i * out_, out_, {bias_.data(), add, options.relu},
                          y.pixel(n, row, column));
    });
  }
}

}  // namespace reseda::kernels
