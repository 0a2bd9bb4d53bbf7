#include "pipelines/infrared/evaluation/frame_scores.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"
#include "modules/metrics/correlation.hpp"
#include "modules/metrics/image_pair.hpp"
#include "modules/metrics/psnr.hpp"
#include "modules/metrics/spectral_error.hpp"
#include "modules/metrics/ssim.hpp"
#include "modules/metrics/structure.hpp"

namespace reseda::infrared {
namespace {

constexpr std::int64_t kBorder = 4, kSsimWindow = 11;

std::vector<double> score_image(const at::Tensor& reference, const at::Tensor& image, double range) {
  const at::Tensor x = metrics::without_border(reference, kBorder), y = metrics::without_border(image, kBorder);
  return {metrics::psnr(x, y, range),           metrics::psnr(reference, image, range),
          metrics::ssim(x, y, range),           metrics::spectral_error(reference, image, range),
          metrics::gradient_ratio(x, y),        metrics::rmse(reference, image),
          metrics::mean_error(reference, image)};
}

}  // namespace

const std::vector<ScoreName>& scores() {
  using app::Better;
  static const std::vector<ScoreName> names = {
      {"psnr4", "PSNR (border 4)", "dB", 2, Better::kHigher,
       "10 log10(R^2 / MSE) on grey values, without 4 pixels on each side. Not on video-range luma, which reads 1.32 "
       "dB "
       "higher"},
      {"psnr0", "PSNR", "dB", 2, Better::kHigher, "the same over the whole frame"},
      {"ssim", "SSIM", "", 4, Better::kHigher,
       "mean structural similarity: 11 x 11 Gaussian window, sigma 1.5, population covariance, range R, without 4 "
       "pixels "
       "on each side, windows inside the frame only"},
      {"spectral_error", "Spectral error", "", 4, Better::kLower,
       "||A(x) - A(r)|| / ||A(r)||, A = ln(1 + |DFT2| / R), over all frequencies: lost or invented detail of every "
       "fineness; blind to where it lies"},
      {"grad_ratio", "Gradient ratio", "", 3, Better::kNearOne,
       "mean |grad x| / mean |grad r|, central differences, without 4 pixels on each side: below 1 blurred, above 1 "
       "noisier or sharper than the reference"},
      {"rmse", "RMSE", "counts", 3, Better::kLower, "sqrt(mean (x - r)^2) over the whole frame, in the file's units"},
      {"offset", "Mean offset", "counts", 3, Better::kNearZero, "mean (x - r) over the whole frame"}};
  return names;
}

const std::vector<ScoreName>& uncertainty_scores() {
  static const std::vector<ScoreName> names = {
      {"uncertainty_pearson", "Uncertainty and error", "", 3, app::Better::kHigher,
       "Pearson's correlation of the map of uncertainty with |x - r| over the pixels of the whole frame: 1 where the "
       "map "
       "is the error but for a factor, 0 where it tells nothing of it"},
      {"uncertainty_spearman", "The same by ranks", "", 3, app::Better::kHigher,
       "Spearman's correlation: whether pixels of larger uncertainty have the larger errors, however much larger"}};
  return names;
}

std::size_t score_place(const std::string& key) {
  for (std::size_t i = 0; i < scores().size(); ++i)
    if (scores()[i].key == key) return i;
  reseda::detail::raise(Errc::kInternal, "no score '", key, "'");
}

FrameScores score_frame(const FrameTriple& frames) {
  constexpr std::int64_t kLeast = kSsimWindow + 2 * kBorder;
  const at::Tensor& reference = frames.reference.pixels;
  RESEDA_REQUIRE(reference.size(0) >= kLeast && reference.size(1) >= kLeast, Errc::kInput, "a frame of ",
                 reference.size(1), "x", reference.size(0), " pixels cannot be scored, expected at least ", kLeast,
                 " a side");
  FrameScores out;
  out.bits = frames.reference.bits;
  if (!frames.reference.is_8bit()) {
    out.range = reference.max().item<double>() - reference.min().item<double>();
    RESEDA_REQUIRE(out.range > 0, Errc::kInput, "the reference has one value, ", reference[0][0].item<double>(),
                   ", everywhere: no range to score by");
  }
  out.restored = score_image(reference, frames.restored.pixels, out.range);
  if (frames.uncertainty.defined()) {
    const at::Tensor error = (frames.restored.pixels - reference).abs();
    out.restored.push_back(metrics::pearson_correlation(frames.uncertainty, error));
    out.restored.push_back(metrics::spearman_correlation(frames.uncertainty, error));
  }
  if (frames.input.pixels.defined()) out.input = score_image(reference, frames.input.pixels, out.range);
  return out;
}

}  // namespace reseda::infrared
