#include <algorithm>
#include <vector>

#include "io/batch/discovery.hpp"
#include "tests/io/image/image_fixture.hpp"
#include "tests/support/shared_data.hpp"

namespace reseda::io {
namespace {

struct Sums {
  std::string name;
  std::int64_t sum, weighted;
};

// Recorded with tifffile 2026.3.3: the sum of all counts, and that of each times ((k + 1) mod 1009) at place k in
// reading order.
const std::vector<Sums> kRadiometric = {
    {"dji_h20n_0001.tiff", 5923384092, 2983716286824}, {"dji_h20t_0003.tiff", 5886624765, 2965243634100},
    {"dji_m30t_0002.tiff", 6162181888, 3104001735520}, {"dji_m30t_0005.tiff", 1246621128, 627941451952},
    {"dji_m3t_0003.tiff", 6411110440, 3229382782568},  {"dji_m3td_0004.tiff", 1578060984, 794900544260},
    {"dji_m4t_0001.tiff", 6035584960, 3040237985908},  {"flirpy_example.tiff", 2288272037, 1152648945922}};

TEST(InfraredData, RadiometricCountsEqualTifffile) {
  const auto folder = tests::shared_data("infrared/radiometric16");
  if (folder.empty()) GTEST_SKIP() << "infrared/radiometric16 is not here (RESEDA_DATA_DIR)";
  for (const Sums& expected : kRadiometric) {
    SCOPED_TRACE(expected.name);
    const Image image = read_image(folder / expected.name);
    EXPECT_EQ(image.bits, 16);
    EXPECT_EQ(image.pixels.sizes(), (at::IntArrayRef{1, 512, 640}));
    const at::Tensor counts = image.pixels.flatten().to(at::kLong);
    const at::Tensor weights = at::arange(1, counts.size(0) + 1).to(at::kLong).remainder(1009);
    EXPECT_EQ(counts.sum().item<std::int64_t>(), expected.sum);
    EXPECT_EQ((counts * weights).sum().item<std::int64_t>(), expected.weighted);
    for (const char* extension : {".tif", ".png"}) expect_equal(there_and_back(image, extension).pixels, image.pixels);
  }
}

TEST(InfraredData, EveryFileIsRead) {
  const auto folder = tests::shared_data("infrared");
  if (folder.empty()) GTEST_SKIP() << "infrared is not here (RESEDA_DATA_DIR)";
  const Discovery found =
      discover_inputs({folder.string()}, {.recursive = true, .extensions = image_extensions(), .leave_out = {}});
  EXPECT_GE(found.files.size(), 718u);
  for (const InputFile& file : found.files) {
    const Image image = read_image(file.path);
    const bool deep = file.id.starts_with("radiometric16/");
    EXPECT_EQ(image.bits, deep ? 16 : 8) << file.id;
    EXPECT_EQ(image.pixels.size(0), 1) << file.id;
    EXPECT_GT(image.pixels.std().item<double>(), 0.0) << file.id;
  }
}

}  // namespace
}  // namespace reseda::io
