#include "pipelines/certify/certify_model.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <span>

#include "io/checkpoint/content.hpp"
#include "io/checkpoint/safetensors.hpp"
#include "io/record/json.hpp"
#include "modules/core/allocation_limit.hpp"
#include "modules/nets/fused_sr_resnet.hpp"
#include "pipelines/certify/denoised_smoothing.hpp"
#include "pipelines/certify/rrcm_classifier.hpp"
#include "pipelines/certify/script_network.hpp"

namespace reseda::certify {
namespace {

constexpr const char* kMetadataKey = "reseda.certify";
constexpr const char* kClassifier = "classifier.";
constexpr const char* kDenoiser = "denoiser.";
constexpr std::int64_t kLargestSide = 1024, kMostChannels = 16, kMostClasses = 1 << 20;

/// The time at which noise is to signal c_t / a_t = ratio, or the nearest one that the process has.
double time_of(const diffusion::Process& process, double ratio) {
  const auto noise_at = [&](double t) {
    const diffusion::Marginal m = process.at(t);
    return m.c.scalar() / m.a.scalar();
  };
  RESEDA_REQUIRE(noise_at(process.t_start()) >= ratio, Errc::kUsage, "sigma ", ratio / 2,
                 " is more than the denoiser's largest noise, ", noise_at(process.t_start()) / 2);
  double low = process.t_end(), high = process.t_start();
  for (int i = 0; i < 60; ++i) {
    const double middle = 0.5 * (low + high);
    (noise_at(middle) < ratio ? low : high) = middle;
  }
  return process.nearest_time(0.5 * (low + high));
}

const diffusion::Ddpm& ddpm_of(const restoration::RestorationModel& model) {
  const auto* process = dynamic_cast<const diffusion::Ddpm*>(&model.process());
  RESEDA_REQUIRE(process != nullptr, Errc::kUsage, "model.denoiser_time step needs a denoiser with the process ddpm");
  return *process;
}

/// Refuses what PyTorch writes. TorchScript is a program, which no file can have run by itself.
void refuse_torch_files(const std::filesystem::path& file) {
  std::array<char, 64> head{};
  std::ifstream in(file, std::ios::binary);
  in.read(head.data(), head.size());
  const io::Content content =
      io::content_of(std::as_bytes(std::span(head.data(), static_cast<std::size_t>(in.gcount()))));
  RESEDA_REQUIRE(
      content != io::Content::kZip && content != io::Content::kPickle, Errc::kCheckpoint, file.string(),
      ": a PyTorch file: a checkpoint is made a model file by reseda certify import; a TorchScript program that "
      "is trusted is run with --torchscript (docs/certification.md, Models)");
}

restoration::RestorationModel make_denoiser(const ConfigNode& node) {
  restoration::RestorationModelConfig config;
  read_config(node, config, "model.denoiser");
  RESEDA_REQUIRE(!config.conditional && config.black == 0 && config.white == 1, Errc::kUsage,
                 "model.denoiser must be an unconditional prior of images from black 0 to white 1");
  return restoration::RestorationModel(std::move(config));
}

}  // namespace

void CertifyModelConfig::validate() const {
  RESEDA_REQUIRE(input.size <= kLargestSide && static_cast<std::int64_t>(input.mean.size()) <= kMostChannels,
                 Errc::kUsage, "model.input must have at most ", kLargestSide, " pixels a side and ", kMostChannels,
                 " channels");
  RESEDA_REQUIRE(classes >= 2 && classes <= kMostClasses, Errc::kUsage, "model.classes must be 2 to ", kMostClasses,
                 ", got ", classes);
  RESEDA_REQUIRE(labels.empty() || static_cast<std::int64_t>(labels.size()) == classes, Errc::kUsage,
                 "model.labels has ", labels.size(), " names for ", classes, " classes");
  RESEDA_REQUIRE(std::all_of(sigmas.begin(), sigmas.end(), [](double s) { return std::isfinite(s) && s >= 0; }),
                 Errc::kUsage, "model.sigmas must not be negative");
  RESEDA_REQUIRE(denoiser_time == "nearest" || denoiser_time == "step", Errc::kUsage,
                 "model.denoiser_time must be nearest or step, got ", denoiser_time);
  RESEDA_REQUIRE(!has_process() || !has_denoiser(), Errc::kUsage,
                 "model.process is of a classifier that sees the noise: it goes with no denoiser");
}

CertifyModel::CertifyModel(CertifyModelConfig config) : config_(std::move(config)) {
  config_.validate();
  network_ = nets::make_network(config_.network, "model.network");
  if (config_.has_process()) process_ = diffusion::make_process(config_.process, "model.process");
  if (!config_.has_denoiser()) return;
  denoiser_ = std::make_unique<restoration::RestorationModel>(make_denoiser(config_.denoiser));
  if (config_.denoiser_time == "step") ddpm_of(*denoiser_);
}

CertifyModel CertifyModel::load(const std::filesystem::path& file) {
  refuse_torch_files(file);
  CertifyModel model = from(io::read_safetensors(file), file.string());
  model.try_one(file.string());
  return model;
}

CertifyModel CertifyModel::program(const std::filesystem::path& file, std::int64_t channels, std::int64_t size) {
  const c10::InferenceMode inference;
  CertifyModelConfig config;
  config.name = file.stem().string();
  const auto count = static_cast<std::size_t>(channels);
  config.input = {.size = size, .mean = std::vector<double>(count, 0), .std = std::vector<double>(count, 1)};
  const std::shared_ptr<nets::Network> network = read_torch_script(file);
  const at::Tensor out = network->forward(at::zeros({2, channels, size, size}), {}, {});
  RESEDA_REQUIRE(out.dim() == 2 && out.size(0) == 2 && out.size(1) >= 2, Errc::kCheckpoint, file.string(),
                 ": the program gives ", out.sizes(), " for two images, expected logits [2,classes]");
  config.classes = out.size(1);
  config.validate();
  return {std::move(config), network};
}

CertifyModel CertifyModel::from(const StateDict& weights, const std::string& name) {
  const auto found = weights.metadata.find(kMetadataKey);
  RESEDA_REQUIRE(found != weights.metadata.end(), Errc::kCheckpoint, name, ": not a reseda classifier (metadata '",
                 kMetadataKey, "' is missing)");
  try {
    CertifyModelConfig config;
    read_config(io::parse_json(found->second, name), config, "model");
    std::uint64_t bytes = 0;
    for (const auto& entry : weights) bytes += entry.second.nbytes();
    const AllocationLimit limit(6 * bytes + (64 << 20), Errc::kCheckpoint,
                                "describes a network far larger than the file");
    CertifyModel model(std::move(config));
    model.network_->load(weights.with_prefix(kClassifier));
    if (model.denoiser_) model.denoiser_->network().load(weights.with_prefix(kDenoiser));
    return model;
  } catch (const Error& error) {
    throw Error(Errc::kCheckpoint, name + ": " + error.what());
  }
}

void CertifyModel::try_one(const std::string& name) const {
  const c10::InferenceMode inference;
  const ImageInput& input = config_.input;
  const auto channels = static_cast<std::int64_t>(input.mean.size());
  at::Tensor out;
  try {
    out = logits(at::zeros({1, channels, input.size, input.size}), 0.25);
  } catch (const c10::Error& error) {
    throw Error(Errc::kCheckpoint, name + ": the network cannot take images of " + std::to_string(channels) + " x " +
                                       std::to_string(input.size) + " x " + std::to_string(input.size) + ": " +
                                       error.what_without_backtrace());
  }
  RESEDA_REQUIRE(out.dim() == 2 && out.size(0) == 1 && out.size(1) == config_.classes, Errc::kCheckpoint, name,
                 ": the network gives ", out.sizes(), ", expected logits of ", config_.classes, " classes");
}

StateDict CertifyModel::to_file(const std::vector<StateDict::Entry>& average) const {
  const std::map<std::string, at::Tensor> replaced(average.begin(), average.end());
  StateDict out;
  const auto add_all = [&](const std::string& prefix, const nets::Network& network) {
    for (const auto& [name, tensor] : network.tensors()) {
      const auto found = replaced.find(prefix + name);
      out.add(prefix + name, (found == replaced.end() ? tensor : found->second).detach().cpu());
    }
  };
  add_all(kClassifier, *network_);
  if (denoiser_) add_all(kDenoiser, denoiser_->network());
  out.metadata[kMetadataKey] = write_config(config_).to_json();
  out.metadata["reseda.name"] = config_.name;
  out.metadata["reseda.licence"] = config_.licence;
  return out;
}

void CertifyModel::prepare(c10::Device device, Precision precision) {
  const auto one = [&](nets::Network& network) {
    for (const auto& [name, tensor] : network.tensors()) tensor.set_requires_grad(false);
    network.to(device);
    if (precision == Precision::kBf16) network.set_compute_type(at::kBFloat16);
  };
  one(*network_);
  if (denoiser_) one(denoiser_->network());
  frozen_ = nets::FrozenResnet::takes(*network_) ? std::make_unique<const nets::FrozenResnet>(*network_) : nullptr;
}

bool CertifyModel::takes_any_batch() const {
  if (frozen_ == nullptr || process_ != nullptr || denoiser_ == nullptr)
    return frozen_ != nullptr && process_ == nullptr;
  const std::int64_t side = config_.input.size / denoiser_->config().patch;
  return config_.denoiser_time == "nearest" && nets::FusedSrResnet::stands_for(denoiser_->network(), side, side);
}

at::Tensor CertifyModel::logits(const at::Tensor& x, double sigma) const {
  if (process_) return rrcm_classifier(*network_, *process_, config_.input, sigma)(x);
  const at::Tensor normalised = config_.input.normalised(x);
  return frozen_ ? frozen_->forward(normalised) : network_->forward(normalised, {}, {});
}

at::Tensor CertifyModel::denoised(const at::Tensor& noisy, double sigma) const {
  const double t = time_of(denoiser_->process(), 2 * sigma), a = denoiser_->process().at(t).a.scalar();
  const at::Tensor x0 = (*denoiser_->denoiser())(a * (2 * noisy - 1), t, {}).x0.clamp(-1, 1);
  return 0.5 * (x0 + 1);
}

Classifier CertifyModel::of_noisy(double sigma) const {
  if (process_) return rrcm_classifier(*network_, *process_, config_.input, sigma);
  if (!denoiser_ || sigma == 0) return [this](const at::Tensor& noisy) { return logits(noisy, 0); };
  time_of(denoiser_->process(), 2 * sigma);
  return [this, sigma](const at::Tensor& noisy) { return logits(denoised(noisy, sigma), 0); };
}

NoisyClassifier CertifyModel::under_noise(double sigma, NoiseSource& noise) const {
  if (!denoiser_ || config_.denoiser_time == "nearest") return {gaussian_smoother(noise, sigma), of_noisy(sigma)};
  const std::shared_ptr<const diffusion::Denoiser> denoiser = denoiser_->denoiser();
  const auto smoothing =
      std::make_shared<const DenoisedSmoothing>(*denoiser, ddpm_of(*denoiser_), sigma, config_.input.size);
  const Smoother inner = smoothing->smoother(noise);
  return {[smoothing, inner](const at::Tensor& image, const DrawKey& key, std::int64_t count) {
            return inner(image, key, count);
          },
          [this, denoiser, smoothing](const at::Tensor& x_t) { return logits(0.5 * (smoothing->shown(x_t) + 1), 0); }};
}

NoisyClassifier CertifyModel::under_integer_noise(double sigma, std::uint64_t seed) const {
  RESEDA_REQUIRE(!denoiser_ || config_.denoiser_time == "nearest", Errc::kUsage,
                 "integer noise goes with a model whose denoiser_time is nearest");
  return {integer_smoother(seed, sigma), of_noisy(sigma)};
}

}  // namespace reseda::certify
