// PSNR and SSIM of real pairs of images as pyiqa, BasicSR and ResShift compute them.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "io/image/image.hpp"
#include "modules/core/error.hpp"
#include "modules/metrics/image_pair.hpp"
#include "modules/metrics/luma.hpp"
#include "modules/metrics/psnr.hpp"
#include "modules/metrics/ssim.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/support/shared_data.hpp"

namespace reseda::golden {
namespace {

using metrics::LumaRounding;

/// The first channel, [H, W].
at::Tensor grey(const std::string& file) { return io::read_image(tests::shared_data(file)).pixels[0]; }

/// [3, H, W] from one grey file, pixels repeated, or three.
at::Tensor colours(const nlohmann::json& image) {
  if (image.contains("rgb")) {
    std::vector<at::Tensor> channels;
    for (const nlohmann::json& file : image.at("rgb")) channels.push_back(grey(file.get<std::string>()));
    return at::stack(channels);
  }
  const auto times = image.value("replicate", std::int64_t{1});
  const at::Tensor pixels = grey(image.at("file").get<std::string>());
  return pixels.repeat_interleave(times, 0).repeat_interleave(times, 1).expand({3, -1, -1});
}

/// Every recorded column by its name: package, score, border and whether luma was taken.
std::map<std::string, double> columns(const at::Tensor& image, const at::Tensor& reference) {
  std::map<std::string, double> out;
  const auto luma = [](const at::Tensor& rgb, LumaRounding rounding) { return metrics::video_luma(rgb, rounding); };
  for (const auto& [suffix, turned] : {std::pair{"", false}, {"_bgr_order", true}}) {
    const at::Tensor x = turned ? reference.flip(0) : reference, y = turned ? image.flip(0) : image;
    out[std::string("pyiqa_psnr_y") + suffix] =
        metrics::psnr(luma(x, LumaRounding::kNone), luma(y, LumaRounding::kNone), 255);
    out[std::string("pyiqa_ssim_y") + suffix] =
        metrics::ssim(luma(x, LumaRounding::kNearest), luma(y, LumaRounding::kNearest), 255, metrics::ssim_pyiqa());
  }
  out["pyiqa_psnr_rgb"] = metrics::psnr(reference, image, 255);
  const auto both = [&](const std::string& name, const at::Tensor& x, const at::Tensor& y, const std::string& end) {
    out[name + "_psnr_" + end] = metrics::psnr(x, y, 255);
    out[name + "_ssim_" + end] = metrics::ssim(x, y, 255);
  };
  for (const std::int64_t border : {0, 4}) {
    const at::Tensor x = metrics::without_border(reference, border), y = metrics::without_border(image, border);
    const std::string end = "border" + std::to_string(border);
    both("basicsr", x, y, end + "_y0");
    both("basicsr", luma(x, LumaRounding::kNone), luma(y, LumaRounding::kNone), end + "_y1");
  }
  both("resshift", reference, image, "y0");
  both("resshift", luma(reference, LumaRounding::kNearest), luma(image, LumaRounding::kNearest), "y1");
  return out;
}

}  // namespace

void run_image_metrics(GoldenCase& golden) {
  golden.count_check();
  if (tests::shared_data("infrared").empty()) GTEST_SKIP() << "infrared is not here (RESEDA_DATA_DIR)";
  const nlohmann::json& tolerance = golden.json().at("tolerance");
  for (const nlohmann::json& pair : golden.json().at("pairs")) {
    const std::map<std::string, double> actual = columns(colours(pair.at("image")), colours(pair.at("reference")));
    for (const auto& [name, value] : pair.at("values").items()) {
      ASSERT_TRUE(actual.contains(name)) << "column '" << name << "' is not known";
      // pyiqa computes in float32, and the luma of the others is float32 before it is rounded.
      const double single = tolerance.at(name.find("psnr") != std::string::npos ? "psnr" : "ssim").get<double>();
      const double allowed = name.ends_with("_y0") ? 1e-9 * std::abs(value.get<double>()) : single;
      EXPECT_NEAR(actual.at(name), value.get<double>(), allowed) << name << " of " << pair.at("image");
    }
  }
}

}  // namespace reseda::golden
