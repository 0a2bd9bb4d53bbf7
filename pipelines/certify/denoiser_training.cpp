#include "pipelines/certify/denoiser_training.hpp"

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/core/noise.hpp"

namespace reseda::certify {
namespace {

/// Whole images, drawn at random, half of them mirrored.
class WholeImages final : public restoration::PairSource {
 public:
  WholeImages(const restoration::RestorationModel& model, LabelledImages images)
      : model_(model), images_(std::move(images)) {}

  restoration::Pairs draw(std::int64_t count, std::int64_t /*size*/, std::uint64_t seed,
                          std::int64_t step) const override {
    std::vector<at::Tensor> drawn;
    for (std::int64_t i = 0; i < count; ++i) {
      Chooser choose(seed, "crop " + std::to_string(i), "image", static_cast<std::uint32_t>(step));
      const at::Tensor image = images_.pixels[choose.below(images_.count())];
      drawn.push_back(choose.chance(0.5) ? image.flip(2) : image);
    }
    return {.x0 = model_.to_network(at::stack(drawn).to(at::kFloat).div_(255))};
  }

  std::string contents() const override { return digest(images_.pixels) + "\n"; }

 private:
  const restoration::RestorationModel& model_;
  LabelledImages images_;
};

}  // namespace

bool train_denoiser(const restoration::TrainingRun& run, const LabelledImages& images) {
  const restoration::TrainingConfig& config = run.config;
  config.validate();
  RESEDA_REQUIRE(!config.model.conditional && config.model.black == 0 && config.model.white == 1, Errc::kUsage,
                 "model must be an unconditional prior of images from black 0 to white 1");
  RESEDA_REQUIRE(images.count() > 0, Errc::kInput, "training: no images");
  const std::int64_t size = images.pixels.size(3);
  RESEDA_REQUIRE(config.crop == size && images.pixels.size(2) == size, Errc::kUsage,
                 "crop must be the side of the images, which have ", size, "x", images.pixels.size(2), " pixels, got ",
                 config.crop);
  RESEDA_REQUIRE(config.hold_out == 0 || images.count() >= config.hold_out, Errc::kInput, "training: ", images.count(),
                 " images are too few to hold out every ", config.hold_out, "th");
  const HeldOutImages parts = hold_out(images, config.hold_out);
  const restoration::RestorationModel model = restoration::seeded_model(run);
  const WholeImages training(model, parts.training), validation(model, parts.validation);
  return restoration::run_training(run, model, training, config.hold_out > 0 ? &validation : nullptr);
}

}  // namespace reseda::certify
