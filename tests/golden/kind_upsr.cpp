#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <memory>
#include <string>

#include "modules/diffusion/sampler.hpp"
#include "modules/diffusion/uncertainty_weight.hpp"
#include "modules/signal/chopping.hpp"
#include "modules/signal/resize.hpp"
#include "modules/train/bridge_loss.hpp"
#include "tests/golden/atd_network.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/network_gradients.hpp"
#include "tests/golden/resshift_setup.hpp"
#include "tests/golden/swin_network.hpp"

namespace reseda::golden {
namespace {

constexpr std::int64_t kScale = 4;

at::Tensor folded(const at::Tensor& image) { return at::pixel_unshuffle(image, kScale); }

/// UPSR's two networks and its process.
struct Upsr {
  explicit Upsr(GoldenCase& golden)
      : network(make_swin(golden.config().at("unet"), golden.weights("unet."))),
        auxiliary(make_atd(golden.config().at("atd"), golden.weights("atd."))),
        weighing{.un = golden.config().at("un"), .min_noise = golden.config().at("min_noise")},
        process(upsr_config(golden.config().at("diffusion"))) {}

  std::shared_ptr<nets::Network> network;
  std::shared_ptr<nets::Atd> auxiliary;
  diffusion::UncertaintyWeightConfig weighing;
  diffusion::Upsr process;
};

/// What an image in low resolution tells: the bicubic image, the auxiliary network's, and the weight of the noise.
struct Guesses {
  /// @param small  [-1, 1]
  Guesses(const Upsr& upsr, const at::Tensor& small)
      : bicubic(signal::resize(small, kScale * small.size(2), kScale * small.size(3), "torch_bicubic")) {
    const at::NoGradGuard no_gradients;
    faithful = 2 * upsr.auxiliary->forward(small / 2 + 0.5, {}, {}) - 1;
    weight = diffusion::uncertainty_weight((faithful - bicubic) / 2, upsr.weighing);
    condition = folded(at::cat({faithful, bicubic}, 1));
  }
  at::Tensor bicubic, faithful, weight, condition;
};

at::Tensor sample(GoldenCase& golden, const Upsr& upsr, const Guesses& guesses, RecordedNoise& noise, bool first) {
  const diffusion::Upsr process = upsr.process.with_weight(folded(guesses.weight));
  const diffusion::NetworkDenoiser denoiser(
      [&](const at::Tensor& x, const at::Tensor&, const at::Tensor& t) {
        return folded(upsr.network->forward(x, guesses.condition, t));
      },
      diffusion::Target::kX0, process);
  const auto trace = [&](std::int64_t step, const at::Tensor& state) {
    if (first) golden.check_if_recorded("mid.step" + std::to_string(step) + ".sample", state);
  };
  diffusion::SampleContext context{.noise = noise, .item = "", .on_step = {}, .trace = trace};
  const auto sampler =
      diffusion::make_sampler(to_config({{"name", "bridge_ddim"}, {"steps", process.steps()}, {"grid", "trailing"}}));
  return sampler->run(folded(guesses.bicubic), process, denoiser, context);
}

}  // namespace

/// UPSR from a real image to the restored one.
void run_upsr_restoration(GoldenCase& golden) {
  const c10::InferenceMode inference;
  const Upsr upsr(golden);
  const auto multiple = golden.config().at("desired_min_size").get<std::int64_t>();
  std::vector<at::Tensor> draws = golden.draws();
  const std::size_t per_tile = static_cast<std::size_t>(upsr.process.steps()) + 1;  // all but the first have no weight
  std::size_t tiles = 0;
  const auto restore = [&](const at::Tensor& tile) {
    const auto missing = [&](std::int64_t size) { return (multiple - size % multiple) % multiple; };
    const Guesses guesses(upsr, at::reflection_pad2d(tile, {0, missing(tile.size(3)), 0, missing(tile.size(2))}));
    if (tiles == 0) {
      golden.check("out.y", guesses.bicubic);
      golden.check("out.y_hat", guesses.faithful);
      golden.check("out.un", guesses.weight);
      golden.check("mid.lq_cond", guesses.condition);
    }
    RecordedNoise noise({draws.at(per_tile * tiles)});
    const at::Tensor state = sample(golden, upsr, guesses, noise, tiles++ == 0);
    return at::pixel_shuffle(state, kScale)
        .narrow(2, 0, kScale * tile.size(2))
        .narrow(3, 0, kScale * tile.size(3))
        .clamp(-1, 1);
  };
  const signal::Chop chop{.size = golden.config().at("chop_size"), .stride = golden.config().at("chop_stride")};
  const at::Tensor image = signal::by_chops(golden.input("lr") * 2 - 1, chop, kScale, restore) / 2 + 0.5;
  golden.check("out.sr", image);
  golden.check("out.sr_uint8", (image * 255).round().to(at::kByte), {.atol = 1});
}

/// UPSR's training loss without LPIPS, on a batch with a time for each item.
void run_upsr_train(GoldenCase& golden) {
  const Upsr upsr(golden);
  const Guesses guesses(upsr, golden.input("lq"));
  golden.check("out.un", guesses.weight);
  const at::Tensor clean = folded(golden.input("gt")), weight = folded(guesses.weight);
  const at::Tensor times = times_of(golden.input("t"), upsr.process);
  // The weight is the batch's: the noise is given it before the process without one.
  const train::BridgeLoss loss(diffusion::Target::kX0, train::BridgeLoss::Norm::kSquares, upsr.process);
  const at::Tensor noise = weight * folded(golden.input("noise"));
  const at::Tensor state = loss.degrade(clean, folded(guesses.bicubic), noise, times);
  golden.check("out.x_t", state);
  const at::Tensor image =
      upsr.network->forward(diffusion::network_input_state(upsr.process, state, times), guesses.condition,
                            diffusion::network_input_times(upsr.process, times));
  golden.check("out.x0_pred", image);
  const at::Tensor value = loss(folded(image), clean, folded(guesses.bicubic), noise, times) /
                           golden.config().at("num_grad_accumulate").get<double>();
  golden.check("out.l_pix", value.reshape({1}));
  value.backward();
  check_network_gradients(golden, "out.", *upsr.network);
}

}  // namespace reseda::golden
