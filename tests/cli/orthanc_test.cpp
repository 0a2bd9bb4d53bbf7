// A series through a PACS and back, see scripts/orthanc_round_trip.sh.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/io/volume/dicom_bytes.hpp"
#include "tests/support/process.hpp"
#include "tests/support/shared_data.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int kSide = 16;

/// A CT slice with all the file meta information that senders insist on (PS3.10 section 7.1).
std::string with_meta(const DicomBytes& slice, const std::string& uid) {
  const auto element = DicomBytes::element;
  const std::string meta = element(0x00020001, "OB", {"\0\1", 2}) +
                           element(0x00020002, "UI", "1.2.840.10008.5.1.4.1.1.2") + element(0x00020003, "UI", uid) +
                           element(0x00020010, "UI", "1.2.840.10008.1.2.1") + element(0x00020012, "UI", "1.2.3.5");
  std::string file(128, '\0');
  file.append("DICM").append(element(0x00020000, "UL", DicomBytes::little(meta.size(), 4))).append(meta);
  return file.append(slice.dataset());
}

class OrthancCli : public testing::Test {
 protected:
  /// Three slices of a real scan, or made ones where it is not here.
  void SetUp() override {
    fs::create_directories(series());
    const fs::path scan = shared_data("medical/dicom/pt_wholebody");
    if (!scan.empty()) {
      std::vector<fs::path> files;
      for (const auto& entry : fs::directory_iterator(scan)) files.push_back(entry.path());
      std::sort(files.begin(), files.end());
      for (std::size_t k = 0; k < 3; ++k) fs::copy(files.at(k), series() / files[k].filename());
      return;
    }
    for (int k = 0; k < 3; ++k) {
      DicomBytes slice;
      std::vector<int> pixels;
      for (int i = 0; i < kSide * kSide; ++i) pixels.push_back(500 + 40 * (i % 7) + 10 * k);
      slice.uid(std::to_string(k)).position(0, 0, 1.5 * k).number(0x00280010, kSide).number(0x00280011, kSide);
      slice.pixels(pixels);
      slice.text(0x00100020, "LO", "P1").text(0x00200052, "UI", "1.2.3.9");
      folder_.write("series/" + std::to_string(k) + ".dcm", with_meta(slice, "1.2.3.1." + std::to_string(k)));
    }
  }

  /// reseda medical restore with a model of two training steps: enough to see where its result goes.
  std::vector<std::string> restore() const {
    std::string volume =
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nOffset = 0 0 0\n"
        "TransformMatrix = 1 0 0 0 1 0 0 0 1\nElementSpacing = 1 1 1\nDimSize = 24 24 12\n"
        "ElementType = MET_SHORT\nElementDataFile = LOCAL\n";
    for (std::uint64_t i = 0; i < 24 * 24 * 12; ++i) volume += DicomBytes::little(300 + i * i % 401, 2);
    folder_.write("volume.mha", volume);
    const Outcome trained = run({"reseda-medical",
                                 "train",
                                 "--mr",
                                 (folder_ / "volume.mha").string(),
                                 "--recipe",
                                 "medical/denoise-mr",
                                 "-o",
                                 (folder_ / "run").string(),
                                 "--steps",
                                 "2",
                                 "--set",
                                 "train.ema_decay=0",
                                 "--set",
                                 "train.warmup=0",
                                 "--set",
                                 "hold_out=0",
                                 "--set",
                                 "crop=16",
                                 "--set",
                                 "batch=1",
                                 "--set",
                                 "model.network.channel_mult=[1]",
                                 "--set",
                                 "model.network.attention_resolutions=[]"});
    EXPECT_EQ(trained.code, 0) << trained.err;
    return {RESEDA_BIN_DIR "/reseda-medical",
            "restore",
            "@in",
            "-o",
            "@out",
            "--task",
            "denoise",
            "--noise",
            "100",
            "--model",
            (folder_ / "run/model.safetensors").string()};
  }

  fs::path series() const { return folder_ / "series"; }
  Outcome round_trip(const char* by, const std::vector<std::string>& command) const {
    std::vector<std::string> words{RESEDA_SOURCE_DIR "/scripts/orthanc_round_trip.sh", "--by", by, series().string(),
                                   "--"};
    words.insert(words.end(), command.begin(), command.end());
    return run(words);
  }
  TemporaryFolder folder_;
};

void expect_round_trip(const Outcome& got) {
  if (got.code == 77) GTEST_SKIP() << got.err;
  EXPECT_EQ(got.code, 0) << got.err;
  EXPECT_THAT(got.err, HasSubstr(" slices, series 2.25."));
}

TEST_F(OrthancCli, HoldsTheRestoredSeriesBesideItsSource) { expect_round_trip(round_trip("dicom", restore())); }

TEST_F(OrthancCli, HoldsItOverDicomWebToo) { expect_round_trip(round_trip("web", restore())); }

TEST_F(OrthancCli, NoticesAResultThatIsNoNewSeries) {
  const Outcome copied = round_trip("dicom", {"cp", "-r", "@in", "@out"});
  if (copied.code == 77) GTEST_SKIP() << copied.err;
  EXPECT_EQ(copied.code, 1);
  EXPECT_THAT(copied.err, HasSubstr("series in the study: got"));
}

}  // namespace
}  // namespace reseda::tests
