#include "pipelines/certify/contrast_training.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <memory>
#include <string>

#include "io/checkpoint/safetensors.hpp"
#include "io/record/sha256.hpp"
#include "modules/diffusion/processes/karras_ve.hpp"
#include "modules/nets/rrcm_vit.hpp"
#include "modules/train/rrcm_loss.hpp"
#include "pipelines/certify/rrcm_tuning.hpp"
#include "pipelines/certify/rrcm_views.hpp"
#include "pipelines/common/training_folder.hpp"

namespace reseda::certify {
namespace {

constexpr const char* kPrefix = "classifier.";

/// Everything a resumed run must agree on.
std::string training_identity(const ContrastRun& run, const LabelledImages& images) {
  ConfigNode node = write_config(run.config);
  node["seed"] = ConfigNode(std::to_string(run.seed));
  node["images"] = ConfigNode(digest(images.pixels));
  if (!run.initial.empty()) node["init"] = ConfigNode(io::sha256_file(run.initial));
  return node.to_json();
}

/// The model of a run with its first weights; its head is not trained.
CertifyModel first_model(const ContrastRun& run) {
  at::manual_seed(run.seed);
  CertifyModel model(run.config.model);
  if (!run.initial.empty()) model.network().load(io::read_safetensors(run.initial).with_prefix(kPrefix));
  model.network().to(run.device);
  for (const auto& [name, tensor] : model.network().tensors())
    if (name.starts_with("linear_head.")) at::Tensor(tensor).set_requires_grad(false);
  return model;
}

nets::RrcmVit& vit_of(const CertifyModel& model) { return dynamic_cast<nets::RrcmVit&>(model.network()); }

/// One pre-training, its parts in the order in which they are needed.
class ContrastTraining {
 public:
  ContrastTraining(const ContrastRun& run, const LabelledImages& images);
  bool run();

 private:
  std::vector<StateDict::Entry> kept_tensors() const;
  std::unique_ptr<diffusion::Process> process_at(std::int64_t step) const;
  train::RrcmViews views(std::int64_t step);
  train::StepLoss loss(std::int64_t step);
  void follow(std::int64_t step);
  StateDict averaged_file() const;

  const ContrastRun& run_;
  const ContrastConfig& config_;
  train::RrcmScheduleConfig schedule_;
  TrainingImages images_;
  CertifyModel model_, target_;
  nets::RrcmVit &student_network_, &target_network_;
  CounterNoise noise_;
  train::Trainer trainer_;
  app::TrainingFolder folder_;
  app::RunLog log_;
};

ContrastTraining::ContrastTraining(const ContrastRun& run, const LabelledImages& images)
    : run_(run),
      config_(run.config),
      schedule_(run.config.schedule),
      images_(images, {.padding = 0, .flip = run.config.flip}, run.seed),
      model_(first_model(run)),
      target_(first_model(run)),
      student_network_(vit_of(model_)),
      target_network_(vit_of(target_)),
      noise_(run.seed),
      trainer_(kept_tensors(), config_.train),
      folder_(run.out, training_identity(run, images), run.resume),
      log_(folder_.log_file()) {
  schedule_.total_steps = config_.train.steps;
  folder_.restore(trainer_);
  student_network_.train();
  target_network_.train();
}

/// The network's, and the target's, which the trainer only keeps.
std::vector<StateDict::Entry> ContrastTraining::kept_tensors() const {
  std::vector<StateDict::Entry> all = student_network_.tensors();
  for (const auto& [name, tensor] : target_network_.tensors()) {
    all.emplace_back("target." + name, tensor);
    all.back().second.set_requires_grad(false);
  }
  return all;
}

std::unique_ptr<diffusion::Process> ContrastTraining::process_at(std::int64_t step) const {
  ConfigNode node = config_.model.process;
  node["scales"] = ConfigNode(std::to_string(train::rrcm_scales(schedule_, step)));
  return diffusion::make_process(node, "model.process");
}

train::RrcmViews ContrastTraining::views(std::int64_t step) {
  const at::Tensor plain = images_.batch(config_.batch, step).images;
  const auto strong = [&](const char* name, const ViewChances& chances) {
    Chooser choose(run_.seed, "train", name, static_cast<std::uint32_t>(step));
    std::vector<at::Tensor> seen;
    for (const at::Tensor& image : plain.unbind()) seen.push_back(strong_view(image, chances, config_.flip, choose));
    return at::stack(seen);
  };
  const auto shown = [&](const at::Tensor& x) { return config_.model.input.normalised(x).to(run_.device); };
  return {.plain = shown(plain),
          .first = shown(strong("first view", kFirstView)),
          .second = shown(strong("second view", kSecondView))};
}

train::StepLoss ContrastTraining::loss(std::int64_t step) {
  const auto caller = [](const nets::RrcmVit& network) {
    return [&network](const at::Tensor& x, const at::Tensor& t) {
      const at::Tensor representation = network.features(x, t).representation;
      return train::RrcmRepresentation{representation, network.project(representation)};
    };
  };
  const std::unique_ptr<diffusion::Process> process = process_at(step);
  const std::vector<double>& grid = dynamic_cast<const diffusion::KarrasVe&>(*process).grid();
  Chooser choose(run_.seed, "train", "scale", static_cast<std::uint32_t>(step));
  const auto index = static_cast<std::size_t>(choose.below(static_cast<std::int64_t>(grid.size()) - 1));
  const train::RrcmViews views = this->views(step);
  const at::Tensor eps = noise_.normal({"train", "eps", static_cast<std::uint32_t>(step)}, views.plain.sizes());
  const train::RrcmLossParts parts = train::RrcmPretrainLoss(*process, config_.tau)(
      caller(student_network_), caller(target_network_), views, eps.to(run_.device), grid[index], grid[index + 1]);
  const at::Tensor contrast = parts.contrast.mean(), consistency = parts.consistency.mean();
  return {contrast + consistency, {{"contrast", contrast.item<double>()}, {"consistency", consistency.item<double>()}}};
}

/// Moves the target's parameters towards the network's.
void ContrastTraining::follow(std::int64_t step) {
  const at::NoGradGuard no_gradients;
  const double rate = train::rrcm_target_ema(schedule_, step);
  const std::vector<StateDict::Entry> from = student_network_.tensors(), to = target_network_.tensors();
  for (std::size_t i = 0; i < from.size(); ++i)
    if (from[i].second.requires_grad()) at::Tensor(to[i].second).lerp_(from[i].second, 1 - rate);
}

StateDict ContrastTraining::averaged_file() const {
  std::vector<StateDict::Entry> average = trainer_.averaged();
  for (auto& [name, tensor] : average) name = kPrefix + name;
  return model_.to_file(average);
}

bool ContrastTraining::run() {
  app::StepLog steps(log_, trainer_.step());
  train::Trainer::Hooks hooks;
  hooks.stop = run_.stop;
  hooks.on_step = [&](std::int64_t step, const train::StepLoss& result, double norm, double lr) {
    if (std::isfinite(norm)) follow(step - 1);
    const double recent = steps.add(step, result, norm, lr);
    if (run_.progress)
      run_.progress({step, config_.train.steps, "loss " + number_text(std::round(recent * 1e4) / 1e4)});
  };
  hooks.save = [&](std::int64_t) { folder_.save(averaged_file(), trainer_); };
  return trainer_.run([&](std::int64_t step) { return loss(step); }, hooks);
}

}  // namespace

void ContrastConfig::validate() const {
  model.validate();
  train.validate();
  schedule.validate();
  require_rrcm(model);
  RESEDA_REQUIRE(model.process.find("name")->scalar() == "karras_ve", Errc::kUsage,
                 "model.process must be karras_ve, whose grid is trained on");
  RESEDA_REQUIRE(batch >= 2 && batch <= 65536, Errc::kUsage, "batch must be 2 to 65536, got ", batch);
  RESEDA_REQUIRE(tau > 0, Errc::kUsage, "tau must be > 0, got ", tau);
}

bool run_contrast(const ContrastRun& run, const LabelledImages& images) {
  run.config.validate();
  require_shape(images, run.config.model);
  return ContrastTraining(run, images).run();
}

}  // namespace reseda::certify
