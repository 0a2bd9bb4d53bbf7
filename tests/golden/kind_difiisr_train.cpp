#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <memory>
#include <string>
#include <vector>

#include "modules/signal/resize.hpp"
#include "modules/train/distillation_loss.hpp"
#include "modules/train/resshift_loss.hpp"
#include "modules/train/spectral_loss.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/network_gradients.hpp"
#include "tests/golden/resshift_setup.hpp"
#include "tests/golden/swin_network.hpp"

namespace reseda::golden {
namespace {

using nlohmann::json;

/// The first layers of VGG19's features up to a rectifier, with the weights of a case.
train::FeatureCall vgg_prefix(const StateDict& weights, std::int64_t last) {
  return [weights, last](const at::Tensor& image) {
    at::Tensor h = image;
    for (std::int64_t i = 0; i <= last; ++i) {
      const std::string name = std::to_string(i) + ".";
      h = weights.contains(name + "weight")
              ? at::conv2d(h, weights.at(name + "weight"), weights.at(name + "bias"), 1, 1)
              : at::relu(h);
    }
    return h;
  };
}

at::Tensor enlarged(const at::Tensor& image) {
  return signal::resize(image, 4 * image.size(2), 4 * image.size(3), "torch_bicubic");
}

/// The latents of a pair of images.
struct Latents {
  Latents(GoldenCase& golden, const nets::VqF4& autoencoder) {
    const at::NoGradGuard no_gradients;
    x0 = autoencoder.encode(golden.input("gt"));
    y = autoencoder.encode(enlarged(golden.input("lq")));
  }
  at::Tensor x0, y;
};

template <class Loss>
void check_loss(GoldenCase& golden, const std::string& out, const at::Tensor& a, const Loss& loss) {
  const at::Tensor variable = a.clone().requires_grad_(true), value = loss(variable);
  golden.check(out, value.reshape({1}));
  golden.check(out + "_grad", torch::autograd::grad({value}, {variable})[0]);
}

train::DistillationConfig distillation_config(const json& variant, const json& guidance) {
  const json& kw = variant.at("kw");
  return {.learn_start = kw.value("learn_xT", false),
          .finetune = kw.value("finetune_use_gt", 0.0),
          .start_covariance = kw.value("xT_cov_loss", 0.0),
          .uncertainty = kw.value("uncertainty_hyper", 0.0),
          .uncertainty_draws = kw.value("uncertainty_num_aux", std::int64_t{2}),
          .image_space = kw.value("loss_in_image_space", false),
          .guidance_scale = guidance.at("rho"),
          .student_guidance = "official",
          .teacher_guidance = "official"};
}

/// Networks and data of the distillation; a student is made anew for each variant.
struct Distillation {
  explicit Distillation(GoldenCase& of)
      : golden(of),
        config(of.config()),
        process(resshift_config(config.at("diffusion"), /*cap_start=*/true)),
        teacher(make_swin(config.at("unet"), of.weights("unet."))),
        autoencoder(make_vq(config.at("vq"), of.weights("vq."))),
        vgg(vgg_prefix(of.weights("vgg.").with_prefix("vgg_layers."),
                       config.at("guidance").at("vgg_layer_indices").at(0))),
        latents(of, *autoencoder) {}

  std::shared_ptr<nets::Network> student() const {
    auto network = make_swin(config.at("unet"), golden.weights("unet."));
    const at::NoGradGuard no_gradients;
    for (const auto& [name, tensor] : network->tensors())
      if (name.starts_with("out.2.")) at::Tensor(tensor).mul_(0.5);
    return network;
  }
  train::DistillationLoss::Call call(nets::Network& network) const {
    return [&network, this](const at::Tensor& x, const at::Tensor& t) {
      return network.forward(x, golden.input("lq"), t);
    };
  }

  /// Empty until the iterations of the warm-up are over; keeps the gradients by the latent.
  std::function<at::Tensor(const at::Tensor&)> guide(const json& variant, std::vector<at::Tensor>& gradients) const {
    if (variant.at("current_iters") <= config.at("guidance").at("warmup_iters")) return {};
    return [&, this](const at::Tensor& latent) {
      latent.register_hook([&gradients](const at::Tensor& gradient) { gradients.push_back(gradient); });
      const at::Tensor image = autoencoder->decode(latent), truth = golden.input("gt");
      at::Tensor loss = at::zeros({});
      if (variant.at("use_visual").get<bool>())
        loss = loss + variant.at("W_vis").get<double>() * train::spectral_loss(image, truth);
      if (variant.at("use_perceptual").get<bool>())
        loss = loss + variant.at("W_per").get<double>() * train::feature_loss(image, truth, {vgg});
      return loss;
    };
  }

  void run(std::size_t number, RecordedNoise& noise) const {
    const json& variant = config.at("variants")[number];
    const std::string out = "out." + std::to_string(number) + ".";
    const auto own = student();
    std::vector<at::Tensor> gradients;
    const train::DistillationLoss loss(distillation_config(variant, config.at("guidance")), process);
    const train::DistillationBatch batch{.x0 = latents.x0,
                                         .y = latents.y,
                                         .noise = golden.input("noise"),
                                         .guide = guide(variant, gradients),
                                         .decode = [this](const at::Tensor& z) { return autoencoder->decode(z); },
                                         .image = golden.input("gt")};
    const train::DistillationTerms terms = loss(call(*own), call(*teacher), batch, noise);
    terms.loss.mean().backward();
    golden.check(out + "loss", terms.loss);
    // The mean may have met less rounding than its items, whose tolerance counts.
    golden.check(out + "total", terms.loss.mean().reshape({1}), golden.tolerance(out + "loss"));
    golden.check(out + "mse", terms.distilled);
    if (terms.start.defined()) golden.check(out + "mse_xT", terms.start);
    if (terms.covariance.defined()) golden.check(out + "mse_xT_cov", terms.covariance);
    if (terms.finetuned.defined())
      golden.check(out + (golden.has(out + "mse_gt") ? "mse_gt" : "mse_gt_rgb"), terms.finetuned);
    if (terms.guidance_norm.defined()) golden.check(out + "guidance_grad_norm", terms.guidance_norm);
    golden.check(out + "z_start_teacher", terms.teacher);
    golden.check(out + "pred_zstart", terms.estimate);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      const double time = i == 0 ? process.t_end() : 1.0;  // the teacher's last call, then the student's
      golden.check(out + "cond_grad." + std::to_string(i), gradients[i] / process.at(time).a.scalar());
    }
    check_network_gradients(golden, out, *own);
  }

  GoldenCase& golden;
  const json& config;
  diffusion::Resshift process;
  std::shared_ptr<nets::Network> teacher;
  std::shared_ptr<nets::VqF4> autoencoder;
  train::FeatureCall vgg;
  Latents latents;
};

}  // namespace

/// The losses of DifIISR's guidance and their gradients.
void run_difiisr_losses(GoldenCase& golden) {
  const auto vgg =
      vgg_prefix(golden.weights("vgg_layers."), golden.config().at("vgg_layer_indices").at(0).get<std::int64_t>());
  for (int i = 0; i < golden.config().at("pairs").get<int>(); ++i) {
    const std::string number = std::to_string(i) + ".";
    const at::Tensor a = golden.input(number + "a"), b = golden.input(number + "b");
    check_loss(golden, "out." + number + "visual", a, [&](const at::Tensor& x) { return train::spectral_loss(x, b); });
    check_loss(golden, "out." + number + "perceptual", a,
               [&](const at::Tensor& x) { return train::feature_loss(x, b, {vgg}); });
  }
  const at::Tensor a = golden.input("0.a");
  golden.check("out.visual_identical", train::spectral_loss(a, a).reshape({1}));
  golden.check("out.visual_gain2", train::spectral_loss(a, 2 * a).reshape({1}));
}

/// DifIISR's distillation with and without guidance, and its gradients.
void run_difiisr_distillation(GoldenCase& golden) {
  const Distillation distillation(golden);
  RecordedNoise noise(golden.draws());
  for (std::size_t i = 0; i < golden.config().at("variants").size(); ++i) distillation.run(i, noise);
}

/// ResShift's training loss for several targets, and its gradients.
void run_resshift_train(GoldenCase& golden) {
  const auto autoencoder = make_vq(golden.config().at("vq"), golden.weights("vq."));
  const Latents latents(golden, *autoencoder);
  const at::Tensor noise = golden.input("noise"), lq = golden.input("lq");
  const json& variants = golden.config().at("variants");
  for (std::size_t i = 0; i < variants.size(); ++i) {
    const std::string out = "out." + std::to_string(i) + ".";
    const diffusion::Resshift process(resshift_config(variants[i], !is_resshift(golden)));
    const diffusion::Target target = resshift_target(variants[i].at("predict_type"));
    const auto network = make_swin(golden.config().at("unet"), golden.weights("unet."));
    const train::ResshiftLoss loss(target,
                                   variants[i].at("weighted_mse").get<bool>() ? train::ResshiftLoss::Weights::kBound
                                                                              : train::ResshiftLoss::Weights::kEqual,
                                   process);
    const at::Tensor times = times_of(golden.input("t"), process);
    const diffusion::Marginal m = diffusion::marginals(process, times, 4);
    const at::Tensor state = m.sample(latents.x0, latents.y, noise);
    golden.check(out + "z_t", state);
    const at::Tensor prediction = network->forward(diffusion::network_input_state(process, state, times), lq,
                                                   diffusion::network_input_times(process, times));
    golden.check(out + "z0_pred", diffusion::estimates_from(target, prediction, state, latents.y, m, {}).x0);
    const at::Tensor each = loss(prediction, latents.x0, latents.y, noise, times);
    golden.check(out + "mse", each);
    golden.check(out + "loss", each.mean().reshape({1}));
    each.mean().backward();
    check_network_gradients(golden, out, *network);
  }
}

}  // namespace reseda::golden
