#include "io/image/image_checks.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

// Encoders write headers of a few hundred bytes; the smallest files are judged with that much to spare.
constexpr double kSlackBytes = 1024;

}  // namespace

void check_size(const ClaimedSize& size, const ImageLimits& limits, const std::string& name) {
  RESEDA_REQUIRE(size.width > 0 && size.height > 0, Errc::kInput, name, ": has no pixels (", size.width, " x ",
                 size.height, ")");
  RESEDA_REQUIRE(size.channels >= 1 && size.channels <= kMaxImageChannels, Errc::kInput, name, ": has ", size.channels,
                 " channels, expected 1 to ", kMaxImageChannels);
  const bool fits = size.height <= limits.samples / size.width / size.channels;
  RESEDA_REQUIRE(fits, Errc::kInput, name, ": its header says ", size.width, " x ", size.height, " pixels of ",
                 size.channels, " channels, more than the limit of ", limits.samples, " samples");
}

void check_plausible(const ClaimedSize& size, double raw_bytes, double expansion, std::size_t file_bytes,
                     const std::string& name) {
  RESEDA_REQUIRE(raw_bytes <= expansion * (static_cast<double>(file_bytes) + kSlackBytes), Errc::kInput, name,
                 ": its header says ", size.width, " x ", size.height, " pixels, more than its ", file_bytes,
                 " bytes can hold (damaged or cut short)");
}

void check_finite(const at::Tensor& pixels, Errc code, const std::string& name) {
  const at::Tensor flat = pixels.contiguous();
  const float* values = flat.const_data_ptr<float>();
  const std::int64_t height = flat.size(1), width = flat.size(2);
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    RESEDA_REQUIRE(std::isfinite(values[i]), code, name, ": pixel is ", std::isnan(values[i]) ? "NaN" : "infinite",
                   " at row ", i / width % height, ", column ", i % width, ", channel ", i / width / height);
  }
}

}  // namespace reseda::io::detail
