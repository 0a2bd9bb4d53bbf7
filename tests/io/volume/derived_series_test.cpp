#include "io/volume/derived_series.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "io/volume/dicom_file.hpp"
#include "io/volume/dicom_tags.hpp"
#include "tests/io/volume/dicom_bytes.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

namespace fs = std::filesystem;
namespace tags = io::detail::tags;
using io::Derivation;
using io::DerivedSeries;
using io::DicomCompression;
using io::DicomSeries;
using io::find_series;
using io::read_series;
using io::Volume;
using io::write_derived_series;

Derivation derivation() { return {.description = "denoised by a test", .software_version = "1.2.3"}; }

io::detail::DicomDataset dataset_of(const fs::path& file) { return io::detail::open_dicom(file).dataset; }

/// Three slices that have what a derived series must change, keep and drop.
class Source {
 public:
  Source() {
    for (int k = 0; k < 3; ++k) {
      DicomBytes slice;
      slice.uid(std::to_string(k))
          .position(-0.1, 20, 1.50 * k)
          .pixels({k, 1, 2, 3, 4, -5})
          .text(0x00200052, "UI", "1.2.3.9");
      slice.text(0x0008103E, "LO", "Head")
          .text(0x00100010, "PN", "Doe^Jane")
          .text(0x00281050, "DS", "40")
          .text(0x00281051, "DS", "400");
      slice.text(0x00080012, "DA", "20200102").text(0x00090010, "LO", "MAKER").text(0x00091001, "LO", "secret");
      slice.number(0x00280106, static_cast<std::uint16_t>(-5), "SS")
          .number(0x00280107, 4, "SS")
          .text(0x00082111, "ST", "was averaged");
      files.push_back(folder.write("in/" + std::to_string(k), slice.bytes()));
    }
    series = find_series(folder / "in").series.at(0);
    volume = read_series(series);
  }
  DerivedSeries derive(const char* name, const at::Tensor& voxels, const Derivation& how = derivation()) const {
    return write_derived_series(folder / name, series, voxels, how);
  }

  TemporaryFolder folder;
  std::vector<fs::path> files;
  DicomSeries series;
  Volume volume;
};

TEST(DerivedSeries, SaysWhatItIsAndKeepsTheRest) {
  const Source source;
  const DerivedSeries derived = source.derive("out", source.volume.voxels + 10);
  EXPECT_EQ(derived.clamped, 0);
  ASSERT_EQ(derived.files.size(), 3u);
  EXPECT_EQ(derived.files[1], source.folder / "out/IM00002.dcm");
  const auto before = dataset_of(source.files[1]), after = dataset_of(derived.files[1]);
  const auto text = [&](io::detail::DicomTag tag) { return after.text(tag); };
  EXPECT_EQ(after.texts(tags::kImageType), (std::vector<std::string>{"DERIVED", "SECONDARY", "AXIAL", "RESTORED"}));
  EXPECT_EQ(text(tags::kDerivationDescription),
            "denoised by a test; reseda 1.2.3, research use only; before: was averaged");
  EXPECT_EQ(after.first_item(tags::kDerivationCodeSequence)->text(tags::kCodeValue), "113087");
  const auto* origin = after.first_item(tags::kSourceImageSequence);
  EXPECT_EQ(origin->text(tags::kReferencedSopInstanceUid), "1.2.3.1.1");
  EXPECT_EQ(origin->first_item(tags::kPurposeOfReferenceCodeSequence)->text(tags::kCodeValue), "121322");
  EXPECT_EQ(after.first_item(tags::kContributingEquipmentSequence)->text(tags::kSoftwareVersions), "1.2.3");
  EXPECT_EQ(text(tags::kSeriesDescription), "Head restored");
  EXPECT_EQ(after.number(tags::kSeriesNumber), 1007.0);
  EXPECT_EQ(text(tags::kSeriesInstanceUid), derived.series_uid);
  EXPECT_EQ(after.number(tags::kSmallestImagePixelValue), 5.0);
  EXPECT_EQ(after.number(tags::kLargestImagePixelValue), 14.0);
  for (const io::detail::DicomTag tag : {tags::kInstanceCreationDate, 0x00090010U, 0x00091001U})
    EXPECT_FALSE(after.has(tag));
  // Everything else is as it was, to the last blank.
  const std::set<io::detail::DicomTag> changed = {tags::kImageType,
                                                  tags::kDerivationDescription,
                                                  tags::kDerivationCodeSequence,
                                                  tags::kSourceImageSequence,
                                                  tags::kContributingEquipmentSequence,
                                                  tags::kSeriesDescription,
                                                  tags::kSeriesNumber,
                                                  tags::kSeriesInstanceUid,
                                                  tags::kSopInstanceUid,
                                                  tags::kSmallestImagePixelValue,
                                                  tags::kLargestImagePixelValue};
  for (const io::detail::DicomElement& element : after.elements()) {
    if (changed.count(element.tag) > 0) continue;
    ASSERT_NE(before.find(element.tag), nullptr);
    EXPECT_EQ(element.value, before.find(element.tag)->value);
  }
  // Three are gone, and three new: code, source, equipment.
  EXPECT_EQ(after.elements().size(), before.elements().size());
}

TEST(DerivedSeries, UidsFollowFromSourceDerivationAndVoxels) {
  const Source source;
  const DerivedSeries first = source.derive("a", source.volume.voxels),
                      again = source.derive("b", source.volume.voxels);
  EXPECT_EQ(tree_of(source.folder / "a"), tree_of(source.folder / "b"));
  std::set<std::string> uids = {first.series_uid};
  for (const fs::path& file : first.files) uids.insert(dataset_of(file).text(tags::kSopInstanceUid));
  EXPECT_EQ(uids.size(), 4u);
  for (const std::string& uid : uids) {
    EXPECT_LE(uid.size(), 64u);
    EXPECT_EQ(uid.find_first_not_of("0123456789."), std::string::npos);
    EXPECT_TRUE(uid.starts_with("2.25.") && uid[5] != '0');
  }
  at::Tensor other = source.volume.voxels.clone();
  other[2][1][0] += 1;
  const DerivedSeries changed = source.derive("c", other);
  EXPECT_NE(changed.series_uid, first.series_uid);
  EXPECT_NE(dataset_of(changed.files[0]).text(tags::kSopInstanceUid),
            dataset_of(first.files[0]).text(tags::kSopInstanceUid));
  Derivation seeded = derivation();
  seeded.identity = "seed 2";
  EXPECT_NE(source.derive("d", source.volume.voxels, seeded).series_uid, first.series_uid);
}

TEST(DerivedSeries, ValuesAreRoundedAndClamped) {
  const Source source;
  at::Tensor voxels = source.volume.voxels.clone();
  voxels[0] = at::tensor({-0.5F, 0.5F, 1.5F, 1e6F, -1e6F, 7.25F}).view({2, 3});
  const DerivedSeries derived = source.derive("out", voxels);
  EXPECT_EQ(derived.clamped, 2);
  const Volume back = io::read_volume(source.folder / "out");
  EXPECT_TRUE(at::equal(back.voxels[0].flatten(), at::tensor({0.0F, 0.0F, 2.0F, 31767.0F, -33768.0F, 7.0F})));
  EXPECT_TRUE(at::equal(back.voxels[1], source.volume.voxels[1]));
}

TEST(DerivedSeries, AScaleOfItsOwnWithAWindowOfAnyWidth) {
  const io::StoredScale both = io::scale_for(at::tensor({-0.3F, 0.4F}));
  EXPECT_DOUBLE_EQ(both.slope, 2e-5) << "0.4 / 32767 is 1.2e-5";
  EXPECT_EQ(both.window_centre, 0);
  EXPECT_NEAR(both.window_width, 8 * std::sqrt(0.125), 1e-6);
  const io::StoredScale nothing = io::scale_for(at::zeros({4}));
  EXPECT_EQ(nothing.slope, 1);
  EXPECT_EQ(nothing.window_width, 1);
  expect_error(Errc::kNumeric, "NaN", [] { io::scale_for(at::tensor({1.0F, std::nanf("")})); });

  const Source source;
  const at::Tensor small = at::full_like(source.volume.voxels, 0.05);
  Derivation how = derivation();
  how.scale = io::scale_for(small);
  const auto dataset = dataset_of(source.derive("out", small, how).files[0]);
  EXPECT_EQ(dataset.text(tags::kRescaleSlope), "2e-06");
  EXPECT_EQ(dataset.text(tags::kVoiLutFunction), "LINEAR_EXACT");
  EXPECT_NEAR(*dataset.number(tags::kWindowWidth), 0.2, 1e-7);
  EXPECT_NEAR(*dataset.number(tags::kWindowCenter), 0.1, 1e-7);
  EXPECT_LE((io::read_volume(source.folder / "out").voxels - 0.05).abs().max().item<double>(), 1.1e-6);
}

TEST(DerivedSeries, BytesDoNotDependOnThreads) {
  const Source source;
  const at::Tensor voxels = source.volume.voxels / 7;
  const int before = at::get_num_threads();
  for (const int threads : {1, 3}) {
    at::set_num_threads(threads);
    Derivation how = derivation();
    how.scale = io::scale_for(voxels);
    source.derive(threads == 1 ? "one" : "three", voxels, how);
  }
  at::set_num_threads(before);
  EXPECT_EQ(tree_of(source.folder / "one").size(), 3U);
  EXPECT_EQ(tree_of(source.folder / "one"), tree_of(source.folder / "three"));
}

TEST(DerivedSeries, PaddingAndPolarityStay) {
  const TemporaryFolder folder;
  DicomBytes slice;
  slice.text(0x00280004, "CS", "MONOCHROME1")
      .bits(16, 12, 11, false)
      .pixels({0, 1, 2, 4095, 4, 7})
      .number(0x00280120, 7);
  folder.write("in/a", slice.bytes());
  const DicomSeries series = find_series(folder / "in").series.at(0);
  const Volume volume = read_series(series);
  EXPECT_EQ(volume.voxels[0][0][0].item<float>(), 3095);
  write_derived_series(folder / "out", series, volume.voxels - 1, derivation());
  const io::detail::DicomFile file = io::detail::open_dicom(folder / "out/IM00001.dcm");
  EXPECT_EQ(file.dataset.text(tags::kPhotometricInterpretation), "MONOCHROME1");
  // One less bright is one more stored; 4095 is clamped, padding stays.
  const std::string expected("\1\0\2\0\3\0\xff\x0f\5\0\7\0", 12);
  EXPECT_EQ(file.pixels.at(0), expected);
}

TEST(DerivedSeries, CompressionLosesNothing) {
  for (const bool is_signed : {false, true})
    for (const auto& [allocated, stored] : {std::pair{16, 16}, {16, 12}, {8, 8}}) {
      const TemporaryFolder folder;
      constexpr int kSize = 37;
      std::string samples;
      for (int i = 0; i < kSize * kSize; ++i) {
        const int value = (i * i * 31 + (i / kSize) * 97) & ((1 << stored) - 1);
        samples += DicomBytes::little(static_cast<std::uint64_t>(value), allocated / 8);
      }
      DicomBytes slice;
      slice.bits(static_cast<std::uint16_t>(allocated), static_cast<std::uint16_t>(stored),
                 static_cast<std::uint16_t>(stored - 1), is_signed);
      slice.number(0x00280010, kSize).number(0x00280011, kSize).text(0x7FE00010, "OW", samples);
      folder.write("in/a", slice.bytes());
      const DicomSeries series = find_series(folder / "in").series.at(0);
      const Volume volume = read_series(series);
      for (const DicomCompression compression :
           {DicomCompression::kRle, DicomCompression::kJpegLs, DicomCompression::kJpeg2000}) {
        SCOPED_TRACE(std::to_string(stored) + " bits, compression " + std::to_string(static_cast<int>(compression)));
        Derivation how = derivation();
        how.compression = compression;
        const fs::path out = folder / std::to_string(static_cast<int>(compression));
        write_derived_series(out, series, volume.voxels, how);
        EXPECT_TRUE(io::detail::open_dicom(out / "IM00001.dcm").encapsulated);
        EXPECT_TRUE(at::equal(io::read_volume(out).voxels, volume.voxels));
      }
    }
}

TEST(DerivedSeries, LossStaysKnown) {
  const TemporaryFolder folder;
  DicomBytes slice;
  folder.write("in/a", slice.text(0x00282110, "CS", "01").bytes());
  const DicomSeries series = find_series(folder / "in").series.at(0);
  write_derived_series(folder / "out", series, read_series(series).voxels, derivation());
  EXPECT_EQ(dataset_of(folder / "out/IM00001.dcm").text(tags::kLossyImageCompression), "01");
}

TEST(DerivedSeries, StripsWhatIdentifiesThePatient) {
  const TemporaryFolder folder;
  const auto item = [](const std::string& content) { return content; };
  DicomBytes slice;
  slice.text(0x00100010, "PN", "Doe^Jane").text(0x00100020, "LO", "ID-4711").text(0x00100030, "DA", "19560302");
  slice.text(0x00104000, "LT", "lives in Springfield")
      .text(0x00080080, "LO", "General Hospital")
      .text(0x00080090, "PN", "Doc^Tor");
  slice.text(0x00080020, "DA", "20210304")
      .text(0x00080023, "DA", "20210305")
      .text(0x0008103E, "LO", "Jane head")
      .text(0x00200052, "UI", "1.2.3.9");
  slice.text(0x00082111, "ST", "of Jane")
      .text(0x00180060, "DS", "120")
      .text(0x00090010, "LO", "MAKER")
      .text(0x00091001, "LO", "Jane");
  slice.sequence(0x00081140, {item(DicomBytes::element(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2") +
                                   DicomBytes::element(0x00081155, "UI", "1.2.3.1.1") +
                                   DicomBytes::element(0x00400275, "LO", "Jane") +
                                   DicomBytes::element(0x00081050, "PN", "Doc^Two"))});
  folder.write("in/a", slice.bytes());
  const DicomSeries series = find_series(folder / "in").series.at(0);
  Derivation how = derivation();
  how.strip_phi = true;
  how.phi_key = "key";
  const DerivedSeries derived = write_derived_series(folder / "out", series, read_series(series).voxels, how);
  const std::string bytes = folder.read("out/IM00001.dcm");
  for (const char* phi : {"Jane", "4711", "1956", "Springfield", "Hospital", "Doc", "2021", "MAKER"})
    EXPECT_EQ(bytes.find(phi), std::string::npos) << phi;
  const auto dataset = dataset_of(derived.files[0]);
  EXPECT_TRUE(dataset.has(tags::kPatientIdentityRemoved));
  EXPECT_TRUE(dataset.has(0x00100010) && dataset.find(0x00100010)->value.empty());
  EXPECT_EQ(dataset.text(tags::kContentDate), "19000101");
  EXPECT_EQ(dataset.text(0x00180060), "120") << "how the image was made stays";
  const auto* reference = dataset.first_item(0x00081140);
  EXPECT_EQ(reference->text(tags::kReferencedSopClassUid), "1.2.840.10008.5.1.4.1.1.2");
  const std::string mapped = reference->text(tags::kReferencedSopInstanceUid);
  EXPECT_TRUE(mapped.starts_with("2.25."));
  // The same UID becomes the same UID everywhere.
  EXPECT_NE(dataset.text(tags::kStudyInstanceUid), "1.2.3");
  EXPECT_EQ(dataset.first_item(tags::kSourceImageSequence)->text(tags::kReferencedSopInstanceUid).substr(0, 5),
            "2.25.");
  EXPECT_EQ(derived.stripped.at("PatientName (0010,0010) emptied"), 1);
  EXPECT_EQ(derived.stripped.at("ReferencedSOPInstanceUID (0008,1155) replaced"), 1);
  EXPECT_EQ(derived.stripped.at("(0009,1001) removed"), 1);
  EXPECT_EQ(derived.stripped.count("KVP (0018,0060) removed"), 0u);
}

TEST(DerivedSeries, PrivateElementsOnRequest) {
  const Source source;
  Derivation how = derivation();
  how.keep_private = true;
  const DerivedSeries derived = source.derive("out", source.volume.voxels, how);
  EXPECT_EQ(dataset_of(derived.files[0]).text(0x00091001), "secret");
}

TEST(DerivedSeries, DatesOfTheDerivation) {
  const Source source;
  Derivation how = derivation();
  how.date_time = "20260102030405";
  const auto dataset = dataset_of(source.derive("out", source.volume.voxels, how).files[0]);
  EXPECT_EQ(dataset.text(tags::kInstanceCreationDate), "20260102");
  EXPECT_EQ(dataset.text(tags::kContentTime), "030405");
  how.date_time = "yesterday";
  expect_error(Errc::kUsage, "YYYYMMDDhhmmss", [&] { source.derive("b", source.volume.voxels, how); });
}

TEST(DerivedSeries, AppearsWholeOrNotAtAll) {
  const Source source;
  const auto before = tree_of(source.folder.path());
  expect_error(Errc::kOutput, "lies in the source's folder", [&] { source.derive("in/out", source.volume.voxels); });
  expect_error(Errc::kOutput, "lies in the source's folder", [&] { source.derive("in", source.volume.voxels); });
  expect_error(Errc::kOutput, "the voxels are", [&] { source.derive("out", source.volume.voxels.slice(0, 1)); });
  expect_error(Errc::kNumeric, "NaN", [&] { source.derive("out", source.volume.voxels / 0); });
  expect_error(Errc::kOutput, "cannot write", [&] { source.derive("no/such/place", source.volume.voxels); });
  EXPECT_EQ(tree_of(source.folder.path()), before);
  // A leftover of a killed run goes away.
  source.folder.write(".out.reseda.part/IM00009.dcm", "half");
  source.derive("out", source.volume.voxels);
  EXPECT_FALSE(fs::exists(source.folder / "out/IM00009.dcm"));
  EXPECT_FALSE(fs::exists(source.folder / ".out.reseda.part"));
  expect_error(Errc::kOutput, "it exists already", [&] { source.derive("out", source.volume.voxels); });
  // A source that changed after it was found.
  std::ofstream(source.files[2], std::ios::binary) << DicomBytes().uid("9").bytes();
  expect_error(Errc::kInput, "has changed", [&] { source.derive("late", source.volume.voxels); });
  EXPECT_FALSE(fs::exists(source.folder / "late"));
}

}  // namespace
}  // namespace reseda::tests
