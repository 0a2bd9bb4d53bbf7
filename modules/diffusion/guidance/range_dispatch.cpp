#include "modules/diffusion/guidance/range_dispatch.hpp"

#include <algorithm>

#include "modules/core/error.hpp"

namespace reseda::diffusion {

RangeDispatch::RangeDispatch(std::vector<Range> ranges, const Denoiser& otherwise, SharedEdge edge)
    : ranges_(std::move(ranges)), otherwise_(otherwise), edge_(edge) {
  std::sort(ranges_.begin(), ranges_.end(), [](const Range& l, const Range& r) { return l.from < r.from; });
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    RESEDA_REQUIRE(ranges_[i].from < ranges_[i].to, Errc::kUsage, "a range of times must begin before it ends, got ",
                   ranges_[i].from, " to ", ranges_[i].to);
    RESEDA_REQUIRE(i == 0 || ranges_[i - 1].to <= ranges_[i].from, Errc::kUsage,
                   "ranges of times must not overlap, got ", ranges_[i - 1].from, " to ", ranges_[i - 1].to, " and ",
                   ranges_[i].from, " to ", ranges_[i].to);
  }
}

Estimates RangeDispatch::operator()(const at::Tensor& x, double t, const Condition& condition) const {
  for (const Range& range : ranges_) {
    const bool inside = edge_ == SharedEdge::kUpper ? range.from <= t && t < range.to : range.from < t && t <= range.to;
    if (inside) return (*range.denoiser)(x, t, condition);
  }
  return otherwise_(x, t, condition);
}

}  // namespace reseda::diffusion
