#include "modules/train/rrcm_loss.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "modules/core/error.hpp"
#include "modules/train/info_nce.hpp"

namespace reseda::train {

RrcmPretrainLoss::RrcmPretrainLoss(const diffusion::Process& process, double tau) : process_(process), tau_(tau) {
  RESEDA_REQUIRE(tau > 0, Errc::kUsage, "loss.tau must be > 0, got ", tau);
}

RrcmRepresentation RrcmPretrainLoss::look(const Network& network, const at::Tensor& x0, const at::Tensor& eps,
                                          double t) const {
  const at::Tensor times = at::full({x0.size(0)}, t, at::kDouble);
  const at::Tensor shown = diffusion::network_input_state(process_, x0 + t * eps, times);
  return network(shown, diffusion::network_input_times(process_, times).to(x0.device()));
}

RrcmLossParts RrcmPretrainLoss::operator()(const Network& student, const Network& target, const RrcmViews& views,
                                           const at::Tensor& eps, double t, double t_next) const {
  const double least = process_.t_end();
  const auto still = [&](const Network& network, const at::Tensor& x0, double time) {
    const at::NoGradGuard no_grad;
    return look(network, x0, eps, time);
  };
  const RrcmRepresentation first = look(student, views.first, eps, least);
  const RrcmRepresentation second = look(student, views.second, eps, least);
  const at::Tensor second_key = still(target, views.second, least).projection;
  const at::Tensor first_key = still(target, views.first, least).projection;
  const RrcmRepresentation noisy = look(student, views.plain, eps, t);
  const at::Tensor cleaner = still(student, views.plain, t_next).representation;
  return {.contrast = info_nce(first.projection, second_key, tau_) + info_nce(second.projection, first_key, tau_),
          .consistency = info_nce(noisy.representation, cleaner, tau_)};
}

}  // namespace reseda::train
