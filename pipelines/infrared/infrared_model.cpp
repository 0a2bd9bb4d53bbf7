#include "pipelines/infrared/infrared_model.hpp"

#include <ATen/ATen.h>

#include <vector>

#include "io/checkpoint/safetensors.hpp"
#include "io/record/json.hpp"
#include "modules/core/error.hpp"
#include "modules/diffusion/processes/upsr.hpp"
#include "modules/diffusion/sampler.hpp"

namespace reseda::infrared {
namespace {

using restoration::RestorationModel;

constexpr const char* kModelKey = "reseda.restoration";
constexpr const char* kGuideKey = "reseda.infrared.guide";
constexpr const char* kGuidePrefix = "guide.";

std::unique_ptr<RestorationModel> checked(RestorationModel model, const std::string& name) {
  RESEDA_REQUIRE(model.config().low_resolution.scale > 1, Errc::kCheckpoint, name,
                 ": expected a model that enlarges (low_resolution.scale above 1), got one named '",
                 model.config().name, "' that keeps the size");
  return std::make_unique<RestorationModel>(std::move(model));
}

/// How far around a pixel of the small frame one call sees: sr_resnet two pixels for each block and two more, enlarging
/// two; as many as with its 12 blocks where the config says none.
std::int64_t reach(const RestorationModel& model) {
  const ConfigNode* blocks = model.config().network.find("blocks");
  return blocks == nullptr ? 28 : 2 * std::stoll(blocks->scalar()) + 4;
}

void move(RestorationModel& model, c10::Device device, Precision precision) {
  model.network().to(device);
  model.network().set_compute_type(precision == Precision::kBf16 ? at::kBFloat16 : at::kFloat);
}

}  // namespace

at::Tensor one_call(const RestorationModel& guide, const at::Tensor& y) {
  const diffusion::Process& process = guide.process();
  const at::Tensor times = at::full({y.size(0)}, process.t_start(), at::kDouble);
  return y - guide.predict(y, {.y = y}, diffusion::network_input_times(process, times).to(y.device()));
}

at::Tensor noise_weight(const RestorationModel& diffusion, const at::Tensor& y, const at::Tensor& guided) {
  const auto* process = dynamic_cast<const diffusion::Upsr*>(&diffusion.process());
  if (process == nullptr) return at::ones_like(y);
  return diffusion::uncertainty_weight(0.5 * (guided - y), process->config().uncertainty);
}

InfraredModel InfraredModel::load(const std::filesystem::path& file) {
  return from(io::read_safetensors(file), file.string());
}

InfraredModel InfraredModel::from(const StateDict& weights, const std::string& name) {
  InfraredModel model;
  const auto guide = weights.metadata.find(kGuideKey);
  if (guide == weights.metadata.end()) {
    model.guide_ = checked(RestorationModel::from(weights, name), name);
  } else {
    StateDict first, second;
    first.metadata = second.metadata = weights.metadata;
    first.metadata[kModelKey] = guide->second;
    for (const auto& [key, tensor] : weights) {
      if (key.starts_with(kGuidePrefix)) {
        first.add(key.substr(std::string_view(kGuidePrefix).size()), tensor);
      } else {
        second.add(key, tensor);
      }
    }
    model.guide_ = checked(RestorationModel::from(first, name + ": guide"), name);
    model.diffusion_ = checked(RestorationModel::from(second, name), name);
    RESEDA_REQUIRE(model.diffusion_->config().low_resolution.scale == model.scale(), Errc::kCheckpoint, name,
                   ": the guide enlarges by ", model.scale(), " and the diffusion by ",
                   model.diffusion_->config().low_resolution.scale);
  }
  RESEDA_REQUIRE(model.guide_->target() == diffusion::Target::kResidual, Errc::kCheckpoint, name,
                 ": the guide must predict the residual, it predicts ", model.guide_->config().target);
  return model;
}

void InfraredModel::compute_on(c10::Device device, Precision precision) {
  device_ = device;
  move(*guide_, device, precision);
  if (diffusion_) move(*diffusion_, device, precision);
}

StateDict InfraredModel::join(StateDict diffusion, const RestorationModel& guide) {
  const StateDict own = guide.to_file();
  diffusion.metadata[kGuideKey] = own.metadata.at(kModelKey);
  for (const auto& [key, tensor] : own) diffusion.add(kGuidePrefix + key, tensor);
  return diffusion;
}

at::Tensor InfraredModel::guide(const at::Tensor& y) const { return one_call(*guide_, y); }

at::Tensor InfraredModel::weight(const at::Tensor& y, const at::Tensor& guided) const {
  return noise_weight(*diffusion_, y, guided);
}

at::Tensor InfraredModel::sample(const at::Tensor& y, const at::Tensor& guided, const at::Tensor& noise,
                                 const PictureOptions& options) const {
  const auto* upsr = dynamic_cast<const diffusion::Upsr*>(&diffusion_->process());
  std::optional<diffusion::Upsr> weighted;
  if (upsr != nullptr && !options.uniform_noise) weighted = upsr->with_weight(weight(y, guided));
  const diffusion::Process& process = weighted ? *weighted : diffusion_->process();
  const diffusion::NetworkDenoiser network(
      [&](const at::Tensor& x, const at::Tensor& condition, const at::Tensor& t) {
        return diffusion_->predict(x, {.y = condition, .extra = guided}, t);
      },
      diffusion_->target(), process);
  ConfigNode settings = diffusion_->config().sampler;
  if (options.steps > 0) settings.set("steps", std::to_string(options.steps));
  RecordedNoise draws({noise});
  diffusion::SampleContext context{.noise = draws, .item = "tile", .on_step = {}, .trace = {}};
  return diffusion::make_sampler(settings)->run(y, process, network, context);
}

void InfraredModel::check(const PictureOptions& options) const {
  RESEDA_REQUIRE(!options.sample || has_diffusion(), Errc::kUsage, "--mode sample: the model '", config().name,
                 "' has no diffusion, only a guide");
  RESEDA_REQUIRE(!options.sample || !options.uniform_noise ||
                     dynamic_cast<const diffusion::Upsr*>(&diffusion_->process()) != nullptr,
                 Errc::kUsage, "--noise uniform: that of the model '", config().name, "' always is");
}

TileNetwork InfraredModel::on_tiles(const PictureOptions& options) const {
  check(options);
  return [this, options](const at::Tensor& low, const at::Tensor& noise) {
    const at::Tensor y = restoration::enlarge(low.to(device_), scale());
    const at::Tensor guided = guide(y);
    if (!options.sample) return guided.cpu();
    const at::Tensor drawn = sample(y, guided, noise.to(device_), options);
    return (options.strength == 1.0 ? drawn : guided + options.strength * (drawn - guided)).cpu();
  };
}

TileNetworkTraits InfraredModel::traits(const PictureOptions& options) const {
  check(options);
  return {.scale = scale(),
          .draws_noise = options.sample,
          .multiple = std::max<std::int64_t>(1, (options.sample ? diffusion_ : guide_)->multiple() / scale()),
          .margin = options.sample ? std::max(reach(*guide_), reach(*diffusion_)) : reach(*guide_),
          .blend = 8,
          .preferred_tile = 640,
          .bytes_per_pixel = options.sample ? 3072 : 2048};
}

}  // namespace reseda::infrared
