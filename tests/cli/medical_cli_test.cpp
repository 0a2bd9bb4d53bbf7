// reseda medical restore as real processes: DICOM and other files, killed and resumed, and what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "io/record/json.hpp"
#include "io/volume/dicom_series.hpp"
#include "tests/io/volume/dicom_bytes.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

constexpr int kSide = 32;

/// A tube in air, with noise from a fixed sequence; a little different in every slice.
std::vector<int> slice_values(int k, int seed = 1) {
  std::vector<int> values;
  std::uint32_t state = 12345U * static_cast<std::uint32_t>(seed) + static_cast<std::uint32_t>(k);
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x) {
      state = state * 1664525U + 1013904223U;
      const int noise = static_cast<int>(state >> 24) % 61 - 30;
      const bool inside = std::hypot(x - kSide / 2, y - kSide / 2) < 11 + 0.2 * k;
      values.push_back((inside ? 1040 : 0) + noise + 30);
    }
  return values;
}

class MedicalCli : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_ = new TemporaryFolder();
    write_nrrd(*shared_, "train/ct_tube.nrrd", 16, -1000);
    for (const auto& [task, channels] : {std::pair{"denoise-ct", 24}, {"sr", 16}}) {
      shared_->write("tiny.yaml",
                     "model:\n  network: {name: rddm_unet, nets: one, dim: 8, dim_mults: [1, 2], channels: 4, "
                     "out_dim: 4, condition_channels: " +
                         std::to_string(channels) +
                         ", self_condition: false, resnet_block_groups: 8}\ncrop: 16\nbatch: 1\nhold_out: "
                         "0\ndegradation: {zoom: 1}\n");
      const Outcome trained = run({"reseda-medical", "train", "--ct", (*shared_ / "train").string(), "--recipe",
                                   std::string("medical/") + task, "--config", (*shared_ / "tiny.yaml").string(), "-o",
                                   (*shared_ / task).string(), "--steps", "1", "--threads", "1"});
      ASSERT_EQ(trained.code, 0) << trained.err;
    }
  }
  static void TearDownTestSuite() {
    delete shared_;
    shared_ = nullptr;
  }

  /// `depth` slices as signed 16-bit NRRD.
  static void write_nrrd(const TemporaryFolder& folder, const std::string& name, int depth, int add) {
    std::string bytes;
    for (int k = 0; k < depth; ++k)
      for (const int value : slice_values(k)) bytes += DicomBytes::little(static_cast<std::uint16_t>(value + add), 2);
    folder.write(name, "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: " +
                           std::to_string(kSide) + " " + std::to_string(kSide) + " " + std::to_string(depth) +
                           "\nspace directions: (1,0,0) (0,1,0) (0,0,2)\nkinds: domain domain domain\nendian: "
                           "little\nencoding: raw\nspace origin: (5,6,7)\n\n" +
                           bytes);
  }
  static DicomBytes slice(int k, const std::string& series = "1.2.3.4", const std::string& patient = "Doe^Jane") {
    DicomBytes bytes;
    bytes.number(0x00280010, kSide).number(0x00280011, kSide).pixels(slice_values(k));
    bytes.uid(series + "." + std::to_string(k)).position(-16, -16, 2.5 * k).text(0x0020000E, "UI", series);
    bytes.text(0x00100010, "PN", patient).text(0x00100020, "LO", "ID-" + patient).text(0x00280030, "DS", "1\\1");
    bytes.text(0x00281050, "DS", "40").text(0x00281051, "DS", "400").text(0x0008103E, "LO", "Thorax");
    return bytes;
  }
  void write_study(const std::string& name, int slices, const std::string& series = "1.2.3.4") const {
    for (int k = 0; k < slices; ++k) folder_.write(name + "/" + std::to_string(k) + ".dcm", slice(k, series).bytes());
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  Words command(const Words& words, const std::string& model = "denoise-ct") const {
    Words all = {
        "reseda-medical", "restore", "--threads", "1", "--model", (*shared_ / model / "model.safetensors").string()};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }
  Outcome restore(const Words& words, const std::string& model = "denoise-ct") const {
    return run(command(words, model));
  }
  static ConfigNode facts_of(const Outcome& outcome) {
    const ConfigNode line = io::parse_json(outcome.out.substr(0, outcome.out.find('\n')), "line");
    const ConfigNode* facts = line.find("facts");
    return facts == nullptr ? ConfigNode() : *facts;
  }
  TemporaryFolder folder_;
  static TemporaryFolder* shared_;
};
TemporaryFolder* MedicalCli::shared_ = nullptr;

TEST_F(MedicalCli, BytesDoNotDependOnThreads) {
  write_study("study", 5);
  for (const std::string threads : {"1", "3"}) {
    Words words = command({path("study"), "-o", path("out"), "--difference", path("difference")});
    *(std::find(words.begin(), words.end(), "--threads") + 1) = threads;
    const Outcome outcome = run(words);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    for (const char* folder : {"out", "difference"}) fs::rename(path(folder), path(folder + threads));
  }
  EXPECT_EQ(tree_of(folder_ / "out1").size(), 5U);
  EXPECT_EQ(tree_of(folder_ / "difference1").size(), 5U);
  EXPECT_TRUE(tree_of(folder_ / "out1") == tree_of(folder_ / "out3"));
  EXPECT_TRUE(tree_of(folder_ / "difference1") == tree_of(folder_ / "difference3"));
}

TEST_F(MedicalCli, AStudyBecomesADerivedSeriesAndASecondRunHasNothingToDo) {
  write_study("study", 5);
  const Outcome first = restore({path("study"), "-o", path("out"), "--json"});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.err, HasSubstr("series-7: noise "));
  const ConfigNode facts = facts_of(first);
  EXPECT_EQ(facts.find("modality")->scalar(), "CT");
  EXPECT_EQ(facts.find("units")->scalar(), "HU");
  EXPECT_GT(std::stod(facts.find("noise")->scalar()), 5.0);
  const auto files = tree_of(folder_ / "out");
  ASSERT_EQ(files.size(), 5U);
  const std::string& third = files.at("series-7/IM00003.dcm");
  EXPECT_THAT(third, AllOf(HasSubstr("DERIVED\\SECONDARY\\AXIAL\\DENOISED"), HasSubstr("Thorax denoised"),
                           HasSubstr("-16\\-16\\5"), HasSubstr("Doe^Jane"), HasSubstr("research use only"),
                           HasSubstr("reseda medical restore: task denoise; modality CT; noise ")))
      << "positions, patient and what was done";
  const Outcome second = restore({path("study"), "-o", path("out"), "--json"});
  EXPECT_EQ(second.code, 0);
  EXPECT_THAT(second.out, HasSubstr("\"skipped\""));
  const Outcome other = restore({path("study"), "-o", path("out"), "--noise", "10"});
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_NE(tree_of(folder_ / "out"), files);
}

TEST_F(MedicalCli, TheExampleIsRestored) {
  const std::string example = RESEDA_SOURCE_DIR "/examples/medical/ct";
  const Outcome done = run({"reseda-medical", "restore", example, "-o", path("restored"), "--model",
                            RESEDA_SOURCE_DIR "/models/medical-denoise-ct.safetensors", "--slices", "3", "--set",
                            "turns=1", "--threads", "1", "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("series-2: noise 17."));
  const auto before = tree_of(example), after = tree_of(folder_ / "restored");
  ASSERT_EQ(before.size(), 5U);
  ASSERT_EQ(after.size(), 5U);
  EXPECT_THAT(after.at("series-2/IM00003.dcm"), AllOf(HasSubstr("-101\\41\\-543.800049"), HasSubstr("LIDC-IDRI-0314")));
}

TEST_F(MedicalCli, AFileBecomesAFileAndSaysHowItWasMade) {
  write_nrrd(folder_, "v.nrrd", 4, -1000);
  const Outcome done = restore({path("v.nrrd"), "-o", path("restored.nrrd"), "--seed", "5"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("taken for CT by its values"));
  EXPECT_THAT(folder_.read("restored.nrrd"),
              AllOf(HasSubstr("type: int16"), HasSubstr("sizes: 32 32 4"), HasSubstr("(5,6,7)"), HasSubstr("seed 5")));
  ASSERT_EQ(restore({path("v.nrrd"), "-o", path("results"), "--seed", "5"}).code, 0)
      << "a folder that is not there yet";
  EXPECT_TRUE(fs::exists(folder_ / "results/v.nrrd"));
  const Outcome again = restore({path("v.nrrd"), "-o", path("restored.nrrd")});
  EXPECT_EQ(again.code, 5);
  EXPECT_THAT(again.err, HasSubstr("--overwrite"));
  const Outcome masked = restore({path("v.nrrd"), "-o", path("masked.nrrd"), "--mask", path("v.nrrd"), "--noise", "9"});
  ASSERT_EQ(masked.code, 0) << masked.err;
  EXPECT_THAT(folder_.read("masked.nrrd"),
              AllOf(HasSubstr("; mask "), HasSubstr(" of 4096 voxels, the others as in the input, SHA-256 ")));
}

TEST_F(MedicalCli, AKilledRunLeavesNothingAndResumesToTheSameBytes) {
  write_study("study/a", 3, "1.2.3.4");
  write_study("study/b", 40, "1.2.3.5");
  ASSERT_EQ(restore({path("study"), "-o", path("whole")}).code, 0);
  {
    Process killed(command({path("study"), "-o", path("out")}));
    ASSERT_TRUE(eventually([&] { return fs::exists(folder_ / "out/series-7"); }));
    killed.send(SIGKILL);
    killed.wait();
  }
  const Outcome resumed = restore({path("study"), "-o", path("out"), "--json"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, HasSubstr("\"skipped\""));
  EXPECT_EQ(tree_of(folder_ / "out"), tree_of(folder_ / "whole"));
}

TEST_F(MedicalCli, FurtherFilesAreThereAndKnownToTheNextRun) {
  write_study("study", 4);
  const Words words = {path("study"),
                       "-o",
                       path("out"),
                       "--slices",
                       "1:2",
                       "--difference",
                       path("out/d.nii.gz"),
                       "--uncertainty",
                       path("out/u.nrrd"),
                       "--samples",
                       "2",
                       "--report",
                       path("out/page.html")};
  const Outcome done = restore(words);
  ASSERT_EQ(done.code, 0) << done.err;
  for (const char* name : {"out/d.nii.gz", "out/u.nrrd", "out/page.html"}) EXPECT_TRUE(fs::exists(folder_ / name));
  EXPECT_THAT(folder_.read("out/series-7/IM00003.dcm"), HasSubstr("; slices 1 to 2 of 4, the others as in the input;"));
  EXPECT_THAT(folder_.read("out/page.html"), AllOf(HasSubstr("1 to 2 of 4, the others"), HasSubstr("not for diagnosis"),
                                                   HasSubstr(">Slice 2<"), Not(HasSubstr("Doe"))));
  Words again = words;
  again.emplace_back("--force");
  EXPECT_EQ(restore(again).code, 0) << "its own files may be replaced";
  folder_.write("other/d.nrrd", "mine");
  const Outcome refused = restore({path("study"), "-o", path("other"), "--difference", path("other/d.nrrd")});
  EXPECT_EQ(refused.code, 5);
  EXPECT_THAT(refused.err, HasSubstr("--overwrite"));
  EXPECT_EQ(folder_.read("other/d.nrrd"), "mine");
}

TEST_F(MedicalCli, DifferenceAndUncertaintyAsDerivedSeries) {
  write_study("study", 3);
  const Words words = {path("study"),
                       "-o",
                       path("out"),
                       "--difference",
                       path("more/difference"),
                       "--uncertainty",
                       path("more/spread/"),
                       "--samples",
                       "2",
                       "--noise",
                       "20"};
  const Outcome done = restore(words);
  ASSERT_EQ(done.code, 0) << done.err;
  const auto listed = [&](const std::string& name) { return io::find_series(folder_ / name).series.at(0); };
  const io::DicomSeries source = listed("study"), result = listed("out"), difference = listed("more/difference"),
                        spread = listed("more/spread");
  const at::Tensor before = io::read_series(source).voxels, after = io::read_series(result).voxels,
                   change = io::read_series(difference).voxels, deviation = io::read_series(spread).voxels;
  EXPECT_LE((after - before - change).abs().max().item<double>(), 0.5 + 0.01) << "the result is rounded to whole HU";
  EXPECT_LT(change.min().item<double>(), -2.0);
  EXPECT_GT(change.max().item<double>(), 2.0);
  EXPECT_GE(deviation.min().item<double>(), 0.0);
  EXPECT_GT(deviation.mean().item<double>(), 0.01);
  for (const io::DicomSeries& series : {difference, spread}) {
    EXPECT_EQ(series.study_uid, source.study_uid);
    EXPECT_NE(series.series_uid, source.series_uid);
    EXPECT_NE(series.series_uid, result.series_uid);
    EXPECT_EQ(series.geometry.origin_mm, source.geometry.origin_mm);
    EXPECT_EQ(series.geometry.spacing_mm, source.geometry.spacing_mm);
    EXPECT_EQ(series.modality, "CT");
    EXPECT_EQ(series.units, "HU");
  }
  EXPECT_EQ(difference.number, 2007);
  EXPECT_EQ(spread.number, 3007);
  EXPECT_EQ(difference.description, "Thorax denoised: restored - input");
  EXPECT_THAT(folder_.read("more/difference/IM00002.dcm"),
              AllOf(HasSubstr("DERIVED\\SECONDARY\\AXIAL\\SUBTRACTION"), HasSubstr("113062"), HasSubstr("Doe^Jane")));
  const auto files = tree_of(folder_ / "more");
  Words again = words;
  again.emplace_back("--force");
  EXPECT_EQ(restore(again).code, 0) << "its own folders may be replaced";
  EXPECT_EQ(tree_of(folder_ / "more"), files);
}

TEST_F(MedicalCli, CompanionsOfAFileAreFilesByTheirExtensions) {
  write_nrrd(folder_, "v.nrrd", 3, -1000);
  for (const char* name : {"folder", "d.nii.gx", "d/"}) {
    const Outcome refused = restore({path("v.nrrd"), "-o", path("out.nrrd"), "--difference", path(name)});
    EXPECT_EQ(refused.code, 2);
    EXPECT_THAT(refused.err, AllOf(HasSubstr("--difference"), HasSubstr("must end in .nii, .nii.gz, .nrrd or .mha")));
    EXPECT_FALSE(fs::exists(folder_ / "out.nrrd"));
  }
  const Outcome done =
      restore({path("v.nrrd"), "-o", path("OUT.NRRD"), "--difference", path("D.NII.GZ"), "--noise", "20"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_TRUE(fs::is_regular_file(folder_ / "OUT.NRRD"));
  EXPECT_EQ(folder_.read("D.NII.GZ").substr(0, 2), "\x1f\x8b") << "packed";
  EXPECT_EQ(io::read_volume(folder_ / "D.NII.GZ").voxels.size(0), 3);
}

TEST_F(MedicalCli, StrippedOfThePatient) {
  write_study("study", 3);
  folder_.write("key", "secret");
  const Outcome done = restore({path("study"), "-o", path("out"), "--strip-phi", "--phi-key", path("key"), "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("PatientName (0010,0010)"));
  for (const auto& [name, bytes] : tree_of(folder_ / "out", "none"))
    EXPECT_THAT(bytes, AllOf(Not(HasSubstr("Doe")), Not(HasSubstr("1.2.3.4")))) << name;
  EXPECT_EQ(restore({path("study"), "-o", path("x"), "--strip-phi", "--keep-private"}).code, 2);
  EXPECT_EQ(restore({path("study"), "-o", path("x"), "--phi-key", path("key")}).code, 2);
}

TEST_F(MedicalCli, FinerPixelsAndSlices) {
  write_nrrd(folder_, "v.nrrd", 6, -1000);
  const Outcome plane = restore({path("v.nrrd"), "-o", path("plane.nrrd"), "--task", "sr-inplane"}, "sr");
  ASSERT_EQ(plane.code, 0) << plane.err;
  EXPECT_THAT(folder_.read("plane.nrrd"), AllOf(HasSubstr("sizes: 64 64 6"), HasSubstr("4.75")));
  const Outcome through = restore({path("v.nrrd"), "-o", path("through.nrrd"), "--task", "sr-through"}, "sr");
  ASSERT_EQ(through.code, 0) << through.err;
  EXPECT_THAT(folder_.read("through.nrrd"), AllOf(HasSubstr("sizes: 32 32 12"), HasSubstr("6.5")));
  write_study("study", 4);
  const Outcome series = restore({path("study"), "-o", path("out"), "--task", "sr-through"}, "sr");
  ASSERT_EQ(series.code, 0) << series.err;
  EXPECT_EQ(tree_of(folder_ / "out").size(), 8U);
  EXPECT_THAT(folder_.read("out/series-7/IM00001.dcm"), HasSubstr("-16\\-16\\-0.625"));
  EXPECT_EQ(restore({path("v.nrrd"), "-o", path("x.nrrd"), "--task", "sr-inplane"}).code, 4) << "a model of denoising";
  EXPECT_EQ(
      restore({path("v.nrrd"), "-o", path("x.nrrd"), "--task", "sr-inplane", "--mask", path("v.nrrd")}, "sr").code, 2);
}

TEST_F(MedicalCli, ADryRunTellsWhatItWouldDoAndWritesNothing) {
  write_study("study", 4);
  const Outcome dry = restore({path("study"), "-o", path("out"), "--dry-run"});
  ASSERT_EQ(dry.code, 0) << dry.err;
  EXPECT_THAT(dry.out, AllOf(HasSubstr("series-7: CT, 4 x 32 x 32, noise "), HasSubstr("of memory, model ")));
  EXPECT_FALSE(fs::exists(folder_ / "out"));
  folder_.write("study/copy/0.dcm", slice(0, "1.2.3.5").bytes());
  folder_.write("study/copy/1.dcm", slice(0, "1.2.3.5").uid("1.2.3.5.9").bytes());
  write_study("study/last", 2, "1.2.3.6");
  const Outcome some = restore({path("study"), "-o", path("out"), "--dry-run"});
  EXPECT_EQ(some.code, 1) << some.err;
  EXPECT_THAT(some.err, HasSubstr("1 slice lies where another one is; remove the copies"));
  EXPECT_THAT(some.out, HasSubstr("series-7-3: CT, 2 x 32 x 32"));
  fs::remove_all(folder_ / "study/copy");
  fs::remove_all(folder_ / "study/last");
  const Outcome little = restore({path("study"), "-o", path("out"), "--max-memory", "10MiB"});
  EXPECT_EQ(little.code, 2);
  EXPECT_THAT(little.err, HasSubstr("more than --max-memory 10 MiB"));
  EXPECT_FALSE(fs::exists(folder_ / "out/series-7"));
}

TEST_F(MedicalCli, APriorRestoresByRedDiff) {
  folder_.write("prior.yaml",
                "model: {network: {name: adm_unet, image_size: 16, channel_mult: [1, 1], attention_resolutions: "
                "[]}}\ncrop: 16\nbatch: 1\nhold_out: 0\n");
  const Outcome trained = run({"reseda-medical", "train", "--ct", (*shared_ / "train").string(), "--config",
                               path("prior.yaml"), "-o", path("prior"), "--steps", "1", "--threads", "1"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  write_nrrd(folder_, "v.nrrd", 2, -1000);
  const auto red_diff = [&](const Words& more, const std::string& model) {
    Words words = {"reseda-medical", "restore", path("v.nrrd"),     "--threads", "1",  "--engine",
                   "red-diff",       "--set",   "red_diff.steps=3", "--model",   model};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  };
  const std::string prior = path("prior/model.safetensors");
  const Outcome dry = red_diff({"-o", path("dry.nrrd"), "--dry-run"}, prior);
  ASSERT_EQ(dry.code, 0) << dry.err;
  EXPECT_THAT(dry.out, HasSubstr("6 calls of the network"));
  ASSERT_EQ(red_diff({"-o", path("a.nrrd")}, prior).code, 0);
  ASSERT_EQ(red_diff({"-o", path("b.nrrd")}, prior).code, 0);
  EXPECT_THAT(folder_.read("a.nrrd"), AllOf(HasSubstr("sizes: 32 32 2"), HasSubstr("red-diff {")));
  EXPECT_EQ(folder_.read("a.nrrd"), folder_.read("b.nrrd"));
  const Outcome finer = red_diff({"-o", path("finer.nrrd"), "--task", "sr-through"}, prior);
  ASSERT_EQ(finer.code, 0) << finer.err;
  EXPECT_THAT(folder_.read("finer.nrrd"), HasSubstr("sizes: 32 32 4"));

  const Outcome other = red_diff({"-o", path("x.nrrd")}, (*shared_ / "denoise-ct" / "model.safetensors").string());
  EXPECT_EQ(other.code, 4);
  EXPECT_THAT(other.err, HasSubstr("needs an unconditional prior"));
  const Outcome wrong = run({"reseda-medical", "restore", path("v.nrrd"), "-o", path("x.nrrd"), "--model", prior});
  EXPECT_EQ(wrong.code, 4);
  EXPECT_THAT(wrong.err, HasSubstr("--engine red-diff"));
  EXPECT_EQ(red_diff({"-o", path("x.nrrd"), "--sampler", "bridge_ddim"}, prior).code, 2);
}

TEST_F(MedicalCli, RefusesInputsThatCannotBeRight) {
  write_study("study", 3);
  const Outcome inside = restore({path("study"), "-o", path("study/out")});
  EXPECT_EQ(inside.code, 5);
  EXPECT_THAT(inside.err, HasSubstr("lies in the input folder"));
  EXPECT_EQ(
      run({"reseda-medical", "restore", path("study"), "-o", path("out"), "--model", path("none.safetensors")}).code,
      4);
  EXPECT_EQ(run({"reseda-medical", "restore", path("study"), "-o", path("out"), "--model", path("study/0.dcm")}).code,
            4);
  EXPECT_EQ(restore({path("absent"), "-o", path("out")}).code, 3);

  const std::string whole = slice(3).bytes();
  folder_.write("study/3.dcm", whole.substr(0, whole.size() / 2));
  const Outcome damaged = restore({path("study"), "-o", path("out")});
  EXPECT_EQ(damaged.code, 3);
  EXPECT_THAT(damaged.err, AllOf(HasSubstr("3.dcm"), HasSubstr("--skip-damaged")));
  EXPECT_EQ(restore({path("study"), "-o", path("out"), "--skip-damaged"}).code, 0);
  EXPECT_EQ(tree_of(folder_ / "out").size(), 3U);
}

TEST_F(MedicalCli, RefusesVolumesThatAreNotNumbers) {
  std::string voxels(4 * 16 * 16 * sizeof(float), '\0');
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(voxels.data() + 400, &nan, sizeof nan);
  folder_.write("nan.nrrd",
                "NRRD0004\ntype: float\ndimension: 3\nsizes: 16 16 4\nendian: little\nencoding: raw\n\n" + voxels);
  const Outcome refused = restore({path("nan.nrrd"), "-o", path("out.nrrd")});
  EXPECT_EQ(refused.code, 3);
  EXPECT_THAT(refused.err, HasSubstr("NaN"));
  EXPECT_FALSE(fs::exists(folder_ / "out.nrrd"));
}

TEST_F(MedicalCli, SlicesOfTwoPatientsAreNeverOneVolume) {
  for (int k = 0; k < 6; ++k)
    folder_.write("study/" + std::to_string(k) + ".dcm",
                  slice(k, "1.2.3.4", k < 3 ? "Doe^Jane" : "Roe^Richard").bytes());
  const Outcome done = restore({path("study"), "-o", path("out")});
  ASSERT_EQ(done.code, 0) << done.err;
  const auto files = tree_of(folder_ / "out");
  EXPECT_EQ(files.size(), 6U);
  EXPECT_THAT(files.at("series-7/IM00003.dcm"), HasSubstr("Doe^Jane"));
  EXPECT_THAT(files.at("series-7-2/IM00001.dcm"), HasSubstr("Roe^Richard"));
}

}  // namespace
}  // namespace reseda::tests
