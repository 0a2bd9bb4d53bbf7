#include "pipelines/restoration/training_run.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "io/checkpoint/safetensors.hpp"
#include "io/record/sha256.hpp"
#include "modules/core/log.hpp"
#include "modules/diffusion/time_grid.hpp"
#include "modules/train/bridge_loss.hpp"
#include "modules/train/spectral_loss.hpp"
#include "pipelines/common/training_folder.hpp"

namespace reseda::restoration {
namespace {

/// Everything a resumed run must agree on.
std::string training_identity(const TrainingRun& run, const PairSource& training, const PairSource* validation) {
  ConfigNode node = write_config(run.config);
  node["seed"] = ConfigNode(std::to_string(run.seed));
  node["images"] = ConfigNode(io::sha256(training.contents() + (validation ? validation->contents() : "")));
  for (const auto& [key, text] : run.metadata) node[key] = ConfigNode(text);
  if (!run.initial.empty()) node["init"] = ConfigNode(io::sha256_file(run.initial));
  return node.to_json();
}

Pairs on_device(Pairs pairs, c10::Device device) {
  for (at::Tensor* part : {&pairs.x0, &pairs.y, &pairs.extra, &pairs.weight})
    if (part->defined()) *part = part->to(device);
  return pairs;
}

/// Times of a batch, uniform over the discrete times from the process's clean end, or over its range.
at::Tensor draw_times(const diffusion::Process& process, std::int64_t count, double start_share, NoiseSource& noise,
                      std::int64_t step) {
  at::Tensor u = noise.uniform({"train", "time", static_cast<std::uint32_t>(step)}, {count}).to(at::kDouble);
  if (start_share > 0) {
    const at::Tensor at_start = noise.uniform({"train", "start", static_cast<std::uint32_t>(step)}, {count});
    u = at::where(at_start < start_share, std::nextafter(1.0, 0.0), u);
  }
  if (process.steps() == 0) return process.t_end() + (process.t_start() - process.t_end()) * u;
  const auto steps = static_cast<double>(process.steps());
  const double first = std::round(process.t_end() * steps), last = std::round(process.t_start() * steps);
  return (first + at::floor(u * (last - first + 1))) / steps;
}

train::StepLoss loss_of(const RestorationModel& model, const train::BridgeLoss& loss, const TrainingConfig& config,
                        const Pairs& batch, NoiseSource& noise, std::int64_t step) {
  const at::Tensor times = draw_times(model.process(), batch.x0.size(0), config.start_share, noise, step);
  at::Tensor eps =
      noise.normal({"train", "eps", static_cast<std::uint32_t>(step)}, batch.x0.sizes()).to(batch.x0.device());
  if (batch.weight.defined()) eps = eps * batch.weight;  // c w eps
  const at::Tensor x_t = loss.degrade(batch.x0, batch.y, eps, times);
  const at::Tensor t = diffusion::network_input_times(model.process(), times).to(batch.x0.device());
  const diffusion::Condition condition{.y = batch.y, .extra = batch.extra};
  const at::Tensor prediction =
      model.predict(diffusion::network_input_state(model.process(), x_t, times), condition, t);
  const at::Tensor error = loss(prediction, batch.x0, batch.y, eps, times, model.unit(condition));
  if (config.spectrum == 0) return {error, {}};
  const at::Tensor estimate = model.target() == diffusion::Target::kX0 ? prediction : batch.y - prediction;
  const at::Tensor spectrum = train::spectral_loss(estimate, batch.x0);
  return {error + config.spectrum * spectrum, {}};
}

/// 20 log10(2 / rms) over a batch of images in [-1, 1], averaged over its items: the mean PSNR, dB.
double mean_psnr(const at::Tensor& estimate, const at::Tensor& truth) {
  const at::Tensor mean_square = (estimate - truth).square().mean({1, 2, 3});
  return (10.0 * at::log10(4.0 / mean_square)).mean().item<double>();
}

/// PSNR of one call, beside that of what the call was given: the measurement at the degraded end, or for a prior the
/// noisy image at the time where noise is a quarter of the signal.
ConfigNode validation_figures(const RestorationModel& model, const Pairs& batch, std::uint64_t seed) {
  const at::NoGradGuard no_gradients;
  CounterNoise noise(seed);
  const diffusion::Process& process = model.process();
  const auto denoiser = model.denoiser();
  at::Tensor given = batch.y, estimate;
  if (model.config().conditional) {
    const double t = process.t_start();
    at::Tensor start = process.prior(batch.y, noise, "validation");
    if (batch.weight.defined()) start = batch.y + batch.weight * (start - batch.y);
    estimate = (*denoiser)(start, t, {.y = batch.y, .extra = batch.extra}).x0;
  } else {
    const double t = process.nearest_time(diffusion::time_of_noise_to_signal(process, 0.25));
    const at::Tensor eps = diffusion::draw_like(noise, {"validation", "eps", 0}, batch.x0);
    const diffusion::Marginal m = process.at(t);
    const at::Tensor x_t = m.sample(batch.x0, {}, eps);
    given = x_t / m.a.scalar();
    estimate = (*denoiser)(x_t, t, {}).x0;
  }
  ConfigNode line = ConfigNode::map();
  app::put_figure(line, "psnr", mean_psnr(estimate, batch.x0));
  app::put_figure(line, "psnr_of_input", mean_psnr(given, batch.x0));
  return line;
}

}  // namespace

void TrainingConfig::validate() const {
  RESEDA_REQUIRE(norm == "l1" || norm == "l2", Errc::kUsage, "norm must be l1 or l2, got '", norm, "'");
  RESEDA_REQUIRE(crop >= 8 && crop <= 4096, Errc::kUsage, "crop must be 8 to 4096 pixels, got ", crop);
  RESEDA_REQUIRE(batch >= 1 && batch <= 4096, Errc::kUsage, "batch must be 1 to 4096, got ", batch);
  RESEDA_REQUIRE(precision == "f32" || precision == "bf16", Errc::kUsage, "precision must be f32 or bf16, got '",
                 precision, "'");
  RESEDA_REQUIRE(hold_out >= 0 && hold_out != 1, Errc::kUsage, "hold_out must be 0 or at least 2, got ", hold_out);
  RESEDA_REQUIRE(validation_crops >= 1, Errc::kUsage, "validation_crops must be at least 1, got ", validation_crops);
  RESEDA_REQUIRE(spectrum >= 0, Errc::kUsage, "spectrum must not be negative, got ", spectrum);
  RESEDA_REQUIRE(spectrum == 0 || model.target == "x0" || model.target == "residual", Errc::kUsage,
                 "spectrum needs the target x0 or residual, got ", model.target);
  RESEDA_REQUIRE(start_share >= 0 && start_share <= 1, Errc::kUsage, "start_share must be 0 to 1, got ", start_share);
}

RestorationModel seeded_model(const TrainingRun& run) {
  run.config.validate();
  at::manual_seed(run.seed);
  RestorationModel model(run.config.model);
  if (!run.initial.empty()) model.network().load(io::read_safetensors(run.initial));
  return model;
}

bool run_training(const TrainingRun& run, ImageSet images) {
  HeldOut parts = hold_out(std::move(images), run.config.hold_out);
  const RestorationModel model = seeded_model(run);
  const DegradedImages training(model, std::move(parts.training)), validation(model, std::move(parts.validation));
  return run_training(run, model, training, run.config.hold_out > 0 ? &validation : nullptr);
}

bool run_training(const TrainingRun& run, const RestorationModel& model, const PairSource& training,
                  const PairSource* validation) {
  const TrainingConfig& config = run.config;
  nets::Network& network = model.network();
  RESEDA_REQUIRE(config.crop % model.multiple() == 0, Errc::kUsage, "crop must be a multiple of ", model.multiple(),
                 " for this network, got ", config.crop);
  RESEDA_REQUIRE(model.target() == diffusion::Target::kX0 || model.target() == diffusion::Target::kResidual ||
                     !training.weighs_noise(),
                 Errc::kUsage, "model.target must be x0 or residual where pixels have noise of their own, got ",
                 config.model.target);
  network.to(run.device);
  if (config.precision == "bf16") network.set_compute_type(at::kBFloat16);

  const std::string identity = training_identity(run, training, validation);
  train::Trainer trainer(network.tensors(), config.train);
  const app::TrainingFolder folder(run.out, identity, run.resume);
  folder.restore(trainer);

  app::RunLog log(folder.log_file());
  app::StepLog steps(log, trainer.step());
  CounterNoise noise(run.seed);
  const train::BridgeLoss loss(
      model.target(), config.norm == "l1" ? train::BridgeLoss::Norm::kAbsolute : train::BridgeLoss::Norm::kSquares,
      model.process());
  train::Trainer::Hooks hooks;
  hooks.stop = run.stop;
  hooks.on_step = [&](std::int64_t step, const train::StepLoss& result, double norm, double lr) {
    const double recent = steps.add(step, result, norm, lr);
    if (run.progress) run.progress({step, config.train.steps, "loss " + number_text(std::round(recent * 1e4) / 1e4)});
  };
  hooks.save = [&](std::int64_t) {
    StateDict file = model.to_file(trainer.averaged());
    for (const auto& [key, text] : run.metadata) file.metadata[key] = text;
    if (run.complete_file) run.complete_file(file);
    folder.save(file, trainer);
  };
  if (validation != nullptr)
    hooks.validate = [&](std::int64_t step) {
      const train::SwappedWeights averaged(network.tensors(), trainer.averaged());
      const Pairs batch =
          on_device(validation->draw(config.validation_crops, config.crop, run.seed + 1, 0), run.device);
      ConfigNode line = ConfigNode::map();
      app::put_figure(line, "validated_step", static_cast<double>(step));
      line.merge(validation_figures(model, batch, run.seed + 1));
      log.write(line);
      log::info("step ", step, ": ", line.to_json());
    };
  return trainer.run(
      [&](std::int64_t step) {
        const Pairs batch = on_device(training.draw(config.batch, config.crop, run.seed, step), run.device);
        return loss_of(model, loss, config, batch, noise, step);
      },
      hooks);
}

}  // namespace reseda::restoration
