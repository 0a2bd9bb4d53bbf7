#include "pipelines/infrared/frame_sequence.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

using infrared::FrameSequences;

TEST(FrameSequences, FramesOfAFolderShareTheirRange) {
  const TemporaryFolder folder;
  std::vector<io::InputFile> files;
  const auto write = [&](const std::string& id, double low, double high) {
    std::filesystem::create_directories((folder / id).parent_path());
    const at::Tensor pixels = at::linspace(low, high, 64).round().view({1, 8, 8});
    io::write_image(folder / id, io::Image{pixels, 16, io::SampleType::kUnsigned, io::Alpha::kNone, {}});
    files.push_back({id, folder / id});
  };
  write("a/1.tif", 3000, 3100);
  write("a/2.tif", 3050, 3200);
  write("b/1.tif", 9000, 9100);
  files.push_back({"a/damaged.tif", folder.write("a/damaged.tif", "II*")});
  files.push_back({"c/damaged.tif", folder.write("c/damaged.tif", "II*")});
  FrameSequences sequences(files);
  for (const char* id : {"a/1.tif", "a/2.tif"}) {
    EXPECT_EQ(sequences.range(id)->low, 3000);
    EXPECT_EQ(sequences.range(id)->high, 3200);
  }
  EXPECT_EQ(sequences.range("b/1.tif")->low, 9000);
  EXPECT_FALSE(sequences.range("c/damaged.tif").has_value());
  EXPECT_EQ(FrameSequences::name("a/1.tif"), FrameSequences::name("a/2.tif"));
  EXPECT_EQ(FrameSequences::name("1.tif"), ".");
}

}  // namespace
}  // namespace reseda::tests
