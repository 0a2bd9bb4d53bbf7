#include "modules/inverse/uncertainty.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "modules/diffusion/batch_noise.hpp"

namespace reseda::inverse {
namespace {

at::Tensor repeated(const at::Tensor& one, std::int64_t count) {
  if (!one.defined()) return one;
  std::vector<std::int64_t> shape = one.sizes().vec();
  shape[0] = count;
  return one.expand(shape).contiguous();
}

}  // namespace

at::Tensor posterior_samples(const Solver& solver, std::int64_t count, std::int64_t batch, const at::Tensor& y,
                             const at::Tensor& start, const ForwardOperator& op, const diffusion::Process& process,
                             const diffusion::Denoiser& denoiser, SolveContext& context) {
  RESEDA_REQUIRE(count >= 1 && batch >= 1, Errc::kUsage, "posterior samples: count and batch must be >= 1, got ", count,
                 " and ", batch);
  RESEDA_REQUIRE(y.size(0) == 1, Errc::kUsage, "posterior samples are taken of one measurement, got a batch of ",
                 y.size(0));
  std::vector<at::Tensor> all;
  for (std::int64_t first = 0; first < count; first += batch) {
    const std::int64_t runs = std::min(batch, count - first);
    std::vector<std::string> items;
    for (std::int64_t k = 0; k < runs; ++k)
      items.push_back(context.sample.item + "/sample " + std::to_string(first + k));
    diffusion::BatchNoise noise(context.sample.noise, items);
    diffusion::SampleContext sample{
        .noise = noise, .item = context.sample.item, .on_step = context.sample.on_step, .trace = context.sample.trace};
    SolveContext each{.sample = sample, .sigma_y = context.sigma_y, .on_step = context.on_step};
    all.push_back(solver.solve(repeated(y, runs), repeated(start, runs), op, process, denoiser, each));
  }
  return at::cat(all);
}

PosteriorMoments posterior_moments(const at::Tensor& samples) {
  RESEDA_REQUIRE(samples.size(0) >= 2, Errc::kUsage, "moments need at least 2 samples, got ", samples.size(0));
  return {samples.mean(0), samples.std(0, /*unbiased=*/true)};
}

double Calibration::error() const {
  double sum = 0;
  for (std::size_t i = 0; i < nominal.size(); ++i) sum += std::abs(observed[i] - nominal[i]);
  return nominal.empty() ? 0.0 : sum / static_cast<double>(nominal.size());
}

Calibration calibration(const at::Tensor& samples, const at::Tensor& truth) {
  const std::int64_t count = samples.size(0);
  RESEDA_REQUIRE(count >= 2, Errc::kUsage, "calibration needs at least 2 samples, got ", count);
  RESEDA_REQUIRE(samples.sizes().slice(1) == truth.sizes(), Errc::kUsage, "calibration: samples ", samples.sizes(),
                 " are not of the truth's shape ", truth.sizes());
  const at::Tensor sorted = std::get<0>(samples.sort(0));
  Calibration found;
  for (std::int64_t i = 1; 2 * i <= count; ++i) {
    const at::Tensor inside = at::logical_and(sorted[i - 1] <= truth, truth <= sorted[count - i]);
    found.nominal.push_back(1.0 - 2.0 * static_cast<double>(i) / static_cast<double>(count + 1));
    found.observed.push_back(inside.to(at::kDouble).mean().item<double>());
  }
  return found;
}

}  // namespace reseda::inverse
