#include "pipelines/restoration/low_resolution.hpp"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <numbers>
#include <optional>

#include "modules/core/error.hpp"
#include "pipelines/restoration/degradation.hpp"

namespace reseda::restoration {
namespace {

constexpr std::array<float, 64> kLuminanceTable = {
    16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,  //
    14, 13, 16, 24, 40,  57,  69,  56,  14, 17, 22, 29, 51,  87,  80,  62,  //
    18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92,  //
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99};

/// Rows of the orthonormal cosine transform of 8 values.
at::Tensor cosine_basis() {
  const at::Tensor k = at::arange(8, at::kFloat).unsqueeze(1), n = at::arange(8, at::kFloat).unsqueeze(0);
  at::Tensor basis = 0.5 * at::cos((2 * n + 1) * k * (std::numbers::pi / 16));
  basis[0].mul_(std::numbers::sqrt2 / 2);
  return basis;
}

at::Tensor quantisation(double quality) {
  const double scale = quality < 50 ? 5000.0 / quality : 200.0 - 2.0 * quality;
  const at::Tensor base = at::tensor(at::ArrayRef<float>(kLuminanceTable)).view({8, 8});
  return at::floor((base * std::floor(scale) + 50.0) / 100.0).clamp(1, 255);
}

double log_between(double u, double low, double high) { return low * std::pow(high / low, u); }

at::Tensor resample(const at::Tensor& x, std::int64_t height, std::int64_t width) {
  const std::array<std::int64_t, 2> size{height, width};
  return at::_upsample_bicubic2d_aa(x.unsqueeze(0), size, false, std::nullopt, std::nullopt).squeeze(0);
}

}  // namespace

void LowResolutionConfig::validate() const {
  const auto range = [](const char* what, double low, double high, double least, double most) {
    RESEDA_REQUIRE(low >= least && high >= low && high <= most, Errc::kUsage, "low_resolution: ", least, " <= ", what,
                   "_low <= ", what, "_high <= ", most, ", got ", low, " and ", high);
  };
  const auto share = [](const char* what, double value) {
    RESEDA_REQUIRE(value >= 0 && value <= 1, Errc::kUsage, "low_resolution.", what, " must be 0 to 1, got ", value);
  };
  RESEDA_REQUIRE(scale >= 1 && scale <= 8, Errc::kUsage, "low_resolution.scale must be 1 to 8, got ", scale);
  range("blur", blur_low, blur_high, 0, 20);
  range("noise", noise_low, noise_high, 0, 255);
  range("quality", quality_low, quality_high, 1, 100);
  range("zoom", zoom_low, zoom_high, 0.25, 4);
  range("gain", gain_low, gain_high, 0.01, 100);
  for (const auto& [what, value] : {std::pair{"real_share", real_share},
                                    {"rounded_share", rounded_share},
                                    {"jpeg_share", jpeg_share},
                                    {"column_share", column_share}})
    share(what, value);
}

at::Tensor vary(const at::Tensor& x, std::int64_t size, const LowResolutionConfig& config, NoiseSource& noise,
                std::string_view item, std::uint32_t step) {
  const at::Tensor u = noise.uniform({item, "low resolution zoom", step}, {2});
  const double zoom = log_between(u[0].item<double>(), config.zoom_low, config.zoom_high);
  const double gain = log_between(u[1].item<double>(), config.gain_low, config.gain_high);
  const auto seen = std::min(x.size(1), static_cast<std::int64_t>(std::lround(static_cast<double>(size) / zoom)));
  at::Tensor crop = x.narrow(1, 0, seen).narrow(2, 0, seen);
  if (seen != size) crop = resample(crop, size, size);
  const at::Tensor mean = crop.mean();
  return at::clamp(mean + gain * (crop - mean), -1, 1);
}

at::Tensor shrink(const at::Tensor& x, const LowResolutionConfig& config, NoiseSource& noise, std::string_view item,
                  std::uint32_t step) {
  const at::Tensor drawn = noise.uniform({item, "low resolution", step}, {8}).to(at::kDouble);
  const double* u = drawn.const_data_ptr<double>();
  const std::int64_t height = x.size(1) / config.scale, width = x.size(2) / config.scale;
  const auto between = [](double share, double low, double high) { return low + (high - low) * share; };
  const bool real = u[0] < config.real_share, rounded = u[1] < config.rounded_share;
  at::Tensor low;
  if (real) {
    const at::Tensor blurred = gaussian_blur(x, between(u[2], config.blur_low, config.blur_high));
    const double sigma = between(u[3], config.noise_low, config.noise_high) * 2.0 / 255.0;
    const at::Tensor white = noise.normal({item, "sensor noise", step}, {1, height, width});
    const at::Tensor columns = noise.normal({item, "column noise", step}, {1, 1, width});
    low = at::avg_pool2d(blurred, config.scale) + sigma * (white + config.column_share * columns);
  } else {
    low = resample(x, height, width);
  }
  if (!rounded) return low;
  at::Tensor levels = at::round((low + 1.0) * 127.5).clamp(0, 255);
  if (real && u[4] < config.jpeg_share)
    levels = jpeg_levels(levels[0], between(u[5], config.quality_low, config.quality_high),
                         static_cast<std::int64_t>(u[6] * 8), static_cast<std::int64_t>(u[7] * 8))
                 .unsqueeze(0);
  return levels / 127.5 - 1.0;
}

at::Tensor enlarge(const at::Tensor& low, std::int64_t scale) {
  const at::Tensor batch = low.dim() == 3 ? low.unsqueeze(0) : low;
  const std::array<std::int64_t, 2> size{batch.size(2) * scale, batch.size(3) * scale};
  const at::Tensor out = at::upsample_bicubic2d(batch, size, false, std::nullopt, std::nullopt);
  return low.dim() == 3 ? out.squeeze(0) : out;
}

at::Tensor jpeg_levels(const at::Tensor& levels, double quality, std::int64_t row, std::int64_t column) {
  const std::int64_t height = levels.size(0), width = levels.size(1);
  const std::int64_t rows = (row + height + 7) / 8, columns = (column + width + 7) / 8;
  const std::array<std::int64_t, 4> border{column, 8 * columns - column - width, row, 8 * rows - row - height};
  const at::Tensor padded = at::replication_pad2d(levels.view({1, 1, height, width}), border) - 128.0;
  const at::Tensor blocks = padded.view({rows, 8, columns, 8}).permute({0, 2, 1, 3});
  const at::Tensor basis = cosine_basis(), table = quantisation(quality);
  const at::Tensor coefficients = at::matmul(at::matmul(basis, blocks), basis.t());
  const at::Tensor kept = at::round(coefficients / table) * table;
  const at::Tensor restored = at::matmul(at::matmul(basis.t(), kept), basis).permute({0, 2, 1, 3});
  const at::Tensor whole = at::round(restored.reshape({8 * rows, 8 * columns}) + 128.0).clamp(0, 255);
  return whole.narrow(0, row, height).narrow(1, column, width);
}

}  // namespace reseda::restoration
