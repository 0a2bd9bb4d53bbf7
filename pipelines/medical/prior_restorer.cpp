#include "pipelines/medical/prior_restorer.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "modules/inverse/operators/identity.hpp"
#include "modules/inverse/operators/slice_average.hpp"
#include "modules/inverse/operators/super_resolution.hpp"
#include "modules/inverse/solver.hpp"
#include "pipelines/medical/prior_denoiser.hpp"

namespace reseda::medical {
namespace {

/// Means of pairs of rows: slice_average, whose slices are channels, on planes.
class PairsOfRows final : public inverse::ForwardOperator {
 public:
  explicit PairsOfRows(const std::vector<std::int64_t>& image) : inner_({.image = image, .profile = "box"}) {}
  at::Tensor apply(const at::Tensor& x) const override { return turned(inner_.apply(turned(x))); }
  at::Tensor adjoint(const at::Tensor& y) const override { return turned(inner_.adjoint(turned(y))); }
  at::Tensor pseudo_inverse(const at::Tensor& y) const override { return turned(inner_.pseudo_inverse(turned(y))); }

 private:
  static at::Tensor turned(const at::Tensor& x) { return x.transpose(1, 2); }
  inverse::SliceAverage inner_;
};

at::Tensor cubic(const at::Tensor& y, std::int64_t height, std::int64_t width) {
  return at::upsample_bicubic2d(y, {height, width}, /*align_corners=*/false);
}

/// The x nearest to an estimate with H x = y, where rows of H do not overlap.
at::Tensor consistent(const at::Tensor& x, const at::Tensor& y, const inverse::ForwardOperator& op) {
  return x + op.pseudo_inverse(y - op.apply(x));
}

}  // namespace

void PriorRestorerConfig::validate() const {
  RESEDA_REQUIRE(steps >= 1 && steps <= 1000, Errc::kUsage, "red_diff.steps must be in 1 to 1000, got ", steps);
  for (const auto& [key, value] : {std::pair{"least_noise", least_noise}, {"lr", lr}})
    RESEDA_REQUIRE(std::isfinite(value) && value > 0, Errc::kUsage, "red_diff.", key, " must be above 0, got ", value);
  RESEDA_REQUIRE(std::isfinite(most_noise) && most_noise >= least_noise, Errc::kUsage,
                 "red_diff.most_noise must be at least red_diff.least_noise, got ", most_noise);
  for (const auto& [key, value] : {std::pair{"obs_weight", obs_weight}, {"grad_term_weight", grad_term_weight}})
    RESEDA_REQUIRE(std::isfinite(value) && value >= 0, Errc::kUsage, "red_diff.", key, " must not be negative, got ",
                   value);
}

PriorRestorer::PriorRestorer(const MedicalModel& prior, const PriorRestorerConfig& config)
    : prior_(prior), config_(config) {
  config_.validate();
  RESEDA_REQUIRE(!prior.restoration.config().conditional, Errc::kUsage,
                 "the model restores by itself; red-diff needs an unconditional prior");
  const std::int64_t table = prior.restoration.process().steps();
  RESEDA_REQUIRE(table >= config_.steps, Errc::kUsage, "red_diff.steps must be at most the prior's ", table,
                 " times, got ", config_.steps);
  denoiser_ = for_any_sides(prior.restoration.denoiser(), prior.restoration.multiple());
}

at::Tensor PriorRestorer::solve(const at::Tensor& y, const at::Tensor& start, const inverse::ForwardOperator& op,
                                double sigma, NoiseSource& noise, const std::string& item, ReportedSteps& steps) const {
  const c10::NoGradGuard no_gradients;
  const IntensityConfig& range = prior_.task.intensity;
  const diffusion::Process& process = prior_.restoration.process();
  const double s = 2.0 * sigma;
  // Of a table of times, the part from first on, before last, with at least as many times as steps.
  const auto place = [&](double ratio) { return std::llround(time_of(process, ratio) * process.steps()); };
  const std::int64_t first =
      std::min<std::int64_t>(place(config_.least_noise * s) - 1, process.steps() - config_.steps);
  const std::int64_t last = std::max<std::int64_t>(place(config_.most_noise * s), first + config_.steps);
  ConfigNode settings = ConfigNode::map();
  settings["name"] = ConfigNode("red_diff");
  settings["steps"] = ConfigNode(std::to_string(config_.steps));
  settings["start_step"] = ConfigNode(std::to_string(last));
  settings["end_step"] = ConfigNode(std::to_string(first));
  settings["lr"] = ConfigNode(number_text(config_.lr * s));
  settings["lr_schedule"] = ConfigNode("cosine");
  settings["obs_weight"] = ConfigNode(number_text(config_.obs_weight));
  settings["grad_term_weight"] = ConfigNode(number_text(config_.grad_term_weight));
  const auto solver = inverse::make_solver(settings, "red_diff");

  const c10::Device device = prior_.restoration.network().tensors().front().second.device();
  // The operators are means, so that they take the prior's range to itself.
  const auto seen = [&](const at::Tensor& x) { return 2.0 * x.clamp(range.least, range.most).to(device) - 1.0; };
  const at::Tensor from = seen(start);
  diffusion::SampleContext context{noise, item, steps.inner(), {}};
  inverse::SolveContext solve_context{context, s, {}};
  const at::Tensor x = solver->solve(seen(y), from, op, process, *denoiser_, solve_context);
  return start + (0.5 * (x - from)).cpu();
}

at::Tensor PriorRestorer::denoise(const at::Tensor& numbers, double sigma, NoiseSource& noise, const std::string& item,
                                  const ProgressSink& progress, const std::function<bool(std::int64_t)>& wanted) const {
  at::Tensor out = numbers.clone();
  if (sigma <= 0) return out;
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < numbers.size(0); ++i)
    if (!wanted || wanted(i)) places.push_back(i);
  const inverse::Identity op({.image = {1, numbers.size(1), numbers.size(2)}});
  ReportedSteps steps(progress, static_cast<std::int64_t>(places.size()) * config_.steps);
  for (const std::int64_t i : places) {
    const at::Tensor y = numbers[i].unsqueeze(0).unsqueeze(0);
    out[i].copy_(solve(y, y, op, sigma, noise, item + ", slice " + std::to_string(i), steps)[0][0]);
  }
  return out;
}

at::Tensor PriorRestorer::enlarge_in_plane(const at::Tensor& numbers, NoiseSource& noise, const std::string& item,
                                           const ProgressSink& progress) const {
  const std::int64_t height = 2 * numbers.size(1), width = 2 * numbers.size(2);
  const inverse::SuperResolution op({.image = {1, height, width}, .factor = 2});
  ReportedSteps steps(progress, numbers.size(0) * config_.steps);
  at::Tensor out = at::empty({numbers.size(0), height, width}, numbers.options());
  for (std::int64_t i = 0; i < numbers.size(0); ++i) {
    const at::Tensor y = numbers[i].unsqueeze(0).unsqueeze(0);
    const at::Tensor x = solve(y, consistent(cubic(y, height, width), y, op), op, kEnlargingSigma, noise,
                               item + ", slice " + std::to_string(i), steps);
    out[i].copy_(consistent(x, y, op)[0][0]);
  }
  return out;
}

void PriorRestorer::add_planes(const at::Tensor& numbers, std::int64_t axis, NoiseSource& noise,
                               const std::string& item, ReportedSteps& steps, at::Tensor& sum) const {
  const std::int64_t depth = 2 * numbers.size(0), width = numbers.size(3 - axis);
  const PairsOfRows op({depth, 1, width});
  for (std::int64_t i = 0; i < numbers.size(axis); ++i) {
    const at::Tensor y = numbers.select(axis, i).contiguous().unsqueeze(0).unsqueeze(0);
    const std::string name = item + ", plane " + std::to_string(i) + (axis == 1 ? " across h" : " across w");
    const at::Tensor x = solve(y, consistent(cubic(y, depth, width), y, op), op, kEnlargingSigma, noise, name, steps);
    sum.select(axis, i).add_(consistent(x, y, op)[0][0]);
  }
}

at::Tensor PriorRestorer::enlarge_through_plane(const at::Tensor& numbers, NoiseSource& noise, const std::string& item,
                                                const ProgressSink& progress) const {
  const std::int64_t height = numbers.size(1), width = numbers.size(2);
  ReportedSteps steps(progress, (height + width) * config_.steps);
  at::Tensor sum = at::zeros({2 * numbers.size(0), height, width}, numbers.options());
  add_planes(numbers, 1, noise, item, steps, sum);
  add_planes(numbers, 2, noise, item, steps, sum);
  return sum.mul_(0.5);
}

}  // namespace reseda::medical
