#include "pipelines/certify/training_run.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "io/checkpoint/safetensors.hpp"
#include "io/record/sha256.hpp"
#include "modules/core/log.hpp"
#include "modules/nets/training_mode.hpp"
#include "pipelines/certify/rrcm_tuning.hpp"
#include "pipelines/common/training_folder.hpp"

namespace reseda::certify {
namespace {

constexpr std::int64_t kStatisticsBatches = 32, kValidationBatch = 100;
constexpr const char* kPrefix = "classifier.";

/// Everything a resumed run must agree on.
std::string training_identity(const TrainingRun& run, const LabelledImages& images) {
  ConfigNode node = write_config(run.config);
  node["seed"] = ConfigNode(std::to_string(run.seed));
  node["images"] = ConfigNode(digest(images.pixels));
  node["labels"] = ConfigNode(digest(images.labels));
  if (!run.initial.empty()) node["init"] = ConfigNode(io::sha256_file(run.initial));
  if (!run.denoiser.empty()) node["denoiser"] = ConfigNode(io::sha256_file(run.denoiser));
  return node.to_json();
}

void require_fit(const LabelledImages& images, const CertifyModelConfig& model) {
  require_shape(images, model);
  const auto least = images.labels.min().item<std::int64_t>(), most = images.labels.max().item<std::int64_t>();
  RESEDA_REQUIRE(least >= 0 && most < model.classes, Errc::kInput, "training: labels from ", least, " to ", most,
                 ", the model has the classes 0 to ", model.classes - 1);
}

/// One training, its parts in the order in which they are needed.
class Training {
 public:
  Training(const TrainingRun& run, const LabelledImages& images);
  bool run();

 private:
  struct Averaged;

  train::StepLoss loss(std::int64_t step);
  at::Tensor logits(const at::Tensor& images, std::int64_t step);
  /// @param which  [B] index of each image's sigma
  at::Tensor denoised(at::Tensor noisy, const at::Tensor& which) const;
  /// The logits of a classifier that is told each image's sigma.
  at::Tensor told(const at::Tensor& noisy, const at::Tensor& which) const;
  StateDict averaged_file();
  void validate(std::int64_t step);

  const TrainingRun& run_;
  const TrainingConfig& config_;
  HeldOutImages parts_;
  TrainingImages images_;
  CertifyModel model_;
  CounterNoise noise_;
  train::Trainer trainer_;
  app::TrainingFolder folder_;
  app::RunLog log_;
};

/// The network as it is used, for as long as the object lives: averaged weights with running statistics that are
/// theirs, and not those of the weights in training. rRCM's classifier has no such statistics.
struct Training::Averaged {
  explicit Averaged(Training& training)
      : network(training.model_.network()),
        normalises(training.model_.process() == nullptr),
        swapped(network.tensors(), values_of(training)) {
    if (!normalises) return;
    const at::NoGradGuard no_gradients;
    for (std::int64_t i = 0; i < kStatisticsBatches; ++i)
      training.logits(training.images_.batch(training.config_.batch, i).images, i);
    nets::set_training(network, false);
  }
  ~Averaged() { nets::set_training(network, normalises); }

  /// The average of what is trained, and the present values of the rest, which come back at the end.
  static std::vector<StateDict::Entry> values_of(const Training& training) {
    std::vector<StateDict::Entry> values = training.trainer_.averaged();
    for (const auto& [name, tensor] : training.model_.network().tensors())
      if (!tensor.requires_grad()) values.emplace_back(name, tensor.clone());
    return values;
  }

  nets::Network& network;
  const bool normalises;
  train::SwappedWeights swapped;
};

/// The model of a run with its first weights, and the denoiser's where it has one.
CertifyModel first_model(const TrainingRun& run) {
  run.config.validate();
  at::manual_seed(run.seed);
  CertifyModelConfig config = run.config.model;
  StateDict denoiser;
  if (!run.denoiser.empty()) {
    const restoration::RestorationModel prior = restoration::RestorationModel::load(run.denoiser);
    config.denoiser = write_config(prior.config());
    denoiser = prior.to_file();
  }
  CertifyModel model(std::move(config));
  if (!run.initial.empty()) model.network().load(io::read_safetensors(run.initial).with_prefix(kPrefix));
  model.network().to(run.device);
  nets::set_training(model.network(), model.process() == nullptr);
  if (model.process() != nullptr) train_part(model.network(), run.config.tune.part);
  if (model.denoiser() == nullptr) return model;
  nets::Network& front = model.denoiser()->network();
  front.load(denoiser);
  front.to(run.device);
  for (const auto& [name, tensor] : front.tensors()) at::Tensor(tensor).set_requires_grad(false);
  return model;
}

/// The factor of the learning rate of each tensor; none where all are 1.
std::vector<double> rates_of(const TrainingRun& run, const CertifyModel& model) {
  const double decay = run.config.tune.layer_decay;
  return decay == 1 ? std::vector<double>() : layer_rates(model.network(), decay);
}

Training::Training(const TrainingRun& run, const LabelledImages& images)
    : run_(run),
      config_(run.config),
      parts_(hold_out(images, config_.hold_out)),
      images_(parts_.training, config_.augmentation, run.seed),
      model_(first_model(run)),
      noise_(run.seed),
      trainer_(model_.network().tensors(), config_.train, rates_of(run, model_)),
      folder_(run.out, training_identity(run, images), run.resume),
      log_(folder_.log_file()) {
  folder_.restore(trainer_);
}

/// What the classifier says of noisy copies of images: of each image all copies with one sigma, stacked.
at::Tensor Training::logits(const at::Tensor& images, std::int64_t step) {
  const std::int64_t copies = config_.consistency ? config_.loss.copies : 1, count = images.size(0);
  const std::vector<double>& sigmas = config_.model.sigmas;
  Chooser choose(run_.seed, "train", "sigma", static_cast<std::uint32_t>(step));
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < count; ++i) chosen.push_back(choose.below(static_cast<std::int64_t>(sigmas.size())));
  const at::Tensor which = at::tensor(chosen, at::kLong).repeat({copies});
  const at::Tensor sigma = at::tensor(sigmas, at::kFloat).index_select(0, which).view({-1, 1, 1, 1});
  const at::Tensor clean = images.repeat({copies, 1, 1, 1});
  const at::Tensor eps = noise_.normal({"train", "eps", static_cast<std::uint32_t>(step)}, clean.sizes());
  at::Tensor x = (clean + sigma * eps).to(run_.device).contiguous(at::MemoryFormat::ChannelsLast);
  return model_.process() ? told(x, which) : model_.logits(denoised(std::move(x), which), 0);
}

at::Tensor Training::told(const at::Tensor& noisy, const at::Tensor& which) const {
  std::vector<at::Tensor> rows, logits;
  for (std::size_t i = 0; i < config_.model.sigmas.size(); ++i) {
    rows.push_back((which == static_cast<std::int64_t>(i)).nonzero().view({-1}).to(noisy.device()));
    if (rows.back().size(0) > 0)
      logits.push_back(model_.of_noisy(config_.model.sigmas[i])(noisy.index_select(0, rows.back())));
  }
  return at::cat(logits).index_select(0, at::cat(rows).argsort());
}

at::Tensor Training::denoised(at::Tensor noisy, const at::Tensor& which) const {
  if (model_.denoiser() == nullptr) return noisy;
  const at::NoGradGuard no_gradients;
  for (std::size_t i = 0; i < config_.model.sigmas.size(); ++i) {
    const at::Tensor rows = (which == static_cast<std::int64_t>(i)).nonzero().view({-1}).to(noisy.device());
    if (config_.model.sigmas[i] > 0 && rows.size(0) > 0)
      noisy.index_copy_(0, rows, model_.denoised(noisy.index_select(0, rows), config_.model.sigmas[i]));
  }
  return noisy;
}

train::StepLoss Training::loss(std::int64_t step) {
  const LabelledBatch batch = images_.batch(config_.batch, step);
  const at::Tensor logits = this->logits(batch.images, step);
  const at::Tensor error = train::cross_entropy(logits, batch.labels.to(run_.device));
  if (!config_.consistency) return {error, {}};
  const at::Tensor disagreement = train::smoothing_regulariser(config_.loss, logits);
  return {error + disagreement,
          {{"cross_entropy", error.item<double>()}, {"disagreement", disagreement.item<double>()}}};
}

StateDict Training::averaged_file() {
  const Averaged averaged(*this);
  const StateDict seen = model_.to_file();
  StateDict file;
  for (const auto& [name, tensor] : seen) file.add(name, tensor.clone());
  file.metadata = seen.metadata;
  return file;
}

void Training::validate(std::int64_t step) {
  const Averaged averaged(*this);
  CounterNoise noise(run_.seed);
  ConfigNode line = ConfigNode::map();
  app::put_figure(line, "validated_step", static_cast<double>(step));
  app::put_figure(line, "accuracy", noisy_accuracy(model_, parts_.validation, 0, noise));
  for (const double sigma : config_.model.sigmas)
    if (sigma > 0)
      app::put_figure(line, "accuracy_" + number_text(sigma), noisy_accuracy(model_, parts_.validation, sigma, noise));
  log_.write(line);
  log::info("step ", step, ": ", line.to_json());
}

bool Training::run() {
  app::StepLog steps(log_, trainer_.step());
  train::Trainer::Hooks hooks;
  hooks.stop = run_.stop;
  hooks.on_step = [&](std::int64_t step, const train::StepLoss& result, double norm, double lr) {
    const double recent = steps.add(step, result, norm, lr);
    if (run_.progress)
      run_.progress({step, config_.train.steps, "loss " + number_text(std::round(recent * 1e4) / 1e4)});
  };
  hooks.save = [&](std::int64_t) { folder_.save(averaged_file(), trainer_); };
  if (parts_.validation.count() > 0) hooks.validate = [&](std::int64_t step) { validate(step); };
  return trainer_.run([&](std::int64_t step) { return loss(step); }, hooks);
}

}  // namespace

void TrainingConfig::validate() const {
  model.validate();
  augmentation.validate();
  loss.validate();
  RESEDA_REQUIRE(!model.has_denoiser(), Errc::kUsage, "model.denoiser comes from a file of its own (--denoiser)");
  tune.validate();
  if (model.has_process()) require_rrcm(model);
  RESEDA_REQUIRE(model.has_process() || (tune.part == "all" && tune.layer_decay == 1), Errc::kUsage,
                 "tune is of rRCM's classifier, with model.process");
  RESEDA_REQUIRE(!model.sigmas.empty(), Errc::kUsage, "model.sigmas must hold a noise level, or 0 for clean images");
  RESEDA_REQUIRE(batch >= 2 && batch <= 65536, Errc::kUsage, "batch must be 2 to 65536, got ", batch);
  RESEDA_REQUIRE(hold_out >= 0 && hold_out != 1, Errc::kUsage, "hold_out must be 0 or at least 2, got ", hold_out);
}

double noisy_accuracy(const CertifyModel& model, const LabelledImages& images, double sigma, NoiseSource& noise) {
  const at::NoGradGuard no_gradients;
  const c10::Device device = model.network().tensors().front().second.device();
  const Classifier of_noisy = model.of_noisy(sigma);
  std::int64_t right = 0;
  for (std::int64_t first = 0; first < images.count(); first += kValidationBatch) {
    const std::int64_t count = std::min(kValidationBatch, images.count() - first);
    at::Tensor x = images.pixels.narrow(0, first, count).to(at::kFloat) / 255;
    const auto element = static_cast<std::uint64_t>(first * x[0].numel());
    if (sigma > 0) x = x + sigma * noise.normal({"validation", "eps", 0, element}, x.sizes());
    const at::Tensor found = of_noisy(x.to(device).contiguous(at::MemoryFormat::ChannelsLast)).argmax(1);
    right += (found.cpu() == images.labels.narrow(0, first, count)).sum().item<std::int64_t>();
  }
  return static_cast<double>(right) / static_cast<double>(images.count());
}

bool run_training(const TrainingRun& run, const LabelledImages& images) {
  run.config.validate();
  require_fit(images, run.config.model);
  RESEDA_REQUIRE(run.config.hold_out == 0 || images.count() >= run.config.hold_out, Errc::kInput,
                 "training: ", images.count(), " images are too few to hold out every ", run.config.hold_out, "th");
  return Training(run, images).run();
}

}  // namespace reseda::certify
