#include "pipelines/medical/evaluation/slice_scores.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "pipelines/medical/evaluation/compared_scan.hpp"
#include "pipelines/medical/evaluation/evaluation_table.hpp"
#include "pipelines/medical/evaluation/scan_scores.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::medical {
namespace {

/// An ellipse of 40 + ((7 i^2 + 13 j + 3 i j) mod 64) - 32 HU in air with a dark hole and two pieces outside, 24 x 26,
/// and the same plus ((5 i + 3 j^2) mod 17) - 6: the slices of the recorded values.
struct MadeSlices {
  at::Tensor reference, restored;
};

MadeSlices made_slices() {
  const at::Tensor i = at::arange(24, at::kLong).unsqueeze(1), j = at::arange(26, at::kLong);
  const at::Tensor inside = (i - 11.5).square() / 90 + (j - 12.5).square() / 110 < 1;
  const at::Tensor tissue = (40 + (7 * i * i + 13 * j + 3 * i * j).remainder(64) - 32).to(at::kFloat);
  at::Tensor reference = at::where(inside, tissue, -1000.0F);
  reference.slice(0, 10, 13).slice(1, 8, 12).fill_(-900);
  reference[1][1] = 100;
  reference[22][2] = -400;
  reference[22][3] = -100;
  return {reference, reference + (5 * i + 3 * j * j).remainder(17) - 6};
}

std::map<std::string, double> by_key(ScanKind kind, const std::vector<double>& values) {
  std::map<std::string, double> out;
  const std::vector<ScoreName>& names = scores_of(kind);
  EXPECT_EQ(names.size(), values.size());
  for (std::size_t i = 0; i < names.size(); ++i) out[names[i].key] = values[i];
  return out;
}

// Recorded with an independent script on NumPy, SciPy and scikit-image: structural_similarity(gaussian_weights=True,
// sigma=1.5, use_sample_covariance=False), binary_fill_holes, label.
TEST(SliceScores, RecordedValuesOfCt) {
  const auto [reference, restored] = made_slices();
  const SliceContext context{.kind = ScanKind::kCt};
  auto scores = by_key(ScanKind::kCt, score_slice(reference, restored, reference - restored, context));
  EXPECT_NEAR(scores["rmse_hu"], 5.334280218974763, 1e-9);
  EXPECT_NEAR(scores["bias_hu"], 2.103896103896104, 1e-9);
  EXPECT_NEAR(scores["psnr_4096"], 57.788314048649866, 1e-9);
  EXPECT_NEAR(scores["psnr_soft"], 40.73219485413205, 1e-9);
  EXPECT_NEAR(scores["ssim_soft"], 0.9835857518515878, 1e-9);
  EXPECT_EQ(object_mask(reference, context).sum().item<int>(), 308);
  EXPECT_GT(scores["noise_std"], 0);
}

TEST(SliceScores, RecordedValuesOfOtherScans) {
  const auto [ct, restored_ct] = made_slices();
  const at::Tensor reference = (ct + 1000).clamp_min(0), restored = (restored_ct + 1000).clamp_min(0);
  const SliceContext context{.kind = ScanKind::kOther, .peak = 1100, .object = 100};
  auto scores = by_key(ScanKind::kOther, score_slice(reference, restored, {}, context));
  EXPECT_NEAR(scores["psnr"], 46.81462168059178, 1e-9);
  EXPECT_NEAR(scores["ssim"], 0.9986283092375112, 1e-9);
  EXPECT_NEAR(scores["rmse"], 5.0195132055322675, 1e-9);
  EXPECT_NEAR(scores["bias"], 2.625, 1e-9);
  EXPECT_TRUE(std::isnan(scores["residual_correlation"])) << "nothing is known to have been taken away";
}

TEST(SliceScores, EqualSlices) {
  const at::Tensor reference = made_slices().reference;
  auto scores = by_key(ScanKind::kCt, score_slice(reference, reference, {}, {.kind = ScanKind::kCt}));
  EXPECT_EQ(scores["rmse_hu"], 0);
  EXPECT_NEAR(scores["ssim_soft"], 1, 1e-12);
  EXPECT_NEAR(scores["edge_sharpness"], 1, 1e-12);
  EXPECT_EQ(scores["noise_std"], 0);
}

TEST(SliceScores, EveryScoreIsDefinedInWords) {
  for (const ScanKind kind : {ScanKind::kCt, ScanKind::kOther})
    for (const ScoreName& name : scores_of(kind)) EXPECT_FALSE(name.metric.empty()) << name.key;
}

TEST(ContextOf, PeakObjectSpacingAndKind) {
  ScanTriple triple;
  ComparedScan& scan = triple.reference;
  scan.voxels = at::arange(101, at::kFloat).view({1, 1, 101});  // percentile 99 is 99
  EXPECT_EQ(kind_of(scan, "auto"), ScanKind::kOther);
  EXPECT_EQ(kind_of(scan, "ct"), ScanKind::kCt);
  SliceContext context = context_of(triple, ScanKind::kOther);
  EXPECT_EQ(context.peak, 100);
  EXPECT_NEAR(context.object, 9.9, 1e-5);
  EXPECT_FALSE(context.spacing_known);
  triple.restored.geometry = ScanGeometry{.positions = {}, .row = {}, .column = {}, .pixel = {0.5, 0.25}};
  context = context_of(triple, ScanKind::kOther);
  EXPECT_TRUE(context.spacing_known);
  EXPECT_EQ(context.spacing[1], 0.25);
  scan.voxels = scan.voxels - 1000;
  EXPECT_EQ(kind_of(scan, "auto"), ScanKind::kCt);
  scan.modality = "PT";
  EXPECT_EQ(kind_of(scan, "auto"), ScanKind::kOther);
  tests::expect_error(Errc::kInput, "maximum is -900", [&] { context_of(triple, ScanKind::kOther); });
}

TEST(GeometryDifferenceTest, LargestOfEach) {
  ScanGeometry a{.positions = {{0, 0, 0}, {0, 0, 2}}, .row = {1, 0, 0}, .column = {0, 1, 0}, .pixel = {1, 1}}, b = a;
  b.positions[1] = {0.25, 0, 1.5};
  b.column = {0, 0.875, 0.5};
  b.pixel = {1, 1.125};
  const GeometryDifference d = geometry_difference(a, b);
  EXPECT_EQ(d.position_mm, 0.5);
  EXPECT_EQ(d.orientation, 0.5);
  EXPECT_EQ(d.spacing_mm, 0.125);
}

TEST(EvaluationTable, VerdictsOfCorrelationsTellTheSideAndOthersGoByTheIntervalOfTheChange) {
  const auto of = [](const char* key, double mean, double low, double high) {
    ScoreSummary summary;
    summary.name = &scores_of(ScanKind::kCt)[score_place(ScanKind::kCt, key)];
    summary.restored = {mean, mean, mean, 8, 0};
    summary.change = {0.5 * (low + high), low, high, 8, 0};
    return verdict(summary);
  };
  EXPECT_EQ(of("residual_correlation", 0.099, 0, 0), "within 0.1");
  EXPECT_EQ(of("residual_correlation", 0.1, 0, 0), "above 0.1");
  EXPECT_EQ(of("residual_edges", -0.18, 0, 0), "below -0.1");
  EXPECT_EQ(of("rmse_hu", 20, -2, -1), "better");
  EXPECT_EQ(of("rmse_hu", 20, 1, 2), "worse");
  EXPECT_EQ(of("rmse_hu", 20, -1, 1), "not clear");
}

}  // namespace
}  // namespace reseda::medical
