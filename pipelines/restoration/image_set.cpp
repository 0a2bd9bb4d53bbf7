#include "pipelines/restoration/image_set.hpp"

#include <ATen/ATen.h>

#include "io/batch/discovery.hpp"
#include "io/image/image.hpp"
#include "modules/core/error.hpp"
#include "modules/core/noise.hpp"

namespace reseda::restoration {

std::uint64_t ImageSet::bytes() const {
  std::uint64_t sum = 0;
  for (const at::Tensor& image : images) sum += image.nbytes();
  return sum;
}

ImageSet read_images(const std::vector<std::filesystem::path>& folders, std::int64_t least) {
  ImageSet set;
  for (const std::filesystem::path& folder : folders) {
    const io::Discovery found = io::discover_inputs(
        {folder.string()}, {.recursive = true, .extensions = io::image_extensions(), .leave_out = {}});
    for (const io::InputFile& file : found.files) {
      const io::Image image = io::read_image(file.path);
      const at::Tensor& pixels = image.pixels;
      RESEDA_REQUIRE(pixels.size(1) >= least && pixels.size(2) >= least, Errc::kInput, file.path.string(), ": ",
                     pixels.size(2), "x", pixels.size(1), " pixels, expected at least ", least, " a side");
      RESEDA_REQUIRE(set.images.empty() || set.images.front().size(0) == pixels.size(0), Errc::kInput,
                     file.path.string(), ": has ", pixels.size(0), " channels, the images before it ",
                     set.images.front().size(0));
      set.names.push_back(file.id);
      set.images.push_back(pixels);
      set.full_scales.push_back(io::full_scale(image));
    }
  }
  return set;
}

HeldOut hold_out(ImageSet all, std::int64_t every) {
  HeldOut out;
  for (std::size_t i = 0; i < all.images.size(); ++i) {
    const bool apart = every > 0 && static_cast<std::int64_t>(i) % every == every - 1;
    ImageSet& part = apart ? out.validation : out.training;
    part.names.push_back(std::move(all.names[i]));
    part.images.push_back(std::move(all.images[i]));
    if (!all.full_scales.empty()) part.full_scales.push_back(all.full_scales[i]);
  }
  RESEDA_REQUIRE(!out.training.images.empty() && (every == 0 || !out.validation.images.empty()), Errc::kInput,
                 "training: too few images to hold out every ", every, "th; hold_out takes another number, or 0");
  return out;
}

at::Tensor random_crops(const ImageSet& set, std::int64_t count, std::int64_t size, std::uint64_t seed,
                        std::int64_t step) {
  std::vector<at::Tensor> crops;
  for (std::int64_t i = 0; i < count; ++i) {
    Chooser choose(seed, "crop " + std::to_string(i), "crop", static_cast<std::uint32_t>(step));
    const at::Tensor& image =
        set.images[static_cast<std::size_t>(choose.below(static_cast<std::int64_t>(set.images.size())))];
    const std::int64_t top = choose.below(image.size(1) - size + 1), left = choose.below(image.size(2) - size + 1);
    at::Tensor crop = image.narrow(1, top, size).narrow(2, left, size);
    const std::int64_t turn = choose.below(8);
    if (turn & 1) crop = crop.flip(1);
    if (turn & 2) crop = crop.flip(2);
    if (turn & 4) crop = crop.transpose(1, 2);
    crops.push_back(crop);
  }
  return at::stack(crops);
}

}  // namespace reseda::restoration
