#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "modules/core/config.hpp"
#include "modules/core/state_dict.hpp"
#include "modules/diffusion/denoiser.hpp"
#include "modules/diffusion/process.hpp"
#include "modules/nets/network.hpp"
#include "pipelines/restoration/degradation.hpp"
#include "pipelines/restoration/low_resolution.hpp"

/// Models that restore images with residual diffusion, and their training: what the pipelines for images share.
namespace reseda::restoration {

/// Everything that turns an image into a network's input and back; stored in the metadata of a model file.
struct RestorationModelConfig {
  std::string name = "unnamed";
  std::string licence = "unspecified";
  double black = 0.0, white = 255.0;
  bool conditional = true;
  std::int64_t patch = 1;
  bool level_is_unit = false;
  ConfigNode network, process;
  std::string target = "residual";
  double clip = 1.0;
  ConfigNode sampler;
  DegradationConfig degradation;
  LowResolutionConfig low_resolution;
  template <class V>
  void fields(V& v) {
    v("name", name, "name of the model");
    v("licence", licence, "licence of the weights");
    v("black", black, "value of a file's pixels that the network sees as -1");
    v("white", white, "value of a file's pixels that the network sees as 1");
    v("conditional", conditional, "whether the network sees the measurement; a prior for inverse problems does not");
    v("patch", patch, "the network sees squares of this many pixels a side as channels of one pixel: less to compute");
    v("level_is_unit", level_is_unit,
      "the network's residual counts in standard deviations of the noise, which the last channel of its condition "
      "holds");
    v("network", network, "network: name and its options");
    v("process", process, "forward process: name and its options");
    v("target", target, "what the network predicts, e.g. x0, residual, residual_and_noise, resnoise");
    v("clip", clip, "estimates of the clean image are clipped to this; 0 clips nothing");
    v("sampler", sampler, "default sampler: name and its options");
    v("degradation", degradation, "what the model was trained to undo");
    v("low_resolution", low_resolution, "the same of models that enlarge; scale 1 for none");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// The channel that tells a network a standard deviation sigma of the noise, x in [-1, 1]: 5 sigma - 1, and back.
at::Tensor noise_level(const at::Tensor& sigma);
at::Tensor noise_unit(const at::Tensor& level);

/// A restoration model, or a prior of clean images: configuration, network and process, ready for training or for use.
class RestorationModel {
 public:
  /// Builds the network with random weights.
  explicit RestorationModel(RestorationModelConfig config);
  /// Reads a model file: safetensors whose metadata "reseda.restoration" holds the config as JSON. Memory for the
  /// network is bounded by a few times the file's size.
  /// @throws Error{kCheckpoint} if the file is absent, is no restoration model, or does not fit
  static RestorationModel load(const std::filesystem::path& file);
  /// The same from a file's contents. @param name  for messages
  static RestorationModel from(const StateDict& weights, const std::string& name);
  /// The weights with the config in the metadata, as `load` reads it; `average` replaces the network's own values.
  StateDict to_file(const std::vector<StateDict::Entry>& average = {}) const;

  const RestorationModelConfig& config() const { return config_; }
  nets::Network& network() const { return *network_; }
  const diffusion::Process& process() const { return *process_; }
  diffusion::Target target() const { return target_; }

  /// The prediction of the network: [x, y, extra] by channels, in patches.
  /// @param t  as network_input_times gives it
  at::Tensor predict(const at::Tensor& x, const diffusion::Condition& condition, const at::Tensor& t) const;
  /// What errors of a prediction count in: noise_unit where level_is_unit, else undefined.
  at::Tensor unit(const diffusion::Condition& condition) const;
  /// Height and width of what predict takes are multiples of this.
  std::int64_t multiple() const { return config_.patch * network_->time_multiple(); }

  /// The network behind its target, with x0 clipped. RDDM's own samplers find the residual in its estimates. Valid as
  /// long as the model is.
  /// @param derive_noise  whether the noise agrees with the clipped x0, as general solvers want; the official code of
  ///                      RDDM and Resfusion keeps the noise of before the clip
  std::unique_ptr<diffusion::Denoiser> denoiser(bool derive_noise = true) const;

  /// (pixels - black) / (white - black) * 2 - 1, and back.
  at::Tensor to_network(const at::Tensor& pixels) const;
  at::Tensor to_pixels(const at::Tensor& x) const;

 private:
  RestorationModelConfig config_;
  std::shared_ptr<nets::Network> network_;
  std::unique_ptr<diffusion::Process> process_;
  diffusion::Target target_;
};

}  // namespace reseda::restoration
