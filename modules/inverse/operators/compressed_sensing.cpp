#include "modules/inverse/operators/compressed_sensing.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "modules/core/error.hpp"
#include "modules/core/noise.hpp"
#include "modules/diffusion/samplers/choice.hpp"
#include "modules/inverse/operators/walsh.hpp"

namespace reseda::inverse {
namespace {

constexpr const char* kName = "compressed_sensing";

std::vector<std::int64_t> row_order(const ImageShape& shape, const CompressedSensingConfig& config) {
  const std::int64_t h = shape.height, w = shape.width;
  RESEDA_REQUIRE(is_power_of_two(h) && is_power_of_two(w), Errc::kUsage,
                 "operator compressed_sensing needs sides that are powers of two, got ", h, " x ", w);
  std::vector<std::int64_t> order(static_cast<std::size_t>(h * w));
  std::iota(order.begin(), order.end(), 0);
  if (config.rows == "low") {
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return (a / w) * w + (a % w) * h < (b / w) * w + (b % w) * h;
    });
    return order;
  }
  Chooser chooser(static_cast<std::uint64_t>(config.seed), kName, "rows", 0);
  for (std::int64_t i = 1; i < h * w; ++i)
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(i + chooser.below(h * w - i))]);
  return order;
}

}  // namespace

void CompressedSensingConfig::validate() const {
  RESEDA_REQUIRE(ratio > 0 && ratio <= 1, Errc::kUsage, "operator.ratio must be in (0, 1], got ", ratio);
  diffusion::require_choice("operator.rows", rows, {"random", "low"});
}

CompressedSensing::CompressedSensing(const CompressedSensingConfig& config) : shape_(config.image) {
  config.validate();
  std::vector<std::int64_t> order = row_order(shape_, config);
  measured_ = std::max<std::int64_t>(1, std::llround(config.ratio * static_cast<double>(shape_.pixels())));
  std::sort(order.begin() + measured_, order.end());
  order_ = at::tensor(order, at::kLong);
  places_ = at::argsort(order_);
}

at::Tensor CompressedSensing::apply(const at::Tensor& x) const {
  shape_.require(x, kName);
  return walsh_transform_2d(x).flatten(2).index_select(2, order_.slice(0, 0, measured_).to(x.device()));
}

at::Tensor CompressedSensing::adjoint(const at::Tensor& y) const {
  require_measurement(y, {shape_.channels, measured_}, kName);
  const at::Tensor all = at::constant_pad_nd(y, {0, shape_.pixels() - measured_});
  return walsh_transform_2d(all.index_select(2, places_.to(y.device())).reshape(shape_.batch(y.size(0))));
}

at::Tensor CompressedSensing::vt(const at::Tensor& x) const {
  shape_.require(x, kName);
  const at::Tensor all = walsh_transform_2d(x).flatten(2).index_select(2, order_.to(x.device()));
  return at::cat({all.slice(2, 0, measured_).flatten(1), all.slice(2, measured_).flatten(1)}, 1);
}

at::Tensor CompressedSensing::v(const at::Tensor& coefficients) const {
  const std::int64_t items = coefficients.size(0), first = shape_.channels * measured_;
  const at::Tensor all =
      at::cat({coefficients.slice(1, 0, first).reshape({items, shape_.channels, measured_}),
               coefficients.slice(1, first).reshape({items, shape_.channels, shape_.pixels() - measured_})},
              2);
  return walsh_transform_2d(all.index_select(2, places_.to(all.device())).reshape(shape_.batch(items)));
}

at::Tensor CompressedSensing::u(const at::Tensor& coefficients) const {
  return coefficients.reshape({coefficients.size(0), shape_.channels, measured_});
}
at::Tensor CompressedSensing::ut(const at::Tensor& y) const {
  require_measurement(y, {shape_.channels, measured_}, kName);
  return y.flatten(1);
}
at::Tensor CompressedSensing::singulars() const { return at::ones({shape_.channels * measured_}, at::kDouble); }

const OperatorEntry& operator_entry_compressed_sensing() {
  static const auto entry = make_component<ForwardOperator, CompressedSensing, CompressedSensingConfig>(
      "compressed_sensing", "some coefficients of the Walsh-Hadamard transform");
  return entry;
}

}  // namespace reseda::inverse
