#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

namespace reseda::inverse {

/// Numbers in a row, float64.
inline at::Tensor row(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

inline void expect_close(const at::Tensor& actual, const at::Tensor& expected, double tolerance = 1e-12) {
  ASSERT_EQ(actual.sizes(), expected.sizes());
  EXPECT_LE((actual - expected).abs().max().item<double>(), tolerance) << actual << "\n" << expected;
}

/// Re <u, v>.
inline double inner_product(const at::Tensor& u, const at::Tensor& v) {
  return (u.is_complex() ? at::real(u.conj() * v) : u * v).sum().item<double>();
}

}  // namespace reseda::inverse
