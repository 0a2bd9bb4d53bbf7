#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "modules/diffusion/sampler.hpp"
#include "modules/signal/chopping.hpp"
#include "modules/signal/resize.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/resshift_setup.hpp"
#include "tests/golden/swin_network.hpp"

namespace reseda::golden {
namespace {

constexpr std::int64_t kScale = 4;

/// ResShift and DifIISR as a whole: one tile at a time from the image in low resolution.
class LatentRestorer {
 public:
  explicit LatentRestorer(GoldenCase& golden)
      : golden_(golden),
        config_(golden.config()),
        process_(resshift_config(config_.at("diffusion"), !is_resshift(golden))),
        network_(make_swin(config_.at("unet"), golden.weights("unet."))),
        autoencoder_(make_vq(config_.at("vq"), golden.weights("vq."))) {
    start(/*check_inside=*/true);
  }

  /// Begins a run on the recorded draws; without `check_inside` only the image counts.
  void start(bool check_inside) {
    std::vector<at::Tensor> draws = golden_.draws();
    if (is_resshift(golden_)) draws.pop_back();  // the last one has no weight
    noise_ = std::make_unique<RecordedNoise>(draws);
    first_ = check_inside;
  }

  /// @param tile  [1,3,h,w] in [-1, 1]   @return [1,3,4h,4w], clamped
  at::Tensor operator()(const at::Tensor& tile) {
    const auto multiple = config_.at(is_resshift(golden_) ? "padding_offset" : "desired_min_size").get<std::int64_t>();
    const auto missing = [&](std::int64_t size) { return (multiple - size % multiple) % multiple; };
    const at::Tensor small = at::reflection_pad2d(tile, {0, missing(tile.size(3)), 0, missing(tile.size(2))});
    const at::Tensor large = signal::resize(small, kScale * small.size(2), kScale * small.size(3), "torch_bicubic");
    const at::Tensor degraded = autoencoder_->encode(large), clean = sample(degraded, small);
    if (first_) {
      golden_.check("out.z_y", degraded);
      golden_.check("out.z_0", clean);
      golden_.check("out.indices", autoencoder_->quantize(clean).indices);
    }
    first_ = false;
    return autoencoder_->decode(clean)
        .narrow(2, 0, kScale * tile.size(2))
        .narrow(3, 0, kScale * tile.size(3))
        .clamp(-1, 1);
  }

 private:
  nlohmann::json sampler() const {
    if (is_resshift(golden_)) return {{"name", "rddm_ancestral"}};
    const bool one = config_.at("one_step").get<bool>();
    return {{"name", "bridge_ddim"}, {"steps", one ? 1 : process_.steps()}, {"grid", "trailing"}};
  }

  at::Tensor sample(const at::Tensor& degraded, const at::Tensor& small) {
    std::int64_t step = 0;
    const diffusion::NetworkDenoiser denoiser(
        [&](const at::Tensor& x, const at::Tensor&, const at::Tensor& t) {
          if (first_ && step == 0) golden_.check("out.z_T", x / process_.network_scale(1.0));
          const at::Tensor clean = network_->forward(x, small, t);
          if (first_) golden_.check_if_recorded("mid.step" + std::to_string(step) + ".pred_xstart", clean);
          ++step;
          return clean;
        },
        resshift_target(config_.at("diffusion").at("predict_type")), process_);
    const auto trace = [&](std::int64_t index, const at::Tensor& state) {
      if (first_) golden_.check_if_recorded("mid.step" + std::to_string(index) + ".sample", state);
    };
    diffusion::SampleContext context{.noise = *noise_, .item = "", .on_step = {}, .trace = trace};
    return diffusion::make_sampler(to_config(sampler()))->run(degraded, process_, denoiser, context);
  }

  GoldenCase& golden_;
  const nlohmann::json& config_;
  diffusion::Resshift process_;
  std::shared_ptr<nets::Network> network_;
  std::shared_ptr<nets::VqF4> autoencoder_;
  std::unique_ptr<RecordedNoise> noise_;
  bool first_ = true;
};

}  // namespace

/// ResShift and DifIISR from a real image to the restored one, whole and by tiles: with gradients on, and in the layout
/// of inference, where normalisations round more, so that only the image is compared.
void run_latent_restoration(GoldenCase& golden) {
  if (golden.has("mid.code_margin_min")) golden.tensor("mid.code_margin_min");
  LatentRestorer restorer(golden);
  const signal::Chop chop{.size = golden.config().at("chop_size"), .stride = golden.config().at("chop_stride")};
  const auto check_image = [&] {
    const at::Tensor restored = signal::by_chops(golden.input("lr") * 2 - 1, chop, kScale,
                                                 [&](const at::Tensor& tile) { return restorer(tile); });
    const at::Tensor image = restored / 2 + 0.5;
    golden.check("out.sr", image);
    golden.check("out.sr_uint8", (image * 255).round().to(at::kByte), {.atol = 1});
  };
  check_image();
  const c10::InferenceMode inference;
  restorer.start(/*check_inside=*/false);
  check_image();
}

}  // namespace reseda::golden
