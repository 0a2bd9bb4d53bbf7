#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace reseda::certify {

/// Labelled images in an order that never changes. Images are read when asked for, or lie in memory as bytes.
class ImageData {
 public:
  virtual ~ImageData() = default;
  virtual std::int64_t size() const = 0;
  /// 0-based class, as the files say: not checked against any number of classes. @param index  0 .. size() - 1
  virtual std::int64_t label(std::int64_t index) const = 0;
  /// uint8 [C,H,W], rows from the top. @throws Error{kInput} naming the file
  virtual at::Tensor pixels(std::int64_t index) const = 0;
  /// A stable name of an image, which names its noise: the path below the folder, or the index where files hold many.
  virtual std::string name(std::int64_t index) const = 0;
};

/// Which images of a data set.
enum class DataSplit { kTest, kTrain };

/// Opens a folder in one of these layouts, the first that fits:
///   CIFAR-10 binary  test_batch.bin; data_batch_1.bin .. 5 (records of a label and 3 x 32 x 32 bytes)
///   idx (MNIST)      t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte; train-...; also with .gz, or .idx3 for -idx3
///   strip            test_images.png: square RGB or grey images below each other; test_labels.csv with the columns
///                    index and label; train_images.png
///   JPEG archive     train_jpeg.bin, where image i is bytes offsets[i] to offsets[i + 1] - 1 of train_offsets.npy;
///                    train_labels.csv; test_...
///   a folder for each class   in the order of their names, the images of each in the order of theirs; below test (or
///                    val) and train where there are such folders
/// @throws Error{kInput} naming the file and the rule: none of these, cut short, fewer labels than images, no image
std::unique_ptr<ImageData> open_image_data(const std::filesystem::path& folder, DataSplit split);

/// @throws Error{kInput} naming the first of the images whose label is no class of 0 .. classes - 1
void require_labels(const ImageData& data, const std::vector<std::int64_t>& indices, std::int64_t classes);

/// pixels() of one image, which must be of this shape. @throws Error{kInput} naming the image
at::Tensor pixels_of_shape(const ImageData& data, std::int64_t index, std::int64_t channels, std::int64_t size);

}  // namespace reseda::certify
