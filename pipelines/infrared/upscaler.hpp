#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>

#include "modules/core/noise.hpp"
#include "modules/core/progress.hpp"

namespace reseda::infrared {

/// What one enlargement of a frame may use.
struct UpscaleContext {
  NoiseSource& noise;
  std::string_view item;     ///< names the noise: of frames with equal names and sizes it is equal
  std::uint32_t sample = 0;  ///< number of the sample: each has its own noise
  ProgressSink progress = {};
  /// @throws Error{kInterrupted} when the run is being stopped
  void report(std::int64_t done, std::int64_t total) const;
};

/// Enlarges frames. One object serves one thread.
class Upscaler {
 public:
  virtual ~Upscaler() = default;
  virtual std::int64_t scale() const = 0;
  /// Whether samples differ.
  virtual bool draws_noise() const = 0;
  /// Whether it adds detail that the frame does not hold, and that may be wrong.
  virtual bool adds_detail() const = 0;
  /// @param low  [1,1,h,w] float32, the range being -1 to 1; values beyond are kept
  /// @return     [1,1,scale h,scale w] float32, not clipped
  virtual at::Tensor run(const at::Tensor& low, const UpscaleContext& context) const = 0;
  /// Bytes that run() needs besides `low`, its result and what is in memory whatever the size of a frame.
  virtual std::int64_t working_bytes(std::int64_t height, std::int64_t width) const = 0;
};

/// Mean and standard deviation over samples.
struct SampleStatistics {
  at::Tensor mean, deviation;  ///< [1,1,H,W] float32; deviation undefined for one sample
};

/// Ways to turn and mirror a frame.
inline constexpr std::int64_t kOrientations = 8;

/// Runs samples 0 to count - 1:  mean = sum x_i / n,  deviation = sqrt(sum (x_i - mean)^2 / (n - 1)). Those of a method
/// that draws no noise are its results on the frame turned by i quarters, mirrored from i = 4 on, turned back.
/// @param count  >= 1, at most kOrientations without noise
/// Source of the mean over orientations: Timofte et al. 2016, "Seven Ways to Improve Example-Based Single Image
/// Super-Resolution", Sec. 3.5.
SampleStatistics run_samples(const Upscaler& upscaler, const at::Tensor& low, std::int64_t count,
                             UpscaleContext context);

/// Makes a result agree with the frame it came from:  x += U(low - D(x)), `times` times, with D Pillow's antialiased
/// bicubic to the size of `low` and U the same back.
/// @param high  [1,1,H,W] float32   @param low  [1,1,h,w] float32
/// Source: Irani and Peleg 1991, "Improving Resolution by Image Registration", the iteration for one image.
at::Tensor back_project(at::Tensor high, const at::Tensor& low, std::int64_t times);

/// How well a result, shrunk, agrees with its frame.
struct Agreement {
  double mean = 0;  ///< mean of D(high) - low
  double rms = 0;   ///< root of the mean of its square
};
Agreement agreement(const at::Tensor& high, const at::Tensor& low);

/// Refuses what no enlargement of the frame can look like: values that are NaN or infinite, a constant picture (to 1e-5
/// of the range) of a frame that is not, one whose shrunk self differs from the frame by more than the frame's standard
/// deviation plus a twentieth of the range.
/// @return how well they agree
/// @throws Error{kNumeric} with `name`
Agreement check_result(const at::Tensor& high, const at::Tensor& low, const std::string& name);

}  // namespace reseda::infrared
