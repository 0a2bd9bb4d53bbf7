#include "pipelines/certify/training_images.hpp"

#include <ATen/ATen.h>

#include <numeric>
#include <utility>

#include "io/record/sha256.hpp"
#include "modules/core/error.hpp"
#include "modules/core/noise.hpp"

namespace reseda::certify {
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{8} << 30;

}  // namespace

LabelledImages read_images(const ImageData& data, const CertifyModelConfig& model) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(data.size()));
  std::iota(all.begin(), all.end(), 0);
  require_labels(data, all, model.classes);
  return read_images(data, static_cast<std::int64_t>(model.input.mean.size()), model.input.size);
}

LabelledImages read_images(const ImageData& data, std::int64_t channels, std::int64_t size) {
  const std::int64_t count = data.size();
  RESEDA_REQUIRE(count <= kMostBytes / (channels * size * size), Errc::kInput, "training: ", count, " images of ", size,
                 "x", size, " pixels take more than 8 GiB of memory");
  LabelledImages images{at::empty({count, channels, size, size}, at::kByte), at::empty({count}, at::kLong)};
  auto* labels = images.labels.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < count; ++i) {
    images.pixels[i].copy_(pixels_of_shape(data, i, channels, size));
    labels[i] = data.label(i);
  }
  return images;
}

void require_shape(const LabelledImages& images, const CertifyModelConfig& model) {
  const at::IntArrayRef sizes = images.pixels.sizes();
  RESEDA_REQUIRE(images.count() > 0, Errc::kInput, "training: no images");
  RESEDA_REQUIRE(sizes[1] == static_cast<std::int64_t>(model.input.mean.size()) && sizes[2] == model.input.size &&
                     sizes[3] == model.input.size,
                 Errc::kInput, "training: images of ", sizes[1], " channels and ", sizes[3], "x", sizes[2],
                 " pixels, the model takes ", model.input.mean.size(), " channels and ", model.input.size, "x",
                 model.input.size);
}

std::string digest(const at::Tensor& tensor) {
  const at::Tensor values = tensor.contiguous();
  return io::sha256({static_cast<const char*>(values.data_ptr()), values.nbytes()});
}

HeldOutImages hold_out(const LabelledImages& all, std::int64_t every) {
  if (every == 0) return {all, {all.pixels.narrow(0, 0, 0), all.labels.narrow(0, 0, 0)}};
  const at::Tensor apart = at::arange(all.count()).remainder(every) == every - 1;
  return {{all.pixels.index({~apart}), all.labels.index({~apart})},
          {all.pixels.index({apart}), all.labels.index({apart})}};
}

void AugmentationConfig::validate() const {
  RESEDA_REQUIRE(padding >= 0 && padding <= 64, Errc::kUsage, "augmentation.padding must be 0 to 64 pixels, got ",
                 padding);
}

TrainingImages::TrainingImages(const LabelledImages& images, AugmentationConfig config, std::uint64_t seed)
    : config_(config),
      seed_(seed),
      height_(images.pixels.size(2)),
      width_(images.pixels.size(3)),
      labels_(images.labels) {
  config_.validate();
  const std::int64_t p = config_.padding;
  padded_ = at::constant_pad_nd(images.pixels, {p, p, p, p});
}

std::int64_t TrainingImages::at_position(std::int64_t position) {
  const std::int64_t total = labels_.size(0), round = position / total;
  if (round != round_) {
    order_.resize(static_cast<std::size_t>(total));
    std::iota(order_.begin(), order_.end(), 0);
    Chooser choose(seed_, "train", "order", static_cast<std::uint32_t>(round));
    for (std::size_t left = order_.size(); left > 1; --left)
      std::swap(order_[left - 1], order_[static_cast<std::size_t>(choose.below(static_cast<std::int64_t>(left)))]);
    round_ = round;
  }
  return order_[static_cast<std::size_t>(position % total)];
}

LabelledBatch TrainingImages::batch(std::int64_t count, std::int64_t step) {
  Chooser choose(seed_, "train", "augmentation", static_cast<std::uint32_t>(step));
  std::vector<at::Tensor> images;
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < count; ++i) {
    chosen.push_back(at_position(step * count + i));
    const std::int64_t top = choose.below(2 * config_.padding + 1), left = choose.below(2 * config_.padding + 1);
    const at::Tensor image = padded_[chosen.back()].narrow(1, top, height_).narrow(2, left, width_);
    images.push_back(config_.flip && choose.chance(0.5) ? image.flip(2) : image);
  }
  return {at::stack(images).to(at::kFloat).div_(255), labels_.index_select(0, at::tensor(chosen, at::kLong))};
}

}  // namespace reseda::certify
