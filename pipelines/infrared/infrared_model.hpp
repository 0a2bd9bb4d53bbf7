#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "modules/core/device.hpp"
#include "modules/core/state_dict.hpp"
#include "modules/diffusion/uncertainty_weight.hpp"
#include "pipelines/infrared/tiled_upscaler.hpp"
#include "pipelines/restoration/restoration_model.hpp"

namespace reseda::infrared {

/// How a model of two networks makes its picture.
struct PictureOptions {
  bool sample = false;         ///< a sample of the diffusion; else the guide's estimate in one call
  std::int64_t steps = 0;      ///< calls of a sample; 0: as the model's sampler says
  double strength = 1.0;       ///< share of the difference between sample and guide that is added to the guide
  bool uniform_noise = false;  ///< every pixel gets the noise of the most uncertain ones, for comparison
};

/// Super-resolution after UPSR: a guide g of one call that minimises the error, and a diffusion from the enlarged frame
/// y to the sharp one, with noise for each pixel by how much the guide changed it,
///   x_T = y + kappa sqrt(eta_T) w(g(y) - y) eps,
/// whose network sees y and g(y). A model file may hold the guide alone.
/// Source: Zhang et al. 2025, "Uncertainty-guided Perturbation for Image Super-Resolution Diffusion Model"; with one
/// channel, a network on the grid of the small frame, and a guide of the same kind.
class InfraredModel {
 public:
  /// Reads a model file: a restoration model that enlarges, or one with its guide below "guide.".
  /// @throws Error{kCheckpoint} if the file is absent, is no such model, or does not fit
  static InfraredModel load(const std::filesystem::path& file);
  /// The same from a file's contents. @param name  for messages
  static InfraredModel from(const StateDict& weights, const std::string& name);
  /// Moves its networks to a device; the tiles that on_tiles() takes and gives stay on the CPU.
  void compute_on(c10::Device device, Precision precision);
  /// A diffusion and its guide as one file.
  static StateDict join(StateDict diffusion, const restoration::RestorationModel& guide);

  std::int64_t scale() const { return guide_->config().low_resolution.scale; }
  bool has_diffusion() const { return diffusion_ != nullptr; }
  const restoration::RestorationModelConfig& config() const { return (diffusion_ ? *diffusion_ : *guide_).config(); }

  /// g(y) of an enlarged frame. @param y  [N,1,H,W]   @return same shape, not clipped
  at::Tensor guide(const at::Tensor& y) const;
  /// w(g(y) - y), [N,1,H,W].
  at::Tensor weight(const at::Tensor& y, const at::Tensor& guided) const;
  /// A sample. @param noise  [N,1,H,W], standard normal: the draw of the start
  at::Tensor sample(const at::Tensor& y, const at::Tensor& guided, const at::Tensor& noise,
                    const PictureOptions& options) const;

  /// What tiles must be like. A margin covers what one call of each network sees; later calls of a sample see further,
  /// by what the earlier ones did.
  /// @throws Error{kUsage} where a sample is asked for and there is no diffusion, or uniform noise of a model that has
  ///         no other
  TileNetworkTraits traits(const PictureOptions& options) const;
  /// The model on tiles of small frames with those traits, as the options say. Valid as long as the model is.
  /// @throws Error{kUsage} as traits()
  TileNetwork on_tiles(const PictureOptions& options) const;

 private:
  InfraredModel() = default;
  void check(const PictureOptions& options) const;
  std::unique_ptr<restoration::RestorationModel> guide_, diffusion_;
  c10::Device device_ = c10::kCPU;
};

/// g(y) by one call from y itself. @param guide  a model that predicts the residual
at::Tensor one_call(const restoration::RestorationModel& guide, const at::Tensor& y);

/// What the uncertainty of a model's process says of g(y) - y; 1 throughout for other processes.
at::Tensor noise_weight(const restoration::RestorationModel& diffusion, const at::Tensor& y, const at::Tensor& guided);

}  // namespace reseda::infrared
