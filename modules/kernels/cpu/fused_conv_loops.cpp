#include "modules/kernels/cpu/fused_conv_loops.hpp"

#define RESEDA_PRAGMA(text) _Pragma(#text)
#ifdef __clang__
#define RESEDA_UNROLL(count) RESEDA_PRAGMA(clang loop unroll_count(count))
#else
#define RESEDA_UNROLL(count) RESEDA_PRAGMA(GCC unroll count)
#endif

namespace reseda::kernels::loops {
namespace {

using Vector = float __attribute__((vector_size(32)));
using Unaligned = float __attribute__((vector_size(32), aligned(4), may_alias));

constexpr std::int64_t kVector = 8, kColumns = 16, kRows = 6;

Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
void store(float* to, Vector value) { *reinterpret_cast<Unaligned*>(to) = value; }

/// One axis of B^T for the points 0, 1, -1, 2, -2 and infinity.
[[gnu::always_inline]] inline void transform_input(const Vector* d, Vector* v, std::int64_t stride) {
  const Vector even = d[4] - 4.0F * d[2], odd = d[3] - 4.0F * d[1];
  const Vector far_even = d[4] - d[2], far_odd = d[3] - d[1];
  v[0] = 4.0F * d[0] + (d[4] - 5.0F * d[2]);
  v[stride] = even + odd;
  v[2 * stride] = even - odd;
  v[3 * stride] = far_even + 2.0F * far_odd;
  v[4 * stride] = far_even - 2.0F * far_odd;
  v[5 * stride] = 4.0F * d[1] + (d[5] - 5.0F * d[3]);
}

/// One axis of A^T.
[[gnu::always_inline]] inline void transform_output(const Vector* m, Vector* y, std::int64_t stride) {
  const Vector even = m[1] + m[2], odd = m[1] - m[2], far_even = m[3] + m[4], far_odd = m[3] - m[4];
  y[0] = m[0] + even + far_even;
  y[stride] = odd + 2.0F * far_odd;
  y[2 * stride] = even + 4.0F * far_even;
  y[3 * stride] = odd + 8.0F * far_odd + m[5];
}

Vector finished(Vector sum, const Finish& finish, std::int64_t channel, std::int64_t offset) {
  sum += load(finish.bias + channel);
  if (finish.add != nullptr) sum += load(finish.add + offset);
  return finish.relu ? (sum < 0.0F ? Vector{} : sum) : sum;
}

/// `Rows` rows by 16 columns, in registers.
template <std::int64_t Rows>
void product(const float* rows, std::int64_t depth, const float* w, float* out, std::int64_t out_stride) {
  Vector sum[Rows][2];
  RESEDA_UNROLL(6)
  for (std::int64_t r = 0; r < Rows; ++r) sum[r][0] = sum[r][1] = Vector{};
  for (std::int64_t c = 0; c < depth; ++c) {
    const Vector left = load(w + c * kColumns), right = load(w + c * kColumns + kVector);
    RESEDA_UNROLL(6)
    for (std::int64_t r = 0; r < Rows; ++r) {
      const float value = rows[r * depth + c];
      sum[r][0] += value * left;
      sum[r][1] += value * right;
    }
  }
  RESEDA_UNROLL(6)
  for (std::int64_t r = 0; r < Rows; ++r) {
    store(out + r * out_stride, sum[r][0]);
    store(out + r * out_stride + kVector, sum[r][1]);
  }
}

}  // namespace

void winograd_input(const float* d, std::int64_t row_stride, std::int64_t in, float* v, std::int64_t v_stride) {
  for (std::int64_t c = 0; c < in; c += kVector) {
    Vector half[kElements], line[6];
    for (std::int64_t x = 0; x < 6; ++x) {
      RESEDA_UNROLL(6)
      for (std::int64_t y = 0; y < 6; ++y) line[y] = load(d + y * row_stride + x * in + c);
      transform_input(line, half + x, 6);
    }
    for (std::int64_t y = 0; y < 6; ++y) {
      transform_input(half + 6 * y, line, 1);
      RESEDA_UNROLL(6)
      for (std::int64_t x = 0; x < 6; ++x) store(v + (6 * y + x) * v_stride + c, line[x]);
    }
  }
}

void products(const float* rows, std::int64_t count, std::int64_t depth, const float* w, std::int64_t columns,
              float* out) {
  for (std::int64_t k = 0; k < columns; k += kColumns, w += depth * kColumns) {
    std::int64_t r = 0;
    for (; r + kRows <= count; r += kRows) product<kRows>(rows + r * depth, depth, w, out + r * columns + k, columns);
    for (; r < count; ++r) product<1>(rows + r * depth, depth, w, out + r * columns + k, columns);
  }
}

void winograd_output(const float* m, std::int64_t m_stride, std::int64_t out, const Finish& finish, float* y,
                     std::int64_t row_stride) {
  for (std::int64_t k = 0; k < out; k += kVector) {
    Vector half[24], line[6];
    for (std::int64_t i = 0; i < 6; ++i) {
      RESEDA_UNROLL(6)
      for (std::int64_t j = 0; j < 6; ++j) line[j] = load(m + (6 * j + i) * m_stride + k);
      transform_output(line, half + i, 6);
    }
    for (std::int64_t i = 0; i < 4; ++i) {
      transform_output(half + 6 * i, line, 1);
      RESEDA_UNROLL(4)
      for (std::int64_t j = 0; j < 4; ++j) {
        const std::int64_t offset = i * row_stride + j * out + k;
        store(y + offset, finished(line[j], finish, k, offset));
      }
    }
  }
}

void finish_pixel(const float* m, std::int64_t out, const Finish& finish, float* y) {
  for (std::int64_t k = 0; k < out; k += kVector) store(y + k, finished(load(m + k), finish, k, k));
}

}  // namespace reseda::kernels::loops
