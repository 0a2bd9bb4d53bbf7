#include "pipelines/certify/packed_images.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "io/array/idx.hpp"
#include "io/array/npy.hpp"
#include "io/image/image.hpp"
#include "io/record/mapped_file.hpp"
#include "modules/core/error.hpp"
#include "pipelines/certify/label_table.hpp"

namespace reseda::certify {
namespace {

namespace fs = std::filesystem;

const char* split_name(DataSplit split) { return split == DataSplit::kTest ? "test" : "train"; }

/// Images of one size in memory.
class ImagesInMemory final : public ImageData {
 public:
  /// @param images  uint8 [N,C,H,W]   @param where  names the files in messages
  ImagesInMemory(at::Tensor images, std::vector<std::int64_t> labels, const std::string& where)
      : images_(std::move(images)), labels_(std::move(labels)) {
    RESEDA_REQUIRE(images_.size(0) == static_cast<std::int64_t>(labels_.size()), Errc::kInput, where, ": ",
                   images_.size(0), " images, but ", labels_.size(), " labels");
    RESEDA_REQUIRE(!labels_.empty(), Errc::kInput, where, ": holds no image");
  }
  std::int64_t size() const override { return images_.size(0); }
  std::int64_t label(std::int64_t index) const override { return labels_.at(static_cast<std::size_t>(index)); }
  at::Tensor pixels(std::int64_t index) const override { return images_[index]; }
  std::string name(std::int64_t index) const override { return std::to_string(index); }

 private:
  at::Tensor images_;
  std::vector<std::int64_t> labels_;
};

std::optional<fs::path> first_existing(const fs::path& folder, const std::vector<std::string>& names) {
  std::error_code error;
  for (const std::string& name : names)
    if (fs::is_regular_file(folder / name, error)) return folder / name;
  return {};
}

constexpr std::int64_t kCifarSide = 32, kCifarRecord = 1 + 3 * kCifarSide * kCifarSide;
constexpr std::int64_t kMostRecords = 1 << 20;

/// The records of a file, uint8 [N,3073].
at::Tensor cifar_records(const fs::path& file) {
  const io::MappedFile mapped(file, Errc::kInput);
  const auto bytes = static_cast<std::int64_t>(mapped.bytes().size());
  RESEDA_REQUIRE(bytes > 0 && bytes % kCifarRecord == 0, Errc::kInput, file.string(), ": ", bytes,
                 " bytes are no whole number of CIFAR-10 records of ", kCifarRecord);
  RESEDA_REQUIRE(bytes / kCifarRecord <= kMostRecords, Errc::kInput, file.string(), ": has more than ", kMostRecords,
                 " records");
  at::Tensor out = at::empty({bytes / kCifarRecord, kCifarRecord}, at::kByte);
  std::memcpy(out.data_ptr(), mapped.bytes().data(), mapped.bytes().size());
  return out;
}

std::vector<std::int64_t> numbers(const at::Tensor& labels) {
  const at::Tensor wide = labels.to(at::kLong).contiguous();
  const auto* first = wide.data_ptr<std::int64_t>();
  return {first, first + wide.numel()};
}

/// A JPEG for each image, decoded when asked for.
class JpegArchive final : public ImageData {
 public:
  JpegArchive(const fs::path& file, const at::Tensor& offsets, std::vector<std::int64_t> labels)
      : name_(file.string()), mapped_(file, Errc::kInput), labels_(std::move(labels)) {
    RESEDA_REQUIRE(offsets.dim() == 1 && offsets.scalar_type() == at::kLong && offsets.numel() >= 2, Errc::kInput,
                   name_, ": its offsets must be two or more int64 numbers");
    offsets_ = numbers(offsets);
    const auto end = static_cast<std::int64_t>(mapped_.bytes().size());
    RESEDA_REQUIRE(offsets_.front() >= 0 && std::is_sorted(offsets_.begin(), offsets_.end()) && offsets_.back() <= end,
                   Errc::kInput, name_, ": its offsets must rise from 0 to at most its ", end, " bytes; it may be cut");
    RESEDA_REQUIRE(labels_.size() + 1 == offsets_.size(), Errc::kInput, name_, ": ", offsets_.size() - 1,
                   " images, but ", labels_.size(), " labels");
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(labels_.size()); }
  std::int64_t label(std::int64_t index) const override { return labels_.at(static_cast<std::size_t>(index)); }
  at::Tensor pixels(std::int64_t index) const override {
    const auto i = static_cast<std::size_t>(index);
    const auto* first = reinterpret_cast<const char*>(mapped_.bytes().data()) + offsets_.at(i);
    const auto length = static_cast<std::size_t>(offsets_.at(i + 1) - offsets_.at(i));
    return io::decode_image({first, length}, name_ + ", image " + std::to_string(index)).pixels.to(at::kByte);
  }
  std::string name(std::int64_t index) const override { return std::to_string(index); }

 private:
  std::string name_;
  io::MappedFile mapped_;
  std::vector<std::int64_t> offsets_, labels_;
};

}  // namespace

std::unique_ptr<ImageData> open_cifar_binary(const fs::path& folder, DataSplit split) {
  std::vector<std::string> names = {"test_batch.bin"};
  if (split == DataSplit::kTrain)
    names = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"};
  if (!first_existing(folder, {names.front()})) return nullptr;
  std::vector<at::Tensor> parts;
  for (const std::string& name : names) parts.push_back(cifar_records(folder / name));
  const at::Tensor records = at::cat(parts);
  const at::Tensor images = records.narrow(1, 1, kCifarRecord - 1).reshape({-1, 3, kCifarSide, kCifarSide});
  return std::make_unique<ImagesInMemory>(images, numbers(records.select(1, 0)), folder.string());
}

std::unique_ptr<ImageData> open_idx_images(const fs::path& folder, DataSplit split) {
  const std::string stem = split == DataSplit::kTest ? "t10k-" : "train-";
  const auto find = [&](const std::string& what, const std::string& axes) {
    const std::string dashed = stem + what + "-idx" + axes + "-ubyte", dotted = stem + what + ".idx" + axes + "-ubyte";
    return first_existing(folder, {dashed, dashed + ".gz", dotted, dotted + ".gz"});
  };
  const auto file = find("images", "3");
  if (!file) return nullptr;
  const auto label_file = find("labels", "1");
  RESEDA_REQUIRE(label_file.has_value(), Errc::kInput, file->string(), ": its ", stem, "labels-idx1-ubyte is missing");
  const at::Tensor images = io::read_idx(*file), labels = io::read_idx(*label_file);
  RESEDA_REQUIRE(images.dim() == 3 && images.size(1) > 0 && images.size(2) > 0, Errc::kInput, file->string(),
                 ": an idx array of shape ", images.sizes(), ", expected images x rows x columns");
  RESEDA_REQUIRE(labels.dim() == 1, Errc::kInput, label_file->string(), ": an idx array of shape ", labels.sizes(),
                 ", expected a label for each image");
  return std::make_unique<ImagesInMemory>(images.unsqueeze(1), numbers(labels), file->string());
}

std::unique_ptr<ImageData> open_image_strip(const fs::path& folder, DataSplit split) {
  const auto file = first_existing(folder, {std::string(split_name(split)) + "_images.png"});
  if (!file) return nullptr;
  const io::Image strip = io::read_image(*file);
  const std::int64_t channels = strip.pixels.size(0), rows = strip.pixels.size(1), side = strip.pixels.size(2);
  RESEDA_REQUIRE(strip.bits == 8 && strip.alpha == io::Alpha::kNone, Errc::kInput, file->string(),
                 ": must have 8 bits and no alpha channel");
  RESEDA_REQUIRE(rows % side == 0, Errc::kInput, file->string(), ": ", rows, " rows are no whole number of squares of ",
                 side, " pixels a side");
  const at::Tensor images =
      strip.pixels.to(at::kByte).view({channels, rows / side, side, side}).transpose(0, 1).contiguous();
  const fs::path labels = folder / (std::string(split_name(split)) + "_labels.csv");
  return std::make_unique<ImagesInMemory>(images, read_label_table(labels), file->string());
}

std::unique_ptr<ImageData> open_jpeg_archive(const fs::path& folder, DataSplit split) {
  const std::string stem = split_name(split);
  const auto file = first_existing(folder, {stem + "_jpeg.bin"});
  if (!file) return nullptr;
  const at::Tensor offsets = io::read_npy(folder / (stem + "_offsets.npy"));
  return std::make_unique<JpegArchive>(*file, offsets, read_label_table(folder / (stem + "_labels.csv")));
}

}  // namespace reseda::certify
