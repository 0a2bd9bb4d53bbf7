#include "pipelines/certify/image_input.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "modules/core/error.hpp"

namespace reseda::certify {

void ImageInput::validate() const {
  RESEDA_REQUIRE(size >= 1 && size <= 65536, Errc::kUsage, "input.size must be 1 to 65536, got ", size);
  RESEDA_REQUIRE(!mean.empty() && mean.size() == std.size(), Errc::kUsage, "input.mean has ", mean.size(),
                 " channels, input.std ", std.size());
  RESEDA_REQUIRE(std::all_of(std.begin(), std.end(), [](double s) { return s > 0; }), Errc::kUsage,
                 "input.std must be > 0");
}

at::Tensor ImageInput::normalised(const at::Tensor& x) const {
  const auto channels = static_cast<std::int64_t>(mean.size());
  RESEDA_REQUIRE(x.dim() == 4 && x.size(1) == channels, Errc::kUsage, "input.mean has ", channels,
                 " channels, but the images are ", x.sizes());
  const auto per_channel = [&](const std::vector<double>& values) {
    return at::tensor(values, at::kDouble).to(x.options()).view({1, channels, 1, 1});
  };
  return (x - per_channel(mean)) / per_channel(std);
}

}  // namespace reseda::certify
