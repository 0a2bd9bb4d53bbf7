#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "io/volume/volume.hpp"
#include "tests/io/volume/volume_bytes.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/shared_data.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

using io::read_volume;
using io::Volume;

// W 2, H 3, D 2: voxel (d, h, w) has the value 100 d + 10 h + w.
const std::vector<std::int16_t> kVoxels = {0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121};

at::Tensor expected_voxels() {
  const auto ramp = [](std::int64_t count) { return at::arange(count, at::kFloat); };
  return 100 * ramp(2).view({2, 1, 1}) + 10 * ramp(3).view({1, 3, 1}) + ramp(2).view({1, 1, 2});
}

NiftiBytes small_nifti() {
  return NiftiBytes().size(1, 2).size(2, 3).size(3, 2).type(4, 16).spacing(1, 0.5F).spacing(2, 2).spacing(3, 3);
}

const std::string kNrrd =
    "NRRD0004\n# a comment\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 2 3 2\n"
    "space directions: (0,0.5,0) (0,0,2) (3,0,0)\nkinds: domain domain domain\nendian: little\nencoding: raw\n"
    "space origin: (-7,8,9.5)\nscanner:=one\n\n";
const std::string kMeta =
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n"
    "TransformMatrix = 0 1 0 0 0 1 1 0 0\nOffset = -7 8 9.5\nCenterOfRotation = 0 0 0\nAnatomicalOrientation = RAI\n"
    "ElementSpacing = 0.5 2 3\nDimSize = 2 3 2\nscanner = one\nElementType = MET_SHORT\nElementDataFile = LOCAL\n";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::logic_error("no '" + from + "'");
  return text.replace(at, from.size(), to);
}

/// w runs to the patient's back, h to the head, d to the left.
void expect_rotated(const Volume& volume) {
  EXPECT_TRUE(at::equal(volume.voxels, expected_voxels()));
  EXPECT_EQ(volume.stored, at::kShort);
  EXPECT_EQ(volume.geometry.spacing_mm, (io::Vector3{0.5, 2, 3}));
  EXPECT_EQ(volume.geometry.origin_mm, (io::Vector3{-7, 8, 9.5}));
  const std::array<io::Vector3, 3> direction = {{{0, 0, 1}, {1, 0, 0}, {0, 1, 0}}};
  EXPECT_EQ(volume.geometry.direction, direction);
}

TEST(ReadVolume, NiftiHasItsAxesTurnedFromRasToLps) {
  const TemporaryFolder folder;
  // In NIfTI's axes (right, front, head): w to the back, h to the head, d to the left.
  const std::string bytes =
      small_nifti().sform(1, {0, 0, -3, 7, -0.5F, 0, 0, -8, 0, 2, 0, 9.5F}).with(bytes_of(kVoxels));
  expect_rotated(read_volume(folder.write("v.nii", bytes)));
  expect_rotated(read_volume(folder.write("v.nii.gz", gzipped(bytes))));
}

TEST(ReadVolume, NrrdRawAndDeflatedInEitherSpace) {
  const TemporaryFolder folder;
  const Volume volume = read_volume(folder.write("v.nrrd", kNrrd + bytes_of(kVoxels)));
  expect_rotated(volume);
  EXPECT_EQ(volume.metadata.at("scanner"), "one");
  const std::string deflated = replaced(kNrrd, "raw", "gzip") + gzipped(bytes_of(kVoxels));
  expect_rotated(read_volume(folder.write("z.nrrd", deflated)));
  std::string ras = replaced(kNrrd, "left-posterior-superior", "right-anterior-superior");
  ras = replaced(ras, "(0,0.5,0) (0,0,2) (3,0,0)", "(0,-0.5,0) (0,0,2) (-3,0,0)");
  expect_rotated(read_volume(folder.write("r.nrrd", replaced(ras, "(-7,8,9.5)", "(7,-8,9.5)") + bytes_of(kVoxels))));
}

TEST(ReadVolume, MetaImageRawAndDeflated) {
  const TemporaryFolder folder;
  const Volume volume = read_volume(folder.write("v.mha", kMeta + bytes_of(kVoxels)));
  expect_rotated(volume);
  EXPECT_EQ(volume.metadata.at("scanner"), "one");
  const std::string packed = gzipped(bytes_of(kVoxels));
  const std::string size = "CompressedData = True\nCompressedDataSize = " + std::to_string(packed.size());
  expect_rotated(read_volume(folder.write("z.mha", replaced(kMeta, "CompressedData = False", size) + packed)));
}

TEST(ReadVolume, ScalingIsAppliedAndBigEndianIsSwapped) {
  const TemporaryFolder folder;
  const std::string scaled = small_nifti().scaling(2, -1000).with(bytes_of(kVoxels));
  const Volume volume = read_volume(folder.write("v.nii", scaled));
  EXPECT_TRUE(at::equal(volume.voxels, 2 * expected_voxels() - 1000));
  EXPECT_EQ(volume.stored, at::kFloat);
  std::vector<std::int16_t> swapped;
  for (const std::int16_t v : kVoxels) swapped.push_back(static_cast<std::int16_t>(__builtin_bswap16(v)));
  expect_rotated(read_volume(folder.write("b.nrrd", replaced(kNrrd, "little", "big") + bytes_of(swapped))));
  const std::string big = replaced(kMeta, "MSB = False", "MSB = True");
  expect_rotated(read_volume(folder.write("b.mha", big + bytes_of(swapped))));
}

TEST(ReadVolume, ASliceIsAVolumeOfDepthOne) {
  const TemporaryFolder folder;
  const std::string bytes = small_nifti().size(0, 2).size(3, 1).with(bytes_of(kVoxels).substr(0, 12));
  const Volume volume = read_volume(folder.write("v.nii", bytes));
  EXPECT_EQ(volume.voxels.sizes(), (std::vector<std::int64_t>{1, 3, 2}));
  EXPECT_EQ(volume.geometry.spacing_mm[1], 2);
}

TEST(ReadVolume, StoredTypes) {
  const TemporaryFolder folder;
  const auto read = [&](const NiftiBytes& header, const std::string& voxels) {
    return read_volume(folder.write("v.nii", NiftiBytes(header).size(1, 2).with(voxels)));
  };
  const auto expect = [&](const Volume& volume, at::ScalarType stored, float first, float second) {
    EXPECT_EQ(volume.stored, stored);
    EXPECT_EQ(volume.voxels.scalar_type(), at::kFloat);
    EXPECT_EQ(volume.voxels[0][0][0].item<float>(), first) << c10::toString(stored);
    EXPECT_EQ(volume.voxels[0][0][1].item<float>(), second) << c10::toString(stored);
  };
  expect(read(NiftiBytes().type(2, 8), "\x05\xff"), at::kByte, 5, 255);
  expect(read(NiftiBytes().type(256, 8), "\x05\xff"), at::kChar, 5, -1);
  expect(read(NiftiBytes().type(512, 16), bytes_of<std::uint16_t>({3, 65535})), at::kUInt16, 3, 65535);
  expect(read(NiftiBytes().type(8, 32), bytes_of<std::int32_t>({-3, 70000})), at::kInt, -3, 70000);
  expect(read(NiftiBytes().type(768, 32), bytes_of<std::uint32_t>({3, 70000})), at::kUInt32, 3, 70000);
  expect(read(NiftiBytes().type(16, 32), bytes_of<float>({-0.5F, 1e9F})), at::kFloat, -0.5F, 1e9F);
  expect(read(NiftiBytes().type(64, 64), bytes_of<double>({-0.5, 1e9})), at::kDouble, -0.5F, 1e9F);
}

TEST(ReadVolume, RefusesWhatItCannotRead) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& name, const std::string& bytes, const std::string& why) {
    SCOPED_TRACE(why);
    const auto file = folder.write(name, bytes);
    expect_error(Errc::kInput, why, [&] { read_volume(file); });
  };
  expect_error(Errc::kInput, "cannot read", [&] { read_volume(folder / "absent.nii"); });
  refused("v.png", "", ".nii, .nii.gz, .nrrd or .mha");
  refused("v.nii", "", "ends after 0 bytes");
  refused("v.nii", std::string(400, 'x'), "not a NIfTI-1 file");
  refused("v.nii", NiftiBytes().set<std::int32_t>(0, 540).with(""), "NIfTI-2");
  refused("v.nii", NiftiBytes().size(1, 9).with("123"), "cut short");
  refused("v.nii.gz", gzipped(NiftiBytes().size(1, 9).with("123")), "cut short");
  const std::string packed = gzipped(bytes_of(kVoxels)), without_end = packed.substr(0, packed.size() - 1);
  std::string damaged = packed;
  damaged[packed.size() - 8] ^= 1;  // of the check sum
  refused("v.nrrd", replaced(kNrrd, "raw", "gzip") + without_end, "cut short");
  refused("v.nrrd", replaced(kNrrd, "raw", "gzip") + damaged, "is damaged: incorrect data check");
  const std::string packed_meta = replaced(kMeta, "CompressedData = False", "CompressedData = True");
  refused("v.mha", packed_meta + packed.substr(0, packed.size() / 2), "cut short");
  refused("v.nii", NiftiBytes().size(0, 4).size(4, 5).with(""), "dim[4] is 5, expected one scalar volume");
  refused("v.nii", NiftiBytes().type(128, 24).with("   "), "datatype is 128");
  refused("v.nii", NiftiBytes().type(4, 32).with("    "), "bitpix is 32, expected 16");
  refused("v.nii", NiftiBytes().spacing(2, 0).with("    "), "pixdim[2] is 0");
  refused("v.nii", NiftiBytes().size(1, 32767).size(2, 32767).size(3, 32767).with(""), "more than the limit");
  refused("v.nii", NiftiBytes().with(bytes_of<float>({NAN})), "NaN or infinite");
  refused("v.nii", NiftiBytes().type(8, 32).with(bytes_of<std::int32_t>({1 << 24})), "expected within +-2^24");
  refused("v.nii", NiftiBytes().sform(1, {1, 0.1F, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}).with("    "), "orthonormal");
  refused("v.nrrd", "NRRD0009\n\n", "not an NRRD file");
  refused("v.nrrd", replaced(kNrrd, "sizes: 2 3 2", "sizes: 2 3") + bytes_of(kVoxels), "has 2 numbers, expected 3");
  refused("v.nrrd", replaced(kNrrd, "sizes: 2 3 2", "sizes: 2 3 0") + bytes_of(kVoxels), "at least 1");
  refused("v.nrrd", replaced(kNrrd, "encoding: raw", "data file: x.raw"), "in another file");
  refused("v.nrrd", replaced(kNrrd, "raw", "bzip2") + bytes_of(kVoxels), "'bzip2' is not read");
  refused("v.nrrd", replaced(kNrrd, "domain domain domain", "vector domain domain"), "kind 'vector'");
  refused("v.nrrd", replaced(kNrrd, "(0,0,2)", "(0,1,2)") + bytes_of(kVoxels), "not orthogonal");
  refused("v.nrrd", kNrrd + bytes_of(kVoxels).substr(1), "cut short");
  refused("v.mha", "x", "MetaImage header does not end");
  refused("v.mha", replaced(kMeta, "LOCAL", "/etc/passwd"), "in another file");
  refused("v.mha", replaced(kMeta, "NDims = 3", "NDims = 11"), "NDims is 11");
  refused("v.mha", replaced(kMeta, "scanner", std::string(300, 'k')) + bytes_of(kVoxels), "not 'key = value'");
  refused("v.mha", kMeta + bytes_of(kVoxels).substr(1), "cut short");
}

TEST(ReadVolume, LimitIsChecked) {
  const TemporaryFolder folder;
  const auto file = folder.write("v.nrrd", kNrrd + bytes_of(kVoxels));
  EXPECT_NO_THROW(read_volume(file, {.voxels = 12}));
  expect_error(Errc::kInput, "2 x 3 x 2 voxels are more than the limit of 11",
               [&] { read_volume(file, {.voxels = 11}); });
}

TEST(ReadVolume, TrainingScans) {
  const auto data = shared_data("medical/train");
  if (data.empty()) GTEST_SKIP() << "the training scans are not here (RESEDA_DATA_DIR)";
  const Volume ct = read_volume(data / "ct_torso.nii.gz");
  EXPECT_EQ(ct.voxels.sizes(), (std::vector<std::int64_t>{164, 126, 120}));
  EXPECT_NEAR(ct.geometry.spacing_mm[2], 1.5, 1e-6);
  EXPECT_GE(ct.voxels.min().item<float>(), -1100);
  EXPECT_EQ(ct.stored, at::kShort);
  // w runs to the back, h to the feet, d to the right: see the data's README.
  const auto& direction = read_volume(data / "mr_t1_mprage.nii.gz").geometry.direction;
  EXPECT_GT(direction[1][0], 0.9);
  EXPECT_LT(direction[2][1], -0.9);
  EXPECT_LT(direction[0][2], -0.9);
}

}  // namespace
}  // namespace reseda::tests
