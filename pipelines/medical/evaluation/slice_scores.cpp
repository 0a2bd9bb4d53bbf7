#include "pipelines/medical/evaluation/slice_scores.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "modules/core/error.hpp"
#include "modules/metrics/body_mask.hpp"
#include "modules/metrics/noise_power_spectrum.hpp"
#include "modules/metrics/psnr.hpp"
#include "modules/metrics/ssim.hpp"
#include "modules/metrics/structure.hpp"

namespace reseda::medical {
namespace {

constexpr double kAir = -500.0, kSoftLow = -160.0, kSoftHigh = 240.0, kCtRange = 4096.0;
constexpr const char* kSsim =
    "mean structural similarity, 11 x 11 Gaussian weights of sigma 1.5, population covariance";
constexpr const char* kPsnr = "10 log10(range^2 / mean square error)";
constexpr const char* kSoft = "both clipped to -160 .. 240 HU";
constexpr const char* kBody = "the body (reference above -500 HU, holes filled, largest piece)";
constexpr const char* kObject = "the object (reference above 10 % of its volume's 99th percentile)";

/// What is measured in slices of either kind.
std::vector<ScoreName> structure_scores(const std::string& unit, const std::string& mask) {
  const std::string flat = mask + "; 32 x 32 patches, the quarter in which the reference is flattest";
  return {{"edge_sharpness", "Edge sharpness", "", 3, Better::kNearOne,
           "slope of the image's gradient on the reference's at its strongest edges; 1 as sharp, below 1 blurred", "",
           "", mask + ", 2 % largest gradients"},
          {"residual_correlation", "Residual and edges", "", 3, Better::kNearZero,
           "correlation of input - restored with the reference's gradient magnitude (in the column of the input: of "
           "input - reference, the noise)",
           "", "", mask},
          {"residual_edges", "|Residual| and edges", "", 3, Better::kNearZero,
           "the same of the residual's absolute value: more taken away at edges than elsewhere", "", "", mask},
          {"noise_std", "Noise left in flat parts", unit, 2, Better::kLower,
           "standard deviation of image - reference about a plane in each patch", "", "", flat},
          {"noise_frequency", "Mean frequency of that noise", "1/mm", 3, Better::kNeither,
           "mean of the noise power spectrum over the plane of frequencies (per pixel where spacing is unknown)", "",
           "", flat}};
}

std::vector<ScoreName> ct_scores() {
  std::vector<ScoreName> out = {
      {"rmse_hu", "RMSE in the body", "HU", 2, Better::kLower, "root of the mean square error", "", "", kBody},
      {"bias_hu", "Mean error in the body", "HU", 2, Better::kNearZero, "mean of image - reference", "", "", kBody},
      {"psnr_4096", "PSNR", "dB", 2, Better::kHigher, kPsnr, "4096 HU", "", ""},
      {"psnr_soft", "PSNR, soft tissue", "dB", 2, Better::kHigher, kPsnr, "400 HU", kSoft, ""},
      {"ssim_soft", "SSIM, soft tissue", "", 4, Better::kHigher, kSsim, "400 HU", kSoft, ""}};
  const std::vector<ScoreName> more = structure_scores("HU", kBody);
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

std::vector<ScoreName> other_scores() {
  const std::string range = "maximum of the reference volume";
  std::vector<ScoreName> out = {
      {"psnr", "PSNR", "dB", 2, Better::kHigher, kPsnr, range, "", ""},
      {"ssim", "SSIM", "", 4, Better::kHigher, kSsim, range, "", ""},
      {"rmse", "RMSE", "units", 2, Better::kLower, "root of the mean square error", "", "", ""},
      {"bias", "Mean error", "units", 2, Better::kNearZero, "mean of image - reference", "", "", ""}};
  const std::vector<ScoreName> more = structure_scores("units", kObject);
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

void add_structure(std::vector<double>& out, const at::Tensor& reference, const at::Tensor& estimate,
                   const at::Tensor& taken, const at::Tensor& mask, const SliceContext& context) {
  out.push_back(metrics::edge_sharpness(reference, estimate, mask, context.spacing));
  metrics::ResidualCorrelation correlation{std::numeric_limits<double>::quiet_NaN(),
                                           std::numeric_limits<double>::quiet_NaN()};
  if (taken.defined()) correlation = metrics::residual_correlation(taken, reference, mask, context.spacing);
  out.insert(out.end(), {correlation.plain, correlation.absolute});
  const metrics::NoisePowerSpectrum noise = metrics::noise_power_spectrum(
      (estimate - reference).unsqueeze(0), reference.unsqueeze(0), mask.unsqueeze(0), context.spacing);
  out.insert(out.end(), {noise.sigma, noise.mean_frequency});
}

}  // namespace

const std::vector<ScoreName>& scores_of(ScanKind kind) {
  static const std::vector<ScoreName> ct = ct_scores(), other = other_scores();
  return kind == ScanKind::kCt ? ct : other;
}

std::size_t score_place(ScanKind kind, const std::string& key) {
  const std::vector<ScoreName>& names = scores_of(kind);
  return static_cast<std::size_t>(
      std::find_if(names.begin(), names.end(), [&](const ScoreName& name) { return name.key == key; }) - names.begin());
}

at::Tensor object_mask(const at::Tensor& reference, const SliceContext& context) {
  return context.kind == ScanKind::kCt ? metrics::body_mask(reference, kAir) : reference > context.object;
}

std::vector<double> score_slice(const at::Tensor& reference, const at::Tensor& estimate, const at::Tensor& taken,
                                const SliceContext& context) {
  const at::Tensor mask = object_mask(reference, context);
  std::vector<double> out;
  if (context.kind == ScanKind::kCt) {
    const at::Tensor body = reference.index({mask}), restored = estimate.index({mask});
    const at::Tensor soft = reference.clamp(kSoftLow, kSoftHigh), soft_restored = estimate.clamp(kSoftLow, kSoftHigh);
    out = {metrics::rmse(body, restored), metrics::mean_error(body, restored),
           metrics::psnr(reference, estimate, kCtRange), metrics::psnr(soft, soft_restored, kSoftHigh - kSoftLow),
           metrics::ssim(soft, soft_restored, kSoftHigh - kSoftLow)};
  } else {
    out = {metrics::psnr(reference, estimate, context.peak), metrics::ssim(reference, estimate, context.peak),
           metrics::rmse(reference, estimate), metrics::mean_error(reference, estimate)};
  }
  add_structure(out, reference, estimate, taken, mask, context);
  return out;
}

}  // namespace reseda::medical
