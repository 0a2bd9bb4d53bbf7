#include "modules/inverse/solvers/solver_run.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace reseda::inverse {
namespace {

constexpr double kGrowthLimit = 1000.0;
/// Looking at a residual waits for the device, so it is done now and then.
constexpr std::int64_t kLookEvery = 10;
constexpr std::int64_t kShown = 8;

/// Some of the residuals of one item, the last always among them.
std::string trace_text(const at::Tensor& residuals) {
  const std::int64_t count = residuals.numel(), stride = (count + kShown - 1) / kShown;
  std::string text;
  for (std::int64_t i = (count - 1) % stride; i < count; i += stride) {
    std::ostringstream number;
    number << residuals.const_data_ptr<double>()[i];
    text += (text.empty() ? "" : ", ") + number.str();
  }
  return text + (stride > 1 ? " (every " + std::to_string(stride) + " steps)" : "");
}

}  // namespace

SolverRun::SolverRun(const char* solver, std::int64_t total, const at::Tensor& y, SolveContext& context)
    : solver_(solver), total_(total), context_(context) {
  RESEDA_INVARIANT(total > 0);
  const double elements = static_cast<double>(y.numel()) / static_cast<double>(std::max<std::int64_t>(y.size(0), 1));
  y_norm_ = item_norm(y).detach().to(at::kCPU, at::kDouble).clamp_min(std::sqrt(elements));
}

at::Tensor SolverRun::draw(std::string_view stream, std::int64_t step, const at::Tensor& like) const {
  return diffusion::draw_like(context_.sample, stream, step, like);
}

void SolverRun::after(const SolverStep& step) {
  residuals_.push_back(step.residual.detach());
  const std::int64_t done = step.step + 1;
  if (done % kLookEvery == 0 || done == total_) look_for_divergence(done);
  if (context_.on_step) context_.on_step(step);
  diffusion::after_step(context_.sample, done, total_, step.state);
}

void SolverRun::look_for_divergence(std::int64_t done) const {
  const at::Tensor all = at::stack(residuals_, 1).to(at::kCPU, at::kDouble).contiguous();
  for (std::int64_t item = 0; item < all.size(0); ++item) {
    const at::Tensor residuals = all[item];
    const double* r = residuals.const_data_ptr<double>();
    const auto end = r + residuals.numel();
    const bool finite = std::all_of(r, end, [](double value) { return std::isfinite(value); });
    const double limit = kGrowthLimit * std::max(y_norm_.const_data_ptr<double>()[item], r[0]);
    const bool growing = finite && end[-1] > limit && end[-1] >= *std::max_element(r, end);
    RESEDA_REQUIRE(finite && !growing, Errc::kNumeric, context_.sample.item, ": ", solver_, " diverged by step ", done,
                   " of ", total_, ": the residual |y - H(x)| of item ", item, " of the batch ",
                   finite ? "keeps growing" : "is not finite", ": ", trace_text(residuals));
  }
}

}  // namespace reseda::inverse
