#pragma once

#include <c10/core/Device.h>

#include <string>
#include <vector>

namespace reseda::tools {

/// One operation in one precision and memory format against the same operation in double precision on the CPU.
struct PrecisionRow {
  std::string operation, precision, layout;
  double error = 0;  ///< largest absolute difference, relative to the largest absolute value of the reference
  double limit = 0;
  bool passed() const { return error <= limit; }  ///< false for NaN
};

/// Convolution, matrix product, group normalisation and attention with fixed inputs in float32 and bfloat16, contiguous
/// and channels-last; the Fourier transform in float32; and the noise of one key against the values that every machine
/// must draw. An operation that the machine cannot run has an infinite error.
std::vector<PrecisionRow> check_precision(c10::Device device);

}  // namespace reseda::tools
