#include "pipelines/infrared/evaluate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "io/record/json.hpp"
#include "modules/core/error.hpp"
#include "pipelines/infrared/evaluation/evaluation_table.hpp"
#include "pipelines/infrared/evaluation/frame_pictures.hpp"
#include "tests/pipelines/infrared_evaluation/made_frames.hpp"

namespace reseda::infrared {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

double number(const ConfigNode* node) { return std::stod(node->scalar()); }

class InfraredEvaluate : public testing::Test {
 protected:
  /// Reference x, restored x + 1 and x + 4, input x at a quarter of the size, of 8 bits.
  std::vector<std::string> two_frames() {
    for (const auto& [name, error] : {std::pair{"a", 1}, {"b", 4}}) {
      const at::Tensor x = made_frame(80, 96).clamp(10, 240);
      save_frame(folder_, std::string("HR/") + name + ".png", x);
      save_frame(folder_, std::string("out/") + name + "x4.png", x + error);
      save_frame(folder_, std::string("LR/") + name + ".png", x.slice(0, 0, 80, 4).slice(1, 0, 96, 4));
    }
    return {"--reference", path("HR"), "--restored", path("out"), "--input", path("LR"), "--draws", "100"};
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

TEST_F(InfraredEvaluate, TableRecordAndPage) {
  ASSERT_EQ(run(two_frames(), {"-o", path("report")}), 0) << message_;
  const std::string csv = folder_.read("report/scores.csv");
  EXPECT_TRUE(csv.starts_with("frame,bits,range,psnr4,psnr0,ssim,spectral_error,grad_ratio,rmse,offset,input_psnr4,"))
      << csv;
  EXPECT_THAT(csv, AllOf(HasSubstr(",d_offset\n"), HasSubstr("\na,8,255,"), HasSubstr("\nb,8,255,")));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3);

  const ConfigNode json = io::read_json(folder_ / "report/scores.json");
  const ConfigNode* offset = json.find("summary")->find("offset");
  EXPECT_NEAR(number(offset->find("restored")->find("mean")), 2.5, 1e-12);
  EXPECT_EQ(offset->find("definition")->find("better")->scalar(), "near 0");
  const ConfigNode* rmse = json.find("summary")->find("rmse");
  EXPECT_NEAR(number(rmse->find("restored")->find("low")), 1, 1e-12);
  EXPECT_NEAR(number(rmse->find("restored")->find("high")), 4, 1e-12);
  EXPECT_LT(number(rmse->find("change")->find("high")), 0);
  EXPECT_EQ(json.find("frames")->items().size(), 2U);

  EXPECT_THAT(folder_.read("report/report.html"),
              AllOf(HasSubstr("b (worst)"), HasSubstr("a (best)"), HasSubstr("input, enlarged, 0 to 255"),
                    HasSubstr("restored - reference, -4 to 4"), HasSubstr("64x64 pixels at column"),
                    HasSubstr("<td>better</td>"), Not(HasSubstr("http://"))));
  EXPECT_THAT(printed_, AllOf(HasSubstr("2 frames"), HasSubstr("RMSE, counts"), HasSubstr("2.500 [1.000, 4.000]")));
  EXPECT_EQ(run(two_frames(), {"-o", path("report")}), 5) << "it is there already";
  EXPECT_EQ(run(two_frames(), {"-o", path("report"), "--overwrite"}), 0);
}

TEST_F(InfraredEvaluate, WithoutInputOrOutput) {
  std::vector<std::string> words = two_frames();
  words.erase(words.begin() + 4, words.begin() + 6);
  ASSERT_EQ(run(words), 0) << message_;
  EXPECT_THAT(printed_, Not(HasSubstr("input")));
  ASSERT_EQ(run(words, {"--json"}), 0);
  EXPECT_EQ(io::parse_json(printed_, "stdout").find("frames")->items().size(), 2U);
  ASSERT_EQ(run(words, {"-o", path("report"), "--pictures", "1"}), 0);
  EXPECT_THAT(folder_.read("report/report.html"),
              AllOf(HasSubstr("b (worst)"), Not(HasSubstr("a (")), Not(HasSubstr("verdict"))));
}

TEST_F(InfraredEvaluate, MapsOfUncertaintyAreComparedWithTheErrors) {
  const std::vector<std::string> words = two_frames();
  for (const char* name : {"a", "b"}) {  // the error of a grows along a row, that of b falls, and so do the maps
    const at::Tensor x = made_frame(80, 96).clamp(20, 230), error = at::arange(96, at::kFloat).div(8).floor();
    save_frame(folder_, std::string("HR/") + name + ".png", x);
    save_frame(folder_, std::string("out/") + name + "x4.png", x + (*name == 'a' ? error : 11 - error));
    save_frame(folder_, std::string("out/") + name + "x4.png.uncertainty.tif", error.expand({80, 96}), 16);
  }
  ASSERT_EQ(run(words, {"--uncertainty", path("out"), "-o", path("report")}), 0) << message_;
  const std::string csv = folder_.read("report/scores.csv");
  EXPECT_THAT(csv, HasSubstr(",offset,uncertainty_pearson,uncertainty_spearman,input_psnr4,"));
  EXPECT_THAT(csv, Not(HasSubstr("input_uncertainty")));
  const ConfigNode json = io::read_json(folder_ / "report/scores.json");
  const ConfigNode* pearson = json.find("summary")->find("uncertainty_pearson");
  EXPECT_NEAR(number(pearson->find("restored")->find("mean")), 0, 1e-9);
  EXPECT_NEAR(number(pearson->find("restored")->find("high")), 1, 1e-9);
  EXPECT_EQ(pearson->find("change"), nullptr);
  EXPECT_THAT(printed_, AllOf(HasSubstr("Uncertainty and error"), Not(HasSubstr("n/a"))));
  EXPECT_THAT(folder_.read("report/report.html"),
              AllOf(HasSubstr("The same by ranks"), HasSubstr("0.000 [-1.000, 1.000]")));
}

TEST_F(InfraredEvaluate, OneFrameHasNoIntervalAndNoVerdict) {
  const std::vector<std::string> words = two_frames();
  for (const char* name : {"HR/b.png", "LR/b.png", "out/bx4.png"}) std::filesystem::remove(folder_ / name);
  ASSERT_EQ(run(words, {"-o", path("report")}), 0) << message_;
  EXPECT_THAT(printed_, AllOf(HasSubstr("1 frame "), Not(HasSubstr("["))));
  EXPECT_THAT(folder_.read("report/report.html"),
              AllOf(HasSubstr("One frame has no interval."), Not(HasSubstr("<td>better</td>"))));
}

TEST_F(InfraredEvaluate, DryRunWritesNothing) {
  ASSERT_EQ(run(two_frames(), {"-o", path("report"), "--dry-run"}), 0) << message_;
  EXPECT_THAT(printed_, HasSubstr("a: " + path("out/ax4.png") + " against " + path("HR/a.png") + ", input " +
                                  path("LR/a.png") + "\n"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "report"));
}

TEST_F(InfraredEvaluate, FailedFramesAreListedAndTheRestIsScored) {
  const std::vector<std::string> words = two_frames();
  save_frame(folder_, "HR/c.png", made_frame(40, 40));
  save_frame(folder_, "HR/d.png", made_frame(40, 40));
  save_frame(folder_, "out/d.png", made_frame(40, 44));
  save_frame(folder_, "LR/c.png", made_frame(10, 10));
  save_frame(folder_, "LR/d.png", made_frame(10, 10));
  EXPECT_EQ(run(words, {"-o", path("report")}), 1);
  const ConfigNode json = io::read_json(folder_ / "report/scores.json");
  ASSERT_EQ(json.find("failures")->items().size(), 2U);
  EXPECT_THAT(json.find("failures")->items()[0].find("reason")->scalar(), HasSubstr("0 restored frames for it"));
  EXPECT_THAT(json.find("failures")->items()[1].find("reason")->scalar(),
              HasSubstr("44x40 pixels of 8 bits unsigned, the reference has 40x40"));
  EXPECT_THAT(folder_.read("report/report.html"), HasSubstr("Not compared: 2"));
  EXPECT_EQ(number(json.find("summary")->find("psnr4")->find("restored")->find("count")), 2);
  EXPECT_EQ(run({"--reference", path("HR"), "--restored", path("LR"), "--draws", "9"}), 3) << "none is of one size";
}

TEST_F(InfraredEvaluate, ShownFramesAreTheWorstAndTheBest) {
  Evaluation evaluation;
  for (const double psnr : {30., 10., 50., 20., 40.}) {
    FrameResult frame;
    frame.scores.restored = std::vector<double>(scores().size(), psnr);
    evaluation.frames.push_back(frame);
  }
  using Places = std::vector<std::size_t>;
  EXPECT_EQ(shown_frames(evaluation, 0), Places{});
  EXPECT_EQ(shown_frames(evaluation, 1), Places{1});
  EXPECT_EQ(shown_frames(evaluation, 3), (Places{1, 3, 2}));
  EXPECT_EQ(shown_frames(evaluation, 9), (Places{1, 3, 0, 4, 2}));
}

TEST_F(InfraredEvaluate, TheZoomIsWhereTheErrorIs) {
  const at::Tensor x = made_frame(200, 300);
  at::Tensor y = x.clone();
  y.slice(0, 100, 104).slice(1, 200, 204).add_(90).clamp_(0, 255);
  FrameResult frame;
  frame.pair.reference = save_frame(folder_, "x.png", x);
  frame.pair.restored = save_frame(folder_, "y.png", y);
  frame.scores = score_frame(read_triple(frame.pair));
  const FrameRow row = draw_frame(frame, "worst");
  ASSERT_EQ(row.zoom.size(), 3U);
  EXPECT_EQ(row.zoom[0].caption, "restored, 64x64 pixels at column 144, row 48");
  const io::Image zoom = io::decode_image(row.zoom[1].png, "zoom"), whole = io::decode_image(row.whole[1].png, "whole");
  EXPECT_EQ(zoom.pixels.sizes(), at::IntArrayRef({1, 256, 256}));
  EXPECT_EQ(zoom.pixels[0][5][4].item<double>(), x[49][145].item<double>());
  EXPECT_EQ(whole.pixels.sizes(), at::IntArrayRef({1, 200, 300}));
  EXPECT_EQ(whole.pixels[0][48][150].item<double>(), 255) << "the frame of the zoom";
  EXPECT_EQ(whole.pixels[0][47][150].item<double>(), 0);
  EXPECT_EQ(whole.pixels[0][60][150].item<double>(), x[60][150].item<double>());
}

}  // namespace
}  // namespace reseda::infrared
