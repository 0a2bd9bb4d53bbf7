#pragma once

#include <cstdint>

/// The loops of FusedConv. Their file is compiled for AVX2 and FMA where the processor is an x86, and includes no other
/// header, whose inline functions the linker might take for the whole program. Channels lie last, `in` and `out` are
/// multiples of 8, `columns` of 16; every element is the same chain of operations wherever it lies.
namespace reseda::kernels::loops {

/// Elements of a tile of F(4x4, 3x3) after its transform, 6 x 6.
constexpr std::int64_t kElements = 36;

/// V = B^T d B of one tile. @param d  its first pixel, [6][row_stride]   @param v  [36][v_stride], `in` written of each
void winograd_input(const float* d, std::int64_t row_stride, std::int64_t in, float* v, std::int64_t v_stride);

/// out[r][k] = sum_c rows[r][c] w[c][k]. @param w  [columns / 16][depth][16]   @param out  [count][columns]
void products(const float* rows, std::int64_t count, std::int64_t depth, const float* w, std::int64_t columns,
              float* out);

/// What is done with a sum on the way to its map.
struct Finish {
  const float* bias;  ///< [out]
  const float* add;   ///< where the map that is added lies, laid out as the result, or null
  bool relu;          ///< what is not finite stays so
};

/// Y = A^T M A of one tile, finished. @param m  [36][m_stride]   @param y  its first pixel, [4][row_stride]
void winograd_output(const float* m, std::int64_t m_stride, std::int64_t out, const Finish& finish, float* y,
                     std::int64_t row_stride);

/// The same end for one pixel whose sum needs no transform. @param m, y  [out]
void finish_pixel(const float* m, std::int64_t out, const Finish& finish, float* y);

}  // namespace reseda::kernels::loops
