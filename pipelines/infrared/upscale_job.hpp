#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "pipelines/common/batch_runner.hpp"
#include "pipelines/infrared/upscale_request.hpp"

namespace reseda::infrared {

/// One frame through an upscaler: a file of the same depth, units and metadata.
class UpscaleJob final : public app::ItemJob {
 public:
  /// Decodes the frame and finds out what can be known to fail.
  /// @param noise_name  names the draws
  /// @throws Error{kInput}; Error{kUsage} where it needs more memory than allowed; Error{kOutput} where the output's
  ///         format cannot hold the frame
  UpscaleJob(const app::BatchItem& item, std::string noise_name, const io::Image& image, const ValueRange& range,
             const UpscaleRequest& request, const Upscaler& upscaler, NoiseSource& noise);
  void compute(app::ItemContext& context) override;
  void save() override;
  std::vector<std::filesystem::path> companions() const override;
  ConfigNode facts() const override;

 private:
  void check_output() const;
  std::string extension() const;
  io::ImageWriteOptions writing() const;

  app::BatchItem item_;
  std::string noise_name_;
  const UpscaleRequest& request_;
  const Upscaler& upscaler_;
  NoiseSource& noise_;
  Frame frame_;
  std::string name_;       ///< for messages
  at::Tensor high_, map_;  ///< [1,1,H,W] the result, and its uncertainty in the same range
  Agreement agreement_;
  std::int64_t clipped_ = 0;
  double seconds_ = 0;
};

/// Reads a frame within the request's memory. @throws Error{kInput}
io::Image read_frame(const app::BatchItem& item, const UpscaleRequest& request);

}  // namespace reseda::infrared
