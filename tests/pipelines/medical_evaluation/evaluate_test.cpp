#include "pipelines/medical/evaluate.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "io/record/json.hpp"
#include "io/volume/volume.hpp"
#include "modules/core/error.hpp"
#include "modules/core/noise.hpp"
#include "modules/metrics/psnr.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::medical {
namespace {

at::Tensor noise(const std::string& item, at::IntArrayRef shape) {
  return CounterNoise(1).normal({.item = item, .stream = "noise"}, shape);
}

/// A CT of a cylinder: 40 HU with an insert of 200 in air, [4,48,40].
at::Tensor made_ct() {
  const at::Tensor y = (at::arange(48, at::kFloat) - 24).unsqueeze(1), x = at::arange(40, at::kFloat) - 20;
  const at::Tensor slice = at::where(x.square() + y.square() < 300, 40.0F, -1000.0F);
  return at::where((x - 6).square() + y.square() < 30, 200.0F, slice).expand({4, 48, 40}).contiguous();
}

double number(const ConfigNode* node) { return std::stod(node->scalar()); }

class MedicalEvaluate : public testing::Test {
 protected:
  std::string save(const std::string& name, const at::Tensor& voxels, double shift_mm = 0) {
    io::Volume volume{.voxels = voxels};
    volume.geometry.spacing_mm = {0.5, 0.5, 2};
    volume.geometry.origin_mm = {shift_mm, 0, 0};
    std::filesystem::create_directories((folder_ / name).parent_path());
    io::write_volume(folder_ / name, volume);
    return (folder_ / name).string();
  }
  /// Reference x, input x + 40 n, restored x + 10 n; the last slice of the restored is worse: x + 30 n.
  std::vector<std::string> three_volumes() {
    const at::Tensor x = made_ct(), n = noise("ct", x.sizes());
    at::Tensor restored = x + 10 * n;
    restored[3] = x[3] + 30 * n[3];
    return {"--reference", save("ref.nii.gz", x),     "--restored", save("out.nrrd", restored),
            "--input",     save("in.mha", x + 40 * n)};
  }
  int run(std::vector<std::string> words, const std::vector<std::string>& more = {}) {
    words.insert(words.end(), more.begin(), more.end());
    const app::Verb verb = evaluate_verb();
    testing::internal::CaptureStdout();
    int code = 0;
    try {
      code = verb.run(app::parse_flags(verb.flags, words));
    } catch (const Error& e) {
      code = e.exit_code();
      message_ = e.what();
    }
    printed_ = testing::internal::GetCapturedStdout();
    return code;
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  tests::TemporaryFolder folder_;
  std::string printed_, message_;
};

TEST_F(MedicalEvaluate, TableRecordAndPage) {
  ASSERT_EQ(run(three_volumes(), {"-o", path("report"), "--draws", "200"}), 0) << message_;
  const std::string tsv = folder_.read("report/scores.tsv");
  EXPECT_TRUE(tsv.starts_with("scan\tslice\trmse_hu\t")) << tsv.substr(0, 80);
  EXPECT_EQ(std::count(tsv.begin(), tsv.end(), '\n'), 5);
  EXPECT_NE(tsv.find("\tinput_rmse_hu\t"), std::string::npos);
  EXPECT_NE(tsv.find("\td_rmse_hu\t"), std::string::npos);

  const ConfigNode json = io::read_json(folder_ / "report/scores.json");
  const ConfigNode* psnr = json.find("summary")->find("ct")->find("psnr_4096");
  EXPECT_EQ(psnr->find("definition")->find("range")->scalar(), "4096 HU");
  const at::Tensor x = made_ct(), n = noise("ct", x.sizes());
  double mean = 0;
  for (int k = 0; k < 4; ++k) mean += metrics::psnr(x[k], x[k] + (k == 3 ? 30 : 10) * n[k], 4096) / 4;
  EXPECT_NEAR(number(psnr->find("restored")->find("mean")), mean, 1e-4);
  EXPECT_NEAR(number(json.find("summary")->find("ct")->find("rmse_hu")->find("input")->find("mean")), 40, 2);
  EXPECT_LT(number(json.find("summary")->find("ct")->find("rmse_hu")->find("change")->find("high")), 0);
  const ConfigNode& scan = json.find("scans")->items().at(0);
  EXPECT_EQ(number(scan.find("geometry_difference")->find("position_mm")), 0);
  EXPECT_NEAR(number(scan.find("noise_input")->find("estimate")->find("sigma")), 40, 4);
  EXPECT_EQ(json.find("slices")->items().size(), 4U);

  const std::string page = folder_.read("report/report.html");
  EXPECT_NE(page.find("Slice 3 (worst)"), std::string::npos);
  EXPECT_NE(page.find("data:image/png;base64"), std::string::npos);
  EXPECT_NE(page.find("-160 to 240 HU"), std::string::npos);
  EXPECT_EQ(page.find("http://"), std::string::npos) << "self-contained";
  EXPECT_NE(printed_.find("RMSE in the body, HU"), std::string::npos);
}

TEST_F(MedicalEvaluate, WithoutInputOrOutput) {
  std::vector<std::string> words = three_volumes();
  words.resize(4);
  ASSERT_EQ(run(words, {"--draws", "50"}), 0) << message_;
  EXPECT_EQ(printed_.find("input"), std::string::npos);
  ASSERT_EQ(run(words, {"--draws", "50", "--json"}), 0);
  EXPECT_EQ(io::parse_json(printed_, "stdout").find("slices")->items().size(), 4U);
  ASSERT_EQ(run(words, {"--draws", "50", "--kind", "other"}), 0) << message_;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "report"));
}

TEST_F(MedicalEvaluate, DryRunWritesNothing) {
  ASSERT_EQ(run(three_volumes(), {"-o", path("report"), "--dry-run"}), 0) << message_;
  EXPECT_EQ(printed_,
            "out.nrrd: " + path("out.nrrd") + " against " + path("ref.nii.gz") + ", input " + path("in.mha") + "\n");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "report"));
  EXPECT_EQ(run({"--reference", "r", "--reference", "r", "--reference", "r", "--restored", "a/out/", "--restored",
                 "b/out", "--restored", "b/./out", "--dry-run"}),
            0);
  EXPECT_EQ(printed_, "a/out: a/out/ against r\nb/out (2): b/out against r\nb/./out (3): b/./out against r\n");
}

TEST_F(MedicalEvaluate, FailedScansAreListedAndTheRestIsScored) {
  std::vector<std::string> words = three_volumes();
  const std::string small = save("small.nrrd", made_ct().slice(1, 0, 40));
  EXPECT_EQ(run(words, {"--reference", words[1], "--restored", small, "--input", words[5], "-o", path("report"),
                        "--draws", "10"}),
            1);
  const ConfigNode json = io::read_json(folder_ / "report/scores.json");
  ASSERT_EQ(json.find("failures")->items().size(), 1U);
  EXPECT_EQ(json.find("failures")->items()[0].find("reason")->scalar(),
            small + ": 4 x 40 x 40 voxels, the reference has 4 x 48 x 40");
  EXPECT_NE(folder_.read("report/report.html").find("Not compared: 1"), std::string::npos);
  EXPECT_EQ(run({"--reference", words[1], "--restored", small}), 3);
  EXPECT_EQ(run({"--reference", words[1], "--restored", path("none.nrrd")}), 3);
}

TEST_F(MedicalEvaluate, OtherGeometryAndAnInputOfAnotherSizeAreTold) {
  const at::Tensor x = made_ct();
  const std::string reference = save("ref.nrrd", x), restored = save("out.nrrd", x + 1, 3.0),
                    half = save("in.nrrd", x.slice(1, 0, 24));
  ASSERT_EQ(run({"--reference", reference, "--restored", restored, "--input", half, "-o", path("report"), "--draws",
                 "10", "--pictures", "0"}),
            0)
      << message_;
  const ConfigNode json = io::read_json(folder_ / "report/scores.json");
  const ConfigNode& scan = json.find("scans")->items().at(0);
  EXPECT_NEAR(number(scan.find("geometry_difference")->find("position_mm")), 3, 1e-6);
  EXPECT_EQ(scan.find("notes")->items().size(), 2U);
  EXPECT_NEAR(number(json.find("summary")->find("ct")->find("bias_hu")->find("restored")->find("mean")), 1, 1e-6);
  EXPECT_EQ(json.find("summary")->find("ct")->find("bias_hu")->find("input"), nullptr);
  EXPECT_EQ(folder_.read("report/report.html").find("data:image"), std::string::npos);
}

TEST_F(MedicalEvaluate, CtAndOtherScansHaveMeansOfTheirOwn) {
  const at::Tensor x = made_ct(), mr = (x + 1000).clamp_min(1);
  const std::string ct = save("ct.nrrd", x), ct_out = save("ct_out.nrrd", x + 2);
  const std::string other = save("mr.nrrd", mr), other_out = save("mr_out.nrrd", mr + 5);
  ASSERT_EQ(run({"--reference", ct, "--reference", other, "--reference", other, "--restored", ct_out, "--restored",
                 other_out, "--restored", other, "-o", path("report"), "--draws", "10", "--pictures", "0"}),
            0)
      << message_;
  const ConfigNode json = io::read_json(folder_ / "report/scores.json");
  const auto mean = [&](const char* kind, const char* key) {
    return number(json.find("summary")->find(kind)->find(key)->find("restored")->find("mean"));
  };
  EXPECT_NEAR(mean("ct", "bias_hu"), 2, 1e-5);
  EXPECT_NEAR(mean("other", "bias"), 2.5, 1e-5);
  const std::string tsv = folder_.read("report/scores.tsv");
  EXPECT_TRUE(tsv.starts_with("scan\tslice\trmse_hu\tbias_hu\t")) << tsv.substr(0, 80);
  EXPECT_NE(tsv.find("ct_out.nrrd\t0\t2\t2\t"), std::string::npos);
  EXPECT_NE(tsv.find("mr_out.nrrd\t0\t\t\t"), std::string::npos) << "no HU";
  const std::string page = folder_.read("report/report.html");
  EXPECT_NE(page.find("Means over 4 slices of CT"), std::string::npos);
  EXPECT_NE(page.find("Scans, means over their restored slices"), std::string::npos);
}

TEST_F(MedicalEvaluate, Refusals) {
  const std::vector<std::string> words = three_volumes();
  EXPECT_EQ(run(words, {"--reference", words[1]}), 2);
  EXPECT_NE(message_.find("matched in order"), std::string::npos) << message_;
  EXPECT_EQ(run(words, {"--window", "5"}), 2);
  EXPECT_EQ(run(words, {"--window", "9:3"}), 2);
  ASSERT_EQ(run(words, {"-o", path("report"), "--draws", "10", "--pictures", "1", "--window", "-50:150"}), 0);
  EXPECT_NE(folder_.read("report/report.html").find("-50 to 150 HU"), std::string::npos);
  EXPECT_EQ(run(words, {"-o", path("report")}), 5);
  EXPECT_NE(message_.find("scores.tsv: exists (--overwrite replaces it)"), std::string::npos) << message_;
  EXPECT_EQ(run(words, {"-o", path("report"), "--overwrite", "--draws", "10"}), 0);
}

}  // namespace
}  // namespace reseda::medical
