#include "pipelines/restoration/restoration_model.hpp"

#include <ATen/ATen.h>

#include <map>

#include "io/checkpoint/safetensors.hpp"
#include "io/record/json.hpp"
#include "modules/core/allocation_limit.hpp"
#include "modules/diffusion/clipped_denoiser.hpp"
#include "modules/diffusion/rddm_denoiser.hpp"

namespace reseda::restoration {
namespace {

constexpr const char* kMetadataKey = "reseda.restoration";

/// The objective of RDDM's official code that predicts this target; empty where it has none.
std::string rddm_objective(diffusion::Target target) {
  switch (target) {
    case diffusion::Target::kResidual:
      return "pred_res";
    case diffusion::Target::kResidualAndNoise:
      return "pred_res_noise";
    case diffusion::Target::kEps:
      return "pred_noise";
    case diffusion::Target::kX0:
      return "pred_x0";
    default:
      return "";
  }
}

/// A denoiser with the clips around it, which owns the one inside.
class Clipped final : public diffusion::Denoiser {
 public:
  Clipped(std::unique_ptr<diffusion::Denoiser> inner, double limit, bool derive_noise,
          const diffusion::Process& process)
      : inner_(std::move(inner)), clipped_(*inner_, limit, derive_noise, process) {}
  diffusion::Estimates operator()(const at::Tensor& x, double t, const diffusion::Condition& condition) const override {
    return clipped_(x, t, condition);
  }

 private:
  std::unique_ptr<diffusion::Denoiser> inner_;
  diffusion::ClippedDenoiser clipped_;
};

}  // namespace

void RestorationModelConfig::validate() const {
  RESEDA_REQUIRE(white != black, Errc::kUsage, "model.white must differ from model.black, both are ", white);
  RESEDA_REQUIRE(patch >= 1 && patch <= 16, Errc::kUsage, "model.patch must be 1 to 16, got ", patch);
  RESEDA_REQUIRE(!level_is_unit || target == "residual", Errc::kUsage,
                 "model.level_is_unit needs the target residual, got ", target);
  low_resolution.validate();
  RESEDA_REQUIRE(clip >= 0, Errc::kUsage, "model.clip must not be negative, got ", clip);
}

at::Tensor noise_level(const at::Tensor& sigma) { return 5.0 * sigma - 1.0; }
at::Tensor noise_unit(const at::Tensor& level) { return 0.2 * (level + 1.0); }

RestorationModel::RestorationModel(RestorationModelConfig config)
    : config_(std::move(config)),
      network_(nets::make_network(config_.network, "model.network")),
      process_(diffusion::make_process(config_.process, "model.process")),
      target_(diffusion::parse_target(config_.target)) {
  config_.validate();
}

RestorationModel RestorationModel::load(const std::filesystem::path& file) {
  return from(io::read_safetensors(file), file.string());
}

RestorationModel RestorationModel::from(const StateDict& weights, const std::string& name) {
  const auto found = weights.metadata.find(kMetadataKey);
  RESEDA_REQUIRE(found != weights.metadata.end(), Errc::kCheckpoint, name,
                 ": not a reseda restoration model (metadata '", kMetadataKey, "' is missing)");
  try {
    RestorationModelConfig config;
    read_config(io::parse_json(found->second, name), config, "model");
    std::uint64_t bytes = 0;
    for (const auto& entry : weights) bytes += entry.second.nbytes();
    const AllocationLimit limit(6 * bytes + (64 << 20), Errc::kCheckpoint,
                                "describes a network far larger than the file");
    RestorationModel model(std::move(config));
    model.network_->load(weights);
    return model;
  } catch (const Error& error) {
    throw Error(Errc::kCheckpoint, name + ": " + error.what());
  }
}

StateDict RestorationModel::to_file(const std::vector<StateDict::Entry>& average) const {
  const std::map<std::string, at::Tensor> replaced(average.begin(), average.end());
  StateDict out;
  for (const auto& [name, tensor] : network_->tensors()) {
    const auto found = replaced.find(name);
    out.add(name, (found == replaced.end() ? tensor : found->second).detach().cpu());
  }
  out.metadata[kMetadataKey] = write_config(config_).to_json();
  out.metadata["reseda.name"] = config_.name;
  out.metadata["reseda.licence"] = config_.licence;
  return out;
}

at::Tensor RestorationModel::predict(const at::Tensor& x, const diffusion::Condition& condition,
                                     const at::Tensor& t) const {
  at::Tensor seen = condition.y;
  if (condition.extra.defined()) seen = at::cat({seen, condition.extra}, 1);
  at::Tensor out;
  if (config_.patch == 1) {
    out = network_->forward(x, seen, t);
  } else {
    if (seen.defined()) seen = at::pixel_unshuffle(seen, config_.patch);
    out = at::pixel_shuffle(network_->forward(at::pixel_unshuffle(x, config_.patch), seen, t), config_.patch);
  }
  return config_.level_is_unit ? out * unit(condition) : out;
}

at::Tensor RestorationModel::unit(const diffusion::Condition& condition) const {
  if (!config_.level_is_unit) return {};
  RESEDA_REQUIRE(condition.extra.defined(), Errc::kInternal, "the model needs the noise level as its last channel");
  return noise_unit(condition.extra.narrow(1, condition.extra.size(1) - 1, 1));
}

std::unique_ptr<diffusion::Denoiser> RestorationModel::denoiser(bool derive_noise) const {
  const auto* rddm = dynamic_cast<const diffusion::Rddm*>(process_.get());
  if (const std::string objective = rddm_objective(target_); rddm != nullptr && !objective.empty()) {
    const diffusion::RddmDenoiserConfig config{.objective = objective,
                                               .clip = config_.clip,
                                               .clip_residual = 2 * config_.clip,
                                               .noise_after_clip = derive_noise ? "derived" : "kept"};
    return std::make_unique<diffusion::RddmDenoiser>([this](const at::Tensor& x, const diffusion::Condition& condition,
                                                            const at::Tensor& t) { return predict(x, condition, t); },
                                                     config, *rddm);
  }
  auto inner = std::make_unique<diffusion::NetworkDenoiser>(
      [this](const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) { return predict(x, {.y = y}, t); },
      target_, *process_);
  if (config_.clip == 0) return inner;
  return std::make_unique<Clipped>(std::move(inner), config_.clip, derive_noise, *process_);
}

at::Tensor RestorationModel::to_network(const at::Tensor& pixels) const {
  return (pixels - config_.black) * (2.0 / (config_.white - config_.black)) - 1.0;
}

at::Tensor RestorationModel::to_pixels(const at::Tensor& x) const {
  return (x + 1.0) * (0.5 * (config_.white - config_.black)) + config_.black;
}

}  // namespace reseda::restoration
