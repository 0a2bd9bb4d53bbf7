#include "modules/diffusion/oracles/data_set.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "modules/diffusion/oracles/item_coefficient.hpp"

namespace reseda::diffusion {
namespace {

constexpr const char* kName = "the data-set denoiser";

// Keeps the exponents finite where there is no noise: the nearest image then wins.
constexpr double kSmallestVariance = 1e-24;
constexpr double kSmallestSensitivity = 1e-6;

}  // namespace

DataSetDenoiser::DataSetDenoiser(const at::Tensor& images, DataSetConfig config, const Process& process)
    : config_(config), process_(process) {
  RESEDA_REQUIRE(images.dim() == 4 && images.size(0) >= 1 && !images.is_complex(), Errc::kUsage,
                 "the data-set denoiser needs [N, C, H, W] real images, got ", images.sizes());
  RESEDA_REQUIRE(config.threshold > 0 && config.threshold <= 1, Errc::kUsage,
                 "threshold of the data-set denoiser must be in (0, 1], got ", config.threshold);
  RESEDA_REQUIRE(std::isfinite(config.temperature) && config.temperature > 0, Errc::kUsage,
                 "temperature of the data-set denoiser must be > 0, got ", config.temperature);
  RESEDA_REQUIRE(config.chunk >= 1, Errc::kUsage, "chunk of the data-set denoiser must be >= 1, got ", config.chunk);
  shape_ = images.sizes().slice(1).vec();
  images_ = images.flatten(1).to(at::kDouble);
  if (config_.locality == Locality::kPca) statistics_ = image_statistics(images);
}

at::Tensor DataSetDenoiser::mask(double a, double c) const {
  const ImageStatistics& s = statistics_;
  const at::Tensor v = a * a * s.variances + c * c;
  const double tail_v = a * a * s.tail + c * c, tail = tail_v == 0 ? 0.0 : a * a * s.tail / tail_v;
  const at::Tensor gain = at::where(v == 0, at::zeros_like(v), a * a * s.variances / v) - tail;
  const at::Tensor w = at::mm(s.directions * gain, s.directions.t()) + tail * at::eye(s.mean.numel(), at::kDouble);
  const at::Tensor own = w.diagonal();
  const at::Tensor scaled = (w / at::where(own.abs() < kSmallestSensitivity, 1.0, own).unsqueeze(1)).abs();
  return (scaled >= config_.threshold * scaled.max()).to(at::kDouble);
}

at::Tensor DataSetDenoiser::distances(const at::Tensor& squares, const at::Tensor& mask) const {
  if (config_.locality == Locality::kNone) return squares.sum(2, true);
  return config_.locality == Locality::kPixel ? squares : at::matmul(squares, mask);
}

/// x0 of one chunk after another; [B, n]. `scale` is 1 / (2 c^2 temperature).
at::Tensor DataSetDenoiser::average(const at::Tensor& error, const at::Tensor& a, const at::Tensor& scale,
                                    const at::Tensor& mask) const {
  at::Tensor sum, total, top;
  for (std::int64_t first = 0; first < images_.size(0); first += config_.chunk) {
    const at::Tensor chunk = images_.narrow(0, first, std::min(config_.chunk, images_.size(0) - first)).unsqueeze(0);
    const at::Tensor squares = (error.unsqueeze(1) - a.unsqueeze(1) * chunk).square();  // [B, K, n]
    const at::Tensor logits = -distances(squares, mask) * scale.unsqueeze(1);           // [B, K, n or 1]
    const at::Tensor highest = std::get<0>(logits.max(1)), peak = top.defined() ? at::maximum(top, highest) : highest;
    const at::Tensor weight = at::exp(logits - peak.unsqueeze(1));
    const at::Tensor kept = top.defined() ? at::exp(top - peak) : at::Tensor();
    sum = (weight * chunk).sum(1) + (kept.defined() ? kept * sum : at::zeros({}, at::kDouble));
    total = weight.sum(1) + (kept.defined() ? kept * total : at::zeros({}, at::kDouble));
    top = peak;
  }
  return sum / total;
}

Estimates DataSetDenoiser::operator()(const at::Tensor& x, double t, const Condition& condition) const {
  RESEDA_REQUIRE(x.dim() == 4 && x.sizes().slice(1) == at::IntArrayRef(shape_) && !x.is_complex(), Errc::kUsage,
                 "the data-set denoiser knows images of shape ", at::IntArrayRef(shape_), ", got a state of ",
                 x.sizes());
  const Marginal m = process_.at(t);
  const at::Tensor a = item_coefficient(kName, m.a, x), c = item_coefficient(kName, m.c, x);
  const at::Tensor shifted = condition.y.defined() ? x - m.b * condition.y : x;
  const at::Tensor error = shifted.to(at::kDouble).flatten(1);
  const at::Tensor scale = (2.0 * config_.temperature * c.square().clamp_min(kSmallestVariance)).reciprocal();
  at::Tensor x0;
  if (config_.locality != Locality::kPca || a.numel() * c.numel() == 1) {
    const bool pca = config_.locality == Locality::kPca;
    x0 = average(error, a, scale, pca ? mask(a.item<double>(), c.item<double>()) : at::Tensor());
  } else {
    std::vector<at::Tensor> items;
    for (std::int64_t i = 0; i < x.size(0); ++i) {
      const at::Tensor one_a = a.expand({x.size(0), 1}).narrow(0, i, 1),
                       one_c = c.expand({x.size(0), 1}).narrow(0, i, 1);
      items.push_back(average(error.narrow(0, i, 1), one_a, scale.expand({x.size(0), 1}).narrow(0, i, 1),
                              mask(one_a.item<double>(), one_c.item<double>())));
    }
    x0 = at::cat(items);
  }
  const at::Tensor eps = at::where(c == 0, at::zeros_like(error), (error - a * x0) / c);
  return {x0.reshape(x.sizes()).to(x.scalar_type()), eps.reshape(x.sizes()).to(x.scalar_type())};
}

}  // namespace reseda::diffusion
