// What `reseda certify analyze` computes and writes, by hand.
#include <gtest/gtest.h>

#include "pipelines/certify/analysis/analysis_page.hpp"
#include "pipelines/certify/analysis/analysis_table.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::certify {
namespace {

using testing::HasSubstr;
using tests::expect_error;

const std::string kHeader = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n";
/// Right at .5 and .25, wrong at .9, abstained.
const std::string kLog = kHeader +
                         "0\t3\t3\t0.5\t1\t0:00:02\n20\t1\t1\t0.25\t1\t0:00:04\n40\t2\t5\t0.9\t0\t0:00:02\n"
                         "60\t2\t-1\t0.0\t0\t0:00:04\n";
/// Image 0 lost, 60 gained at 0.3; image 80 is in no other run.
const std::string kOther = kHeader + "0\t3\t3\t0.1\t1\t0:00:02\n60\t2\t2\t0.3\t1\t0:00:02\n80\t7\t7\t0.9\t1\t0:00:02\n";

Analysis analysis_of_both() {
  AnalysisConfig config;
  config.radii = {0, 0.25, 0.5};
  config.step = 0.25;
  return analyse({parse_log("one", kLog), parse_log("two", kOther)}, config);
}

/// One image of a run with Clopper and Pearson's bound at n = 100, every vote for its class.
std::string record(std::int64_t index, double sigma) {
  RunSettings settings;
  settings.sigma = sigma;
  settings.n = 100;
  settings.images = 10;
  ImageRecord image;
  image.index = index;
  image.label = 4;
  image.name = std::to_string(index);
  image.selection = {{4, 100}};
  image.estimation = {{4, 100}};
  image.certificate = {.label = 4, .radius = 1.5 * sigma, .hits = 100, .trials = 100, .probability = {0.93, 0.07}};
  return record_line(image, settings) + "\n";
}

TEST(Analysis, CountsByHand) {
  const Analysis analysis = analysis_of_both();
  const RunAnalysis& one = analysis.results[0];
  EXPECT_EQ(one.images, 4);
  EXPECT_EQ(one.abstained, 1);
  EXPECT_EQ(one.wrong, 1);
  EXPECT_DOUBLE_EQ(one.average_radius, 0.1875);
  EXPECT_DOUBLE_EQ(one.largest_radius, 0.5);  // not that of the wrong image
  EXPECT_DOUBLE_EQ(one.seconds, 3);
  EXPECT_FALSE(one.radius_interval.has_value());
  const std::vector<double> accuracies = {0.5, 0.5, 0.25};
  for (std::size_t i = 0; i < 3; ++i) EXPECT_DOUBLE_EQ(one.at_radii[i].accuracy, accuracies[i]) << i;
  // sqrt(ln(2 / 0.05) / 8) = 0.679
  EXPECT_NEAR(one.at_radii[0].band.high - one.at_radii[0].band.low, 1.0, 1e-12);
  EXPECT_EQ(one.at_radii[2].with_high_prob, 0);  // below it by the formula
  // The curve reaches the largest radius of all runs, 0.9.
  EXPECT_EQ(one.curve.size(), 5U);
  EXPECT_EQ(one.curve.back().accuracy, 0);
  EXPECT_NEAR(analysis.results[1].curve[3].accuracy, 1.0 / 3, 1e-15);
  EXPECT_EQ(analysis.best, (std::vector<std::size_t>{1, 1, 1}));
  EXPECT_TRUE(is_best(analysis, 1, 0));
  EXPECT_FALSE(is_best(analysis, 0, 0));
  AnalysisConfig far;
  far.radii = {2};
  EXPECT_FALSE(is_best(analyse({parse_log("one", kLog), parse_log("two", kOther)}, far), 0, 0));  // nothing certified
}

TEST(Analysis, ComparesTheImagesThatBothRunsHave) {
  const Analysis analysis = analysis_of_both();
  ASSERT_EQ(analysis.comparisons.size(), 1U);
  const RunComparison& two = analysis.comparisons[0];
  EXPECT_EQ(two.shared, 2);
  EXPECT_EQ(two.at_radii[0].gained, 1);  // image 60
  EXPECT_EQ(two.at_radii[0].lost, 0);
  EXPECT_EQ(two.at_radii[1].gained, 1);
  EXPECT_EQ(two.at_radii[1].lost, 1);  // image 0
  EXPECT_EQ(two.at_radii[2].gained, 0);
  EXPECT_EQ(two.at_radii[2].lost, 1);
  EXPECT_DOUBLE_EQ(two.at_radii[0].p_value, 1);
  // Another label of image 0: the runs are of different data.
  const Analysis other = analyse({parse_log("one", kLog), parse_log("x", kHeader + "0\t4\t4\t0.1\t1\t2\n")}, {});
  EXPECT_EQ(other.comparisons[0].shared, 0);
  EXPECT_THAT(analysis_html(other, {}), testing::Not(HasSubstr("Compared with")));
}

TEST(Analysis, TakesRadiiOfRecordsAsCertified) {
  const CertifiedRun run = parse_records("run.jsonl", record(0, 0.25) + record(3, 0.25));
  ASSERT_TRUE(run.settings.has_value());
  const RunAnalysis result = analyse({run}, {}).results[0];
  EXPECT_EQ(result.average_radius, 0.375);
  ASSERT_TRUE(result.radius_interval.has_value());
  // Phi^-1(0.001^(1/100)) = 1.500475: no certificate of 100 votes reaches farther.
  EXPECT_NEAR(result.radius_interval->high, 0.25 * 1.500475024121, 1e-9);
  expect_error(Errc::kInput, "run.jsonl: line 2 is of another run: sigma is 0.5, expected 0.25",
               [] { parse_records("run.jsonl", record(0, 0.25) + record(3, 0.5)); });
  expect_error(Errc::kInput, "run.jsonl: line 2: image 0 is on line 1 too",
               [] { parse_records("run.jsonl", record(0, 0.25) + record(0, 0.25)); });
  const std::string cut = record(0, 0.25) + record(3, 0.25).substr(0, 40);
  expect_error(Errc::kInput, "run.jsonl: line 2 has no end", [&] { parse_records("run.jsonl", cut); });
}

TEST(Analysis, WritesALogAsItWasRead) {
  EXPECT_EQ(to_log(parse_log("one", kLog)), kLog);
  // The running total of denoised smoothing in the place of `correct`.
  const CertifiedRun total = parse_log("dds", kHeader + "0\t3\t3\t0.5\t1\t2.0\n1\t1\t4\t0.5\t1\t2.0\n");
  EXPECT_TRUE(total.other_correct);
  EXPECT_EQ(to_log(total), kHeader + "0\t3\t3\t0.5\t1\t2.0\n1\t1\t4\t0.5\t0\t2.0\n");
  EXPECT_EQ(analyse({total}, {}).results[0].at_radii[0].accuracy, 0.5);
  expect_error(Errc::kInput, "one.tsv: line 5 has 4 columns, expected 6",
               [] { parse_log("one.tsv", kLog.substr(0, kLog.rfind("\t0\t")) + "\n"); });
  expect_error(Errc::kInput, "one.tsv: line 5 has no end",
               [] { parse_log("one.tsv", kLog.substr(0, kLog.size() - 3)); });
  expect_error(Errc::kInput, "one.tsv: holds no image", [] { parse_log("one.tsv", kHeader); });
}

TEST(Analysis, ReadsALogOfPredictions) {
  const CertifiedRun run = parse_log("p", "idx\tlabel\tpredict\tcorrect\ttime\n0\t1\t1\t1\t2.0\n1\t1\t-1\t0\t2.0\n");
  const Analysis analysis = analyse({run}, {});
  EXPECT_EQ(analysis.results[0].at_radii[0].accuracy, 0.5);
  EXPECT_EQ(analysis.results[0].at_radii[1].accuracy, 0);
  EXPECT_EQ(analysis.results[0].curve.size(), 1U);
  EXPECT_THAT(curves_plot(analysis), HasSubstr("<svg"));
}

TEST(Analysis, PrintsTables) {
  const Analysis analysis = analysis_of_both();
  EXPECT_EQ(accuracy_text(analysis),
            "run    images    r=0.00    r=0.25    r=0.50       ACR\n"
            "one         4    0.500     0.500     0.250      0.188\n"
            "two         3    1.000*    0.667*    0.333*     0.433\n");
  EXPECT_THAT(curves_csv(analysis), HasSubstr("run,radius,certified_accuracy,band_low,band_high,with_high_probability\n"
                                              "one,0.0000,0.500000,0.000000,1.000000,0.000000\n"));
  EXPECT_THAT(analysis_json(analysis), HasSubstr("\"average_certified_radius\": 0.1875"));
  EXPECT_EQ(radius_text(0), "0.00");
  EXPECT_EQ(radius_text(0.25), "0.25");
  EXPECT_EQ(radius_text(0.125), "0.125");
}

TEST(Analysis, SaysOnThePageWhatACertificateIs) {
  Analysis analysis = analysis_of_both();
  const std::string page = analysis_html(analysis, {{"made by", "<test>"}});
  EXPECT_THAT(page, HasSubstr("a statement about the smoothed classifier g"));
  EXPECT_THAT(page, HasSubstr("100.0 * ["));
  EXPECT_THAT(page, HasSubstr("&lt;test&gt;"));
  EXPECT_THAT(page, HasSubstr("Compared with one"));
  EXPECT_THAT(page, HasSubstr("rounded to nearest"));
  const std::string records =
      analysis_html(analyse({parse_records("run.jsonl", record(0, 0.25) + record(3, 0.25))}, {}), {});
  EXPECT_THAT(records, HasSubstr("clopper-pearson"));
  EXPECT_THAT(records, testing::Not(HasSubstr("Compared")));
}

TEST(Analysis, NamesBadOptions) {
  const auto refuses = [](const std::string& message, auto change) {
    AnalysisConfig config;
    change(config);
    expect_error(Errc::kUsage, message, [&] { config.validate(); });
  };
  refuses("--radii", [](AnalysisConfig& c) { c.radii = {0.5, 0.25}; });
  refuses("--radii", [](AnalysisConfig& c) { c.radii = {-1}; });
  refuses("--step", [](AnalysisConfig& c) { c.step = 0; });
  refuses("--alpha", [](AnalysisConfig& c) { c.alpha = 1; });
  refuses("--rho", [](AnalysisConfig& c) { c.rho = 0; });
}

}  // namespace
}  // namespace reseda::certify
