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
  /// Five slices of a real scan, or made ones where it is not here.
  void SetUp() override {
    fs::create_directories(series());
    const fs::path scan = shared_data("medical/dicom/pt_wholebody");
    if (!scan.empty()) {
      std::vector<fs::path> files;
      for (const auto& entry : fs::directory_iterator(scan)) files.push_back(entry.path());
      std::sort(files.begin(), files.end());
      for (std::size_t k = 0; k < 5; ++k) fs::copy(files.at(k), series() / files[k].filename());
      return;
    }
    for (int k = 0; k < 3; ++k) {
      DicomBytes slice;
      slice.uid(std::to_string(k)).position(0, 0, 1.5 * k).pixels({k, 1, 2, 30, 4, -50});
      slice.text(0x00100020, "LO", "P1").text(0x00200052, "UI", "1.2.3.9");
      folder_.write("series/" + std::to_string(k) + ".dcm", with_meta(slice, "1.2.3.1." + std::to_string(k)));
    }
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

TEST_F(OrthancCli, HoldsTheRestoredSeriesBesideItsSource) {
  expect_round_trip(round_trip("dicom", {RESEDA_BIN_DIR "/derive_series", "@in", "@out"}));
}

TEST_F(OrthancCli, HoldsItOverDicomWebToo) {
  expect_round_trip(round_trip("web", {RESEDA_BIN_DIR "/derive_series", "@in", "@out"}));
}

TEST_F(OrthancCli, NoticesAResultThatIsNoNewSeries) {
  const Outcome copied = round_trip("dicom", {"cp", "-r", "@in", "@out"});
  if (copied.code == 77) GTEST_SKIP() << copied.err;
  EXPECT_EQ(copied.code, 1);
  EXPECT_THAT(copied.err, HasSubstr("series in the study: got"));
}

}  // namespace
}  // namespace reseda::tests
