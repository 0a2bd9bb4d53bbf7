// Resizing of real pixels: MATLAB-like imresize by BasicSR, F.interpolate and Pillow.
#include <ATen/ATen.h>

#include <cmath>

#include "modules/signal/resize.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {

void run_resize(GoldenCase& golden) {
  const at::Tensor pixels = golden.input("x");
  const nlohmann::json& variants = golden.config().at("variants");
  for (std::size_t i = 0; i < variants.size(); ++i) {
    const nlohmann::json& variant = variants[i];
    const auto height = variant.at("h").get<std::int64_t>(), width = variant.at("w").get<std::int64_t>();
    const auto scale = variant.at("scale").get<double>();
    const std::string kernel = variant.at("antialiasing") ? "matlab_bicubic" : "matlab_bicubic_plain",
                      name = "out." + std::to_string(i) + ".imresize";
    const at::Tensor x = pixels[0].slice(1, 0, height).slice(2, 0, width).to(at::kFloat) / 255;
    const auto scaled = [&](std::int64_t size) { return std::llround(std::ceil(static_cast<double>(size) * scale)); };
    const at::Tensor y = signal::resize(x, scaled(height), scaled(width), kernel, scale);
    golden.check(name, y);
    golden.check(name + "_numpy_hwc", y.permute({1, 2, 0}));
  }
  const at::Tensor crop = pixels.slice(2, 0, 14).slice(3, 0, 17).to(at::kFloat) / 255 * 2 - 1;
  for (const nlohmann::json& factor : golden.config().at("interpolate")) {
    const auto scale = factor.get<double>();
    const auto scaled = [&](std::int64_t size) { return static_cast<std::int64_t>(static_cast<double>(size) * scale); };
    golden.check("out.interpolate_" + factor.dump(),
                 signal::resize(crop, scaled(14), scaled(17), "torch_bicubic", scale));
  }
  const at::Tensor large = golden.input("hr");
  golden.check("out.pillow_down4", signal::resize(large, large.size(2) / 4, large.size(3) / 4, "pillow_bicubic"));
}

}  // namespace reseda::golden
