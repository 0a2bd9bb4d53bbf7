#include "modules/train/distillation_loss.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <utility>
#include <vector>

#include "modules/diffusion/samplers/choice.hpp"
#include "modules/diffusion/weighted_sum.hpp"
#include "modules/train/patch_covariance.hpp"
#include "modules/train/resshift_loss.hpp"

namespace reseda::train {
namespace {

/// dL/dlatent, detached.
at::Tensor gradient_at(const std::function<at::Tensor(const at::Tensor&)>& loss, const at::Tensor& latent) {
  const c10::AutoGradMode recording(true);
  const at::Tensor variable = latent.detach().clone().requires_grad_(true);
  return torch::autograd::grad({loss(variable)}, {variable})[0];
}

}  // namespace

void DistillationConfig::validate() const {
  RESEDA_REQUIRE(finetune >= 0 && start_covariance >= 0 && uncertainty >= 0, Errc::kUsage,
                 "loss.finetune, start_covariance and uncertainty must be >= 0, got ", finetune, ", ", start_covariance,
                 " and ", uncertainty);
  RESEDA_REQUIRE(uncertainty_draws >= 2 && uncertainty_draws <= 1000, Errc::kUsage,
                 "loss.uncertainty_draws must be in 2 to 1000, got ", uncertainty_draws);
  RESEDA_REQUIRE(std::isfinite(guidance_scale), Errc::kUsage, "loss.guidance_scale must be a number, got ",
                 guidance_scale);
  diffusion::require_choice("loss.student_guidance", student_guidance, {"descent", "official"});
  diffusion::require_choice("loss.teacher_guidance", teacher_guidance, {"none", "official"});
}

DistillationLoss::DistillationLoss(DistillationConfig config, const diffusion::Resshift& process)
    : config_(std::move(config)), process_(process) {
  config_.validate();
}

at::Tensor DistillationLoss::called(const Call& network, const at::Tensor& x, double scaled_for, double time) const {
  const auto number = static_cast<float>(process_.network_time(time));
  return network(x * process_.network_scale(scaled_for), at::full({x.size(0)}, number, x.options()));
}

at::Tensor DistillationLoss::teacher_latent(const Call& teacher, const DistillationBatch& batch, at::Tensor x) const {
  const at::NoGradGuard no_gradients;
  const std::int64_t steps = process_.steps();
  const auto time_of = [steps](std::int64_t place) { return static_cast<double>(place) / static_cast<double>(steps); };
  at::Tensor before, estimate;
  for (std::int64_t place = steps; place > 0; --place) {
    const diffusion::Marginal from = process_.at(time_of(place)), to = process_.at(time_of(place - 1));
    estimate = called(teacher, x, time_of(place), time_of(place));
    const at::Tensor eps = diffusion::estimates_from(diffusion::Target::kX0, estimate, x, batch.y, from, {}).eps;
    before = std::exchange(x, diffusion::weighted_sum({{to.a, estimate}, {to.b, batch.y}, {to.c, eps}}));
  }
  if (!batch.guide || config_.teacher_guidance == "none") return x;
  const diffusion::Marginal last = process_.at(time_of(1));
  const auto solved = [&](const at::Tensor& state, const at::Tensor& noise) {
    return diffusion::estimates_from(diffusion::Target::kEps, noise, state, batch.y, last, {}).x0;
  };
  const at::Tensor latent = solved(x, solved(before, estimate));
  const double a = last.a.scalar(), c = last.c.scalar();
  return latent - config_.guidance_scale * c / (a * a) * gradient_at(batch.guide, latent);
}

at::Tensor DistillationLoss::wanted_latent(const Call& student, const DistillationBatch& batch,
                                           const at::Tensor& teacher, NoiseSource& noise) const {
  if (config_.uncertainty == 0) return teacher;
  const at::NoGradGuard no_gradients;
  std::vector<at::Tensor> answers;
  for (std::int64_t i = 0; i < config_.uncertainty_draws; ++i) {
    const at::Tensor z = diffusion::draw_like(noise, {"train", "uncertainty", static_cast<std::uint32_t>(i)}, batch.x0);
    answers.push_back(called(student, process_.at(1.0).sample(teacher, batch.y, z), 1.0, 1.0));
  }
  const at::Tensor all = at::stack(answers);
  const at::Tensor share = ((all.amax(0) - all.amin(0)).amax(1, true) * config_.uncertainty).clamp(0, 1);
  return teacher * share + batch.x0 * (1 - share);
}

at::Tensor DistillationLoss::guided(const at::Tensor& estimate, const DistillationBatch& batch,
                                    DistillationTerms& terms) const {
  if (!batch.guide) return estimate;
  const diffusion::Marginal start = process_.at(1.0);
  const double a = start.a.scalar(), ratio = start.c.scalar() / a;
  const at::Tensor gradient = gradient_at(batch.guide, estimate);
  terms.guidance_norm = mean_square(gradient / a).sqrt();
  const double sign = config_.student_guidance == "official" ? -1.0 : 1.0;
  return estimate + sign * config_.guidance_scale * ratio * ratio * gradient;
}

at::Tensor DistillationLoss::error(const at::Tensor& latent, const at::Tensor& wanted,
                                   const DistillationBatch& batch) const {
  if (!config_.image_space) return mean_square(latent - wanted);
  return mean_square(batch.decode(latent) - batch.decode(wanted).detach());
}

void DistillationLoss::finetune(const Call& student, const DistillationBatch& batch, DistillationTerms& terms) const {
  const bool covariance = config_.start_covariance > 0;
  at::Tensor start;
  {
    const c10::AutoGradMode recording(covariance && c10::GradMode::is_enabled());
    start = called(student, batch.x0, 1.0, 1.0 / static_cast<double>(process_.steps()));
  }
  if (covariance) {
    const double c = process_.at(1.0).c.scalar();
    terms.covariance = patch_covariance_loss(start - batch.y, c * c);
    terms.loss = terms.loss + config_.start_covariance * terms.covariance;
  }
  const at::Tensor estimate = called(student, start.detach(), 1.0, 1.0);
  terms.finetuned =
      config_.image_space ? mean_square(batch.decode(estimate) - batch.image) : mean_square(estimate - batch.x0);
  terms.loss = terms.loss + config_.finetune * terms.finetuned;
}

DistillationTerms DistillationLoss::operator()(const Call& student, const Call& teacher, const DistillationBatch& batch,
                                               NoiseSource& noise) const {
  RESEDA_REQUIRE(!config_.image_space || (batch.decode && batch.image.defined()), Errc::kInternal,
                 "loss.image_space needs images and what decodes latents");
  const at::Tensor start = batch.y + process_.at(1.0).c * batch.noise;
  DistillationTerms terms;
  terms.teacher = teacher_latent(teacher, batch, start);
  const at::Tensor raw = called(student, start, 1.0, 1.0);
  const at::Tensor wanted = wanted_latent(student, batch, terms.teacher, noise);
  const at::Tensor estimate = guided(raw, batch, terms);
  terms.distilled = error(estimate, wanted, batch);
  terms.loss = terms.distilled;
  terms.estimate = estimate.detach();
  if (config_.learn_start) {
    // Quirk: the clean latent is scaled as a state of the noisiest time.
    const at::Tensor named = called(student, terms.teacher, 1.0, 1.0 / static_cast<double>(process_.steps()));
    terms.start = mean_square(named - start);
    terms.loss = terms.loss + terms.start;
  }
  if (config_.finetune > 0) finetune(student, batch, terms);
  return terms;
}

}  // namespace reseda::train
