#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "modules/core/config.hpp"
#include "modules/core/device.hpp"
#include "modules/core/state_dict.hpp"
#include "modules/diffusion/process.hpp"
#include "modules/nets/frozen_resnet.hpp"
#include "modules/nets/network.hpp"
#include "pipelines/certify/image_input.hpp"
#include "pipelines/certify/smoothed_classifier.hpp"
#include "pipelines/restoration/restoration_model.hpp"

namespace reseda::certify {

/// Everything that turns a noisy image in [0, 1] into logits; stored in the metadata of a model file.
struct CertifyModelConfig {
  std::string name = "unnamed";
  std::string licence = "unspecified";
  ImageInput input;
  std::int64_t classes = 10;
  std::vector<std::string> labels;
  std::vector<double> sigmas;
  ConfigNode network;
  ConfigNode process;
  ConfigNode denoiser;
  std::string denoiser_time = "nearest";
  template <class V>
  void fields(V& v) {
    v("name", name, "name of the model");
    v("licence", licence, "licence of the weights");
    v("input", input, "images and their normalisation; mean 0 and std 1 for none");
    v("classes", classes, "classes that it tells apart");
    v("labels", labels, "a name for each class, or none");
    v("sigmas", sigmas, "noise that it was trained for, of values in [0, 1]; none where it does not matter");
    v("network", network, "classifier: name and its options");
    v("process", process, "of a classifier that is told the noise (rRCM): name and options; none for one that is not");
    v("denoiser", denoiser,
      "restoration model of an unconditional prior that cleans what the classifier sees, or none");
    v("denoiser_time", denoiser_time,
      "nearest: the noise is added to the image, and the denoiser is told the nearest time that its process has; "
      "step: the noise is that of the first step at or above sigma, as denoised smoothing has it");
  }
  bool has_process() const { return process.find("name") != nullptr; }
  bool has_denoiser() const { return denoiser.find("network") != nullptr; }
  /// @throws Error{kUsage}
  void validate() const;
};

/// How noise is made at one sigma and what looks at it.
struct NoisyClassifier {
  Smoother smoother;      ///< copies of an image [C,H,W] in [0, 1]
  Classifier classifier;  ///< of what the smoother makes
};

/// A classifier that can be certified, alone or behind a denoiser: configuration and networks, ready for training or
/// for use. It begins with random weights.
class CertifyModel {
 public:
  /// @throws Error{kUsage}
  explicit CertifyModel(CertifyModelConfig config);
  /// Reads a model file: safetensors whose metadata "reseda.certify" holds the config as JSON, with tensors
  /// "classifier.*" and, where it has one, "denoiser.*". Memory for the networks is bounded by a few times the file's
  /// size. @throws Error{kCheckpoint} if the file is absent, is no such model, or does not fit
  static CertifyModel load(const std::filesystem::path& file);
  /// The same from a file's contents. @param name  for messages
  static CertifyModel from(const StateDict& weights, const std::string& name);
  /// A classifier that is a TorchScript program (read_torch_script); its classes are those of its logits. It cannot be
  /// written to a file. @param channels, size  of the images   @throws Error{kCheckpoint} if it gives no logits of them
  static CertifyModel program(const std::filesystem::path& file, std::int64_t channels, std::int64_t size);
  /// The weights with the config in the metadata, as `load` reads it.
  /// @param average  values that replace the networks' own, by the names of the file ("classifier.1.conv1.weight")
  StateDict to_file(const std::vector<StateDict::Entry>& average = {}) const;

  const CertifyModelConfig& config() const { return config_; }
  nets::Network& network() const { return *network_; }
  /// The process of a classifier that is told the noise, else null.
  const diffusion::Process* process() const { return process_.get(); }
  /// The prior in front, or null; its images reach from black 0 to white 1.
  const restoration::RestorationModel* denoiser() const { return denoiser_.get(); }

  /// Moves the networks, and sets what they compute in; for use, no longer for training: where a FrozenResnet can stand
  /// for the classifier, it does from now on. @param precision  bf16: activations of every network
  void prepare(c10::Device device, Precision precision);

  /// Whether the answer to an image depends on no other in its batch, nor on their number, to the bit.
  bool takes_any_batch() const;

  /// What the denoiser, told of noise of this sigma in images in [0, 1], makes of them, in [0, 1] again. There must be
  /// a denoiser. @throws Error{kUsage} where it knows no such noise
  at::Tensor denoised(const at::Tensor& noisy, double sigma) const;
  /// The classifier of images in [0, 1] that hold noise of this sigma: what the denoiser, told of the noise, makes of
  /// them; without a denoiser, or where sigma is 0, the images as they are. Valid as long as the model is.
  /// @throws Error{kUsage} where the denoiser knows no such noise
  Classifier of_noisy(double sigma) const;

  /// The logits of images in [0, 1] as the classifier is shown them, without noise and without the denoiser.
  /// @param x  [B,C,H,W]   @param sigma  noise that a classifier with a process is told
  at::Tensor logits(const at::Tensor& x, double sigma) const;

  /// The classifier under Gaussian noise, drawn as x + sigma eps unless denoiser_time says otherwise. Valid as long as
  /// the model and the source are. @throws Error{kUsage} where no step of the denoiser is so noisy
  NoisyClassifier under_noise(double sigma, NoiseSource& noise) const;
  /// The same under integer noise (DiscreteGaussian) on images of 8-bit levels.
  /// @throws Error{kUsage} where denoiser_time is "step", whose noise is not of the image
  NoisyClassifier under_integer_noise(double sigma, std::uint64_t seed) const;

 private:
  CertifyModel(CertifyModelConfig config, std::shared_ptr<nets::Network> network)
      : config_(std::move(config)), network_(std::move(network)) {}
  /// @throws Error{kCheckpoint} unless the network gives logits of the classes for an image
  void try_one(const std::string& name) const;

  CertifyModelConfig config_;
  std::shared_ptr<nets::Network> network_;
  std::unique_ptr<const nets::FrozenResnet> frozen_;
  std::unique_ptr<diffusion::Process> process_;
  std::unique_ptr<restoration::RestorationModel> denoiser_;
};

}  // namespace reseda::certify
