#include "modules/inverse/operators/inpaint.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

constexpr const char* kName = "inpaint";

at::Tensor checked_mask(const ImageShape& shape, const at::Tensor& given) {
  const at::Tensor mask = (given.dim() == 3 ? given.unsqueeze(0) : given).to(at::kCPU, at::kDouble);
  RESEDA_REQUIRE(mask.dim() == 4 && mask.size(0) >= 1 && (mask.size(1) == shape.channels || mask.size(1) == 1) &&
                     mask.size(2) == shape.height && mask.size(3) == shape.width,
                 Errc::kUsage,
                 "operator inpaint: the mask must be [C,H,W], [1,H,W] or [N,C,H,W] with C,H,W = ", shape.channels, ",",
                 shape.height, ",", shape.width, ", got ", given.sizes());
  RESEDA_REQUIRE(mask.eq(0).logical_or(mask.eq(1)).all().item<bool>(), Errc::kUsage,
                 "operator inpaint: the mask must hold zeros and ones only");
  RESEDA_REQUIRE(mask.flatten(1).sum(1).gt(0).all().item<bool>(), Errc::kUsage,
                 "operator inpaint: every mask must leave a value to measure");
  return mask.expand({-1, shape.channels, -1, -1}).contiguous();
}

at::Tensor kept_places(const at::Tensor& mask) {
  const at::Tensor rows = mask.flatten(1), counts = rows.sum(1);
  RESEDA_REQUIRE(counts.eq(counts[0]).all().item<bool>(), Errc::kUsage,
                 "operator inpaint: packed masks must keep the same number of values");
  return rows.nonzero().select(1, 1).reshape({rows.size(0), -1});
}

}  // namespace

/// The values in an order that is a permutation of [C,H,W]; the first m are measured with the given singular values.
class Inpaint::Form final : public SpectralForm {
 public:
  Form(const Inpaint& op, at::Tensor order, at::Tensor singulars)
      : op_(op), order_(std::move(order)), places_(at::argsort(order_)), singulars_(std::move(singulars)) {}
  at::Tensor v(const at::Tensor& coefficients) const override {
    return coefficients.index_select(1, places_.to(coefficients.device()))
        .reshape(op_.shape_.batch(coefficients.size(0)));
  }
  at::Tensor vt(const at::Tensor& x) const override {
    op_.shape_.require(x, kName);
    return x.flatten(1).index_select(1, order_.to(x.device()));
  }
  at::Tensor u(const at::Tensor& coefficients) const override {
    return op_.kept_.defined() ? coefficients : coefficients.reshape(op_.shape_.batch(coefficients.size(0)));
  }
  at::Tensor ut(const at::Tensor& y) const override { return y.flatten(1); }
  at::Tensor singulars() const override { return singulars_; }

 private:
  const Inpaint& op_;
  at::Tensor order_, places_, singulars_;
};

Inpaint::Inpaint(const InpaintConfig& config)
    : Inpaint(config.image,
              make_mask(config.mask, ImageShape(config.image).height, ImageShape(config.image).width).unsqueeze(0),
              config.packed) {}

Inpaint::Inpaint(at::IntArrayRef image, const at::Tensor& mask, bool packed)
    : shape_(image), mask_(checked_mask(shape_, mask)) {
  if (packed) kept_ = kept_places(mask_);
  if (mask_.size(0) > 1) return;
  const at::Tensor values = mask_.flatten();
  if (packed) {
    const at::Tensor missing = values.eq(0).nonzero().select(1, 0);
    form_ = std::make_unique<Form>(*this, at::cat({kept_[0], missing}), at::ones({kept_.size(1)}, at::kDouble));
  } else {
    form_ = std::make_unique<Form>(*this, at::arange(values.size(0), at::kLong), values);
  }
}

Inpaint::~Inpaint() = default;

const SpectralForm* Inpaint::spectral() const { return form_.get(); }

void Inpaint::require_items(std::int64_t items) const {
  RESEDA_REQUIRE(mask_.size(0) == 1 || mask_.size(0) == items, Errc::kUsage, "operator inpaint has ", mask_.size(0),
                 " masks for as many items, got a batch of ", items);
}

at::Tensor Inpaint::apply(const at::Tensor& x) const {
  shape_.require(x, kName);
  require_items(x.size(0));
  if (!kept_.defined()) return x * constant_like(mask_, x);
  return x.flatten(1).gather(1, kept_.to(x.device()).expand({x.size(0), -1}));
}

at::Tensor Inpaint::adjoint(const at::Tensor& y) const {
  require_items(y.size(0));
  if (!kept_.defined()) return apply(y);
  require_measurement(y, {kept_.size(1)}, kName);
  return at::zeros({y.size(0), shape_.size()}, y.options())
      .scatter(1, kept_.to(y.device()).expand({y.size(0), -1}), y)
      .reshape(shape_.batch(y.size(0)));
}

const OperatorEntry& operator_entry_inpaint() {
  static const auto entry = make_component<ForwardOperator, Inpaint, InpaintConfig>(
      "inpaint", "pixels are missing: a box, single pixels or brush strokes");
  return entry;
}

}  // namespace reseda::inverse
