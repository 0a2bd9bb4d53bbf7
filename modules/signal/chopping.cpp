#include "modules/signal/chopping.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "modules/core/error.hpp"

namespace reseda::signal {

std::vector<std::int64_t> chop_starts(std::int64_t length, const Chop& chop) {
  RESEDA_REQUIRE(chop.stride >= 1 && chop.stride <= chop.size, Errc::kUsage,
                 "tiles.stride must be in 1 to tiles.size (", chop.size, "), got ", chop.stride);
  std::vector<std::int64_t> starts;
  const std::int64_t last = std::max<std::int64_t>(length - chop.size, 0);
  for (std::int64_t start = 0; start < length && (starts.empty() || starts.back() < last); start += chop.stride)
    starts.push_back(std::min(start, last));
  return starts;
}

at::Tensor by_chops(const at::Tensor& x, const Chop& chop, std::int64_t scale,
                    const std::function<at::Tensor(const at::Tensor& tile)>& call) {
  at::Tensor sum, count;
  for (const std::int64_t top : chop_starts(x.size(2), chop))
    for (const std::int64_t left : chop_starts(x.size(3), chop)) {
      const std::int64_t height = std::min(chop.size, x.size(2)), width = std::min(chop.size, x.size(3));
      const at::Tensor large = call(x.narrow(2, top, height).narrow(3, left, width));
      RESEDA_REQUIRE(large.size(2) == scale * height && large.size(3) == scale * width, Errc::kInternal, "a tile of ",
                     height, " x ", width, " must become ", scale, " times as large, got ", large.sizes());
      if (!sum.defined()) {
        sum = at::zeros({x.size(0), large.size(1), scale * x.size(2), scale * x.size(3)}, large.options());
        count = at::zeros({sum.size(2), sum.size(3)}, large.options());
      }
      sum.narrow(2, scale * top, large.size(2)).narrow(3, scale * left, large.size(3)).add_(large);
      count.narrow(0, scale * top, large.size(2)).narrow(1, scale * left, large.size(3)).add_(1);
    }
  return sum / count;
}

}  // namespace reseda::signal
