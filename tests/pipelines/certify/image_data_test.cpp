#include "pipelines/certify/image_data.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>

#include "io/image/image.hpp"
#include "pipelines/certify/label_table.hpp"
#include "pipelines/certify/smoothing_run.hpp"
#include "tests/pipelines/certify/small_classifier.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/shared_data.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

using namespace certify;
using namespace std::string_literals;

TEST(ImageData, ReadsCifarBinary) {
  const TemporaryFolder folder;
  folder.write("test_batch.bin", cifar_records(3, 2));
  for (const char* name : {"1", "2", "3", "4", "5"}) folder.write("data_batch_"s + name + ".bin", cifar_records(2, 2));
  const auto test = open_image_data(folder.path(), DataSplit::kTest);
  EXPECT_EQ(test->size(), 3);
  EXPECT_EQ(test->label(1), 1);
  EXPECT_EQ(test->name(2), "2");
  const at::Tensor pixels = test->pixels(1);
  EXPECT_EQ(pixels.sizes(), at::IntArrayRef({3, 32, 32}));
  EXPECT_EQ(pixels[2][5][7].item<int>(), (40 + 120 + 3 * 7 * 3 + 2 * 5) % 256);
  EXPECT_EQ(open_image_data(folder.path(), DataSplit::kTrain)->size(), 10);
}

TEST(ImageData, ReadsIdx) {
  const TemporaryFolder folder;
  folder.write("t10k-images-idx3-ubyte", "\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02\x05\x06\x07\x08"s);
  expect_error(Errc::kInput, "labels-idx1-ubyte is missing", [&] { open_image_data(folder.path(), DataSplit::kTest); });
  folder.write("t10k-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\x02\x09\x01"s);
  const auto data = open_image_data(folder.path(), DataSplit::kTest);
  EXPECT_EQ(data->size(), 2);
  EXPECT_EQ(data->label(0), 9);
  EXPECT_EQ(data->pixels(1).sizes(), at::IntArrayRef({1, 1, 2}));
  EXPECT_EQ(data->pixels(1)[0][0][0].item<int>(), 7);
  folder.write("t10k-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\x01\x09"s);
  expect_error(Errc::kInput, "2 images, but 1 labels", [&] { open_image_data(folder.path(), DataSplit::kTest); });
}

TEST(ImageData, ReadsStripsAndFoldersAlike) {
  const TemporaryFolder folder;
  const at::Tensor strip = at::arange(3 * 8 * 4).view({3, 8, 4}).to(at::kFloat);
  std::filesystem::create_directories(folder / "strip");
  io::write_image(folder / "strip/test_images.png", io::Image{strip});
  folder.write("strip/test_labels.csv", "index,label,class\r\n0,1,cat\r\n1,0,\"dog, small\"\r\n");
  std::filesystem::create_directories(folder / "tree/val/cat");
  std::filesystem::create_directories(folder / "tree/val/dog");
  io::write_image(folder / "tree/val/dog/a.png", io::Image{strip.narrow(1, 0, 4).contiguous()});
  io::write_image(folder / "tree/val/cat/b.png", io::Image{strip.narrow(1, 4, 4).contiguous()});
  const auto one = open_image_data(folder / "strip", DataSplit::kTest);
  const auto other = open_image_data(folder / "tree", DataSplit::kTest);
  EXPECT_EQ(one->size(), 2);
  EXPECT_EQ(other->size(), 2);
  EXPECT_EQ(other->name(0), "cat/b.png");
  EXPECT_EQ(other->label(1), 1);
  EXPECT_EQ(one->label(0), 1);
  EXPECT_TRUE(at::equal(one->pixels(0), other->pixels(1)));
  EXPECT_TRUE(at::equal(one->pixels(1), other->pixels(0)));
}

TEST(ImageData, RefusesDamagedFiles) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& name, const std::string& message) {
    expect_error(Errc::kInput, message, [&] { open_image_data(folder / name, DataSplit::kTest); });
  };
  refused("absent", "is not a folder");
  std::filesystem::create_directories(folder / "strip");
  io::write_image(folder / "strip/test_images.png", io::Image{at::zeros({3, 9, 4})});
  refused("strip", "9 rows are no whole number of squares");
  io::write_image(folder / "strip/test_images.png", io::Image{at::zeros({3, 8, 4})});
  refused("strip", "test_labels.csv");
  folder.write("strip/test_labels.csv", "index,label\n0,1\n");
  refused("strip", "2 images, but 1 labels");
  folder.write("jpeg/test_jpeg.bin", "0123456789");
  refused("jpeg", "test_offsets.npy");
  std::filesystem::create_directories(folder / "tree/cat");
  refused("tree", "tree/cat: the folder holds no .png");
  std::filesystem::create_directories(folder / "nothing");
  refused("nothing", "a folder for each class");
}

TEST(ImageData, ChecksLabelsAndSizes) {
  const TemporaryFolder folder;
  folder.write("test_batch.bin", cifar_records(3, 3));
  const auto data = open_image_data(folder.path(), DataSplit::kTest);
  require_labels(*data, {0, 1, 2}, 3);
  require_labels(*data, {0, 1}, 2);
  expect_error(Errc::kInput, "image 2: its label 2 is no class of the model, which has 0 to 1", [&] {
    require_labels(*data, {0, 2}, 2);
  });
  expect_error(Errc::kInput, "the model takes 1 of 32 x 32", [&] { pixels_of_shape(*data, 0, 1, 32); });
  const ImageInput input{.size = 14, .mean = {0, 0, 0}, .std = {1, 1, 1}};
  expect_error(Errc::kInput, "the model takes 3 of 14 x 14", [&] { model_pixels(*data, 0, "none", input); });
  EXPECT_EQ(model_pixels(*data, 0, "centre", input).sizes(), at::IntArrayRef({3, 14, 14}));
  EXPECT_EQ(model_pixels(*data, 0, "halve", input).sizes(), at::IntArrayRef({3, 14, 14}));
}

TEST(LabelTable, ReadsAndRefuses) {
  EXPECT_EQ(parse_label_table("label,index\n7,0\n0,1\n", "a"), (std::vector<std::int64_t>{7, 0}));
  const auto refused = [](const std::string& text, const std::string& message) {
    expect_error(Errc::kInput, message, [&] { parse_label_table(text, "a.csv"); });
  };
  refused("", "a.csv: line 1: the header lacks the column index");
  refused("index,class\n0,cat\n", "lacks the column label");
  refused("index,label\n0,1\n2,1\n", "line 3 has the index 2, expected 1");
  refused("index,label\n0,-1\n", "line 2: '-1' is no number");
  refused("index,label\n0", "line 2: '' is no number from 0 on; the file may be cut");
}

TEST(ImageData, ReadsTheRealSets) {
  const auto cifar = shared_data("certification/cifar10"), mnist = shared_data("certification/mnist");
  if (cifar.empty() || mnist.empty()) GTEST_SKIP() << "certification data are not here";
  const auto test = open_image_data(cifar, DataSplit::kTest), train = open_image_data(cifar, DataSplit::kTrain);
  EXPECT_EQ(test->size(), 2000);
  EXPECT_EQ(train->size(), 10000);
  EXPECT_EQ(test->pixels(1999).sizes(), at::IntArrayRef({3, 32, 32}));
  EXPECT_EQ(train->pixels(9999).sizes(), at::IntArrayRef({3, 32, 32}));
  std::vector<std::int64_t> per_class(10, 0);
  for (std::int64_t i = 0; i < test->size(); ++i) ++per_class[static_cast<std::size_t>(test->label(i))];
  EXPECT_EQ(per_class, std::vector<std::int64_t>(10, 200));
  const auto digits = open_image_data(mnist, DataSplit::kTest);
  EXPECT_EQ(digits->size(), 10000);
  EXPECT_EQ(digits->label(0), 7);
  EXPECT_EQ(digits->pixels(0).sizes(), at::IntArrayRef({1, 28, 28}));
}

}  // namespace
}  // namespace reseda::tests
