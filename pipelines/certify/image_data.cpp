#include "pipelines/certify/image_data.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "io/batch/discovery.hpp"
#include "io/image/image.hpp"
#include "modules/core/error.hpp"
#include "pipelines/certify/packed_images.hpp"

namespace reseda::certify {
namespace {

namespace fs = std::filesystem;

/// A folder for each class; images are decoded when asked for.
class ClassFolders final : public ImageData {
 public:
  ClassFolders(const fs::path& root, const std::vector<fs::path>& classes) {
    for (std::size_t label = 0; label < classes.size(); ++label) {
      const io::DiscoveryOptions search{.recursive = true, .extensions = io::image_extensions(), .leave_out = {}};
      for (const io::InputFile& file : io::discover_inputs({classes[label].string()}, search).files)
        images_.push_back(
            {classes[label].filename().string() + "/" + file.id, file.path, static_cast<std::int64_t>(label)});
    }
    RESEDA_REQUIRE(!images_.empty(), Errc::kInput, root.string(), ": holds no image");
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(images_.size()); }
  std::int64_t label(std::int64_t index) const override { return at(index).label; }
  std::string name(std::int64_t index) const override { return at(index).name; }
  at::Tensor pixels(std::int64_t index) const override {
    const fs::path& file = at(index).file;
    const io::Image image = io::read_image(file);
    RESEDA_REQUIRE(image.bits == 8 && image.type == io::SampleType::kUnsigned && image.alpha == io::Alpha::kNone,
                   Errc::kInput, file.string(), ": must have 8 bits and no alpha channel");
    return image.pixels.to(at::kByte);
  }

 private:
  struct Entry {
    std::string name;
    fs::path file;
    std::int64_t label;
  };
  const Entry& at(std::int64_t index) const { return images_.at(static_cast<std::size_t>(index)); }

  std::vector<Entry> images_;
};

/// The folders in a folder, sorted by name; hidden ones are left out.
std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator(); it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored) && it->path().filename().string().front() != '.') found.push_back(it->path());
  }
  RESEDA_REQUIRE(!error, Errc::kInput, folder.string(), ": cannot read this folder: ", error.message());
  std::sort(found.begin(), found.end());
  return found;
}

fs::path folder_of_split(const fs::path& folder, DataSplit split) {
  std::error_code error;
  const std::vector<const char*> names =
      split == DataSplit::kTest ? std::vector<const char*>{"test", "val"} : std::vector<const char*>{"train"};
  for (const char* name : names)
    if (fs::is_directory(folder / name, error)) return folder / name;
  return folder;
}

}  // namespace

std::unique_ptr<ImageData> open_image_data(const fs::path& folder, DataSplit split) {
  std::error_code error;
  RESEDA_REQUIRE(fs::is_directory(folder, error), Errc::kInput, folder.string(), ": is not a folder of images");
  for (const auto open : {open_cifar_binary, open_idx_images, open_image_strip, open_jpeg_archive})
    if (auto data = open(folder, split)) return data;
  const fs::path root = folder_of_split(folder, split);
  const std::vector<fs::path> classes = folders_in(root);
  RESEDA_REQUIRE(!classes.empty(), Errc::kInput, folder.string(), ": holds no ",
                 split == DataSplit::kTest ? "test" : "training",
                 " images in a layout that is read: CIFAR-10 binary, idx (MNIST), strip of images, JPEG archive, a "
                 "folder for each class");
  return std::make_unique<ClassFolders>(root, classes);
}

void require_labels(const ImageData& data, const std::vector<std::int64_t>& indices, std::int64_t classes) {
  for (const std::int64_t index : indices)
    RESEDA_REQUIRE(data.label(index) >= 0 && data.label(index) < classes, Errc::kInput, "image ", data.name(index),
                   ": its label ", data.label(index), " is no class of the model, which has 0 to ", classes - 1);
}

at::Tensor pixels_of_shape(const ImageData& data, std::int64_t index, std::int64_t channels, std::int64_t size) {
  at::Tensor pixels = data.pixels(index);
  const std::vector<std::int64_t> expected = {channels, size, size};
  RESEDA_REQUIRE(pixels.sizes() == at::IntArrayRef(expected), Errc::kInput, "image ", data.name(index), ": ",
                 pixels.size(0), " channels of ", pixels.size(1), " x ", pixels.size(2), " pixels, the model takes ",
                 channels, " of ", size, " x ", size);
  return pixels;
}

}  // namespace reseda::certify
