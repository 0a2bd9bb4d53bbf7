#pragma once

#include <memory>
#include <string>

#include "pipelines/infrared/upscaler.hpp"

namespace reseda::infrared {

/// Enlargement by a kernel of modules/signal/resize.hpp, e.g. "pillow_bicubic"; scale 1 gives the frame itself.
class Interpolation final : public Upscaler {
 public:
  Interpolation(std::string kernel, std::int64_t scale) : kernel_(std::move(kernel)), scale_(scale) {}
  std::int64_t scale() const override { return scale_; }
  bool draws_noise() const override { return false; }
  bool adds_detail() const override { return false; }
  at::Tensor run(const at::Tensor& low, const UpscaleContext& context) const override;
  std::int64_t working_bytes(std::int64_t height, std::int64_t width) const override;

 private:
  std::string kernel_;
  std::int64_t scale_;
};

/// Another upscaler's result made smaller by Pillow's antialiased bicubic, e.g. x4 to x2.
class Shrunk final : public Upscaler {
 public:
  /// @param scale  less than that of `inner`, and dividing it
  Shrunk(std::unique_ptr<Upscaler> inner, std::int64_t scale);
  std::int64_t scale() const override { return scale_; }
  bool draws_noise() const override { return inner_->draws_noise(); }
  bool adds_detail() const override { return inner_->adds_detail(); }
  at::Tensor run(const at::Tensor& low, const UpscaleContext& context) const override;
  std::int64_t working_bytes(std::int64_t height, std::int64_t width) const override;

 private:
  std::unique_ptr<Upscaler> inner_;
  std::int64_t scale_;
};

}  // namespace reseda::infrared
