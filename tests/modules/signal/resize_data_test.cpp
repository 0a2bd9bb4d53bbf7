// The low-resolution images of the DifIISR test set are their originals as Pillow's BICUBIC makes them at a quarter of
// the size, bit for bit.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "io/image/image.hpp"
#include "modules/signal/resize.hpp"
#include "tests/support/shared_data.hpp"

namespace reseda::signal {
namespace {

TEST(ResizeData, DifiisrTestSetIsPillowBicubic) {
  const std::filesystem::path folder = tests::shared_data("infrared/difiisr_test");
  if (folder.empty()) GTEST_SKIP() << "infrared/difiisr_test is not here (RESEDA_DATA_DIR)";
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "HR")) {
    const std::string stem = entry.path().stem().string();
    const at::Tensor large = io::read_image(entry.path()).pixels.to(at::kByte);
    const at::Tensor small = io::read_image(folder / "LR" / (stem + "x4.png")).pixels.to(at::kByte);
    EXPECT_TRUE(at::equal(resize(large, large.size(1) / 4, large.size(2) / 4, "pillow_bicubic"), small)) << stem;
    ++files;
  }
  EXPECT_EQ(files, 10);
}

}  // namespace
}  // namespace reseda::signal
