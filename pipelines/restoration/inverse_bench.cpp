#include "pipelines/restoration/inverse_bench.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>

#include "io/record/csv.hpp"
#include "io/record/svg_plot.hpp"
#include "modules/diffusion/rescaled_denoiser.hpp"
#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/solver.hpp"
#include "modules/metrics/psnr.hpp"
#include "modules/metrics/ssim.hpp"

namespace reseda::restoration {
namespace {

ConfigNode options(const std::string& name, const std::vector<std::pair<std::string, std::string>>& keys = {}) {
  ConfigNode node = ConfigNode::map();
  node["name"] = ConfigNode(name);
  for (const auto& [key, value] : keys) node.set(key, value);
  return node;
}

/// A component under the name it has in the table, with its settings.
struct Named {
  std::string name;
  ConfigNode config;
};

/// Operators of the registry, with their defaults but for one that has none.
std::vector<Named> bench_operators() {
  std::vector<Named> out;
  for (const inverse::OperatorEntry* entry : inverse::operator_entries()) {
    ConfigNode config = options(entry->name);
    if (entry->name == "composition") {
      ConfigNode parts = ConfigNode::list();
      for (const char* part : {"blur", "super_resolution"}) parts.append(options(part));
      config["parts"] = parts;
    }
    out.push_back({entry->name, config});
  }
  return out;
}

/// Solvers of the registry that look at the measurement, in its order, with this many calls where they take a number.
std::vector<Named> bench_solvers_by_name(std::int64_t steps) {
  const auto count = std::to_string(steps);
  std::vector<Named> out;
  for (const inverse::SolverEntry* entry : inverse::solver_entries()) {
    const std::string& name = entry->name;
    if (name == "ddim" || name == "sds" || name == "sds_var") continue;  // samples of the prior alone
    if (name == "noise_optimisation")  // every step is a run of a sampler there and back
      out.push_back({name, options(name, {{"steps", std::to_string(std::max<std::int64_t>(1, steps / 10))}})});
    else
      out.push_back({name, options(name, {{"steps", count}})});
  }
  return out;
}

void require_known(const std::vector<std::string>& wanted, const std::vector<Named>& known, const char* kind) {
  for (const std::string& name : wanted) {
    std::string all;
    bool found = false;
    for (const Named& one : known) {
      all += (all.empty() ? "" : ", ") + one.name;
      found = found || one.name == name;
    }
    RESEDA_REQUIRE(found, Errc::kUsage, "unknown ", kind, " '", name, "' (known: ", all, ")");
  }
}

bool is_wanted(const std::vector<std::string>& wanted, const std::string& name) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end();
}

/// One measurement of the image, and everything that is asked of it.
class Measured {
 public:
  Measured(const RestorationModel& prior, const at::Tensor& image, const Named& named, const InverseBenchConfig& config)
      : prior_(prior),
        name_(named.name),
        image_(image.unsqueeze(0)),
        noise_(config.seed),
        sigma_(2.0 * config.sigma),
        operator_(inverse::make_operator(named.config, image.sizes())),
        denoiser_(prior.denoiser()),
        exploding_(diffusion::make_process(options("ve", {{"sigma_max", "100"}}), "process")),
        rescaled_(*denoiser_, prior.process(), *exploding_) {
    const at::Tensor clean = operator_->apply(image_);
    y_ = clean + sigma_ * diffusion::draw_like(noise_, {name_, "measurement noise", 0}, clean);
    start_ = operator_->pseudo_inverse(y_);
  }

  bool is_linear() const { return operator_->is_linear(); }
  InverseScore first_guess() const { return scored("first guess", start_, 0); }

  InverseScore run(const Named& named) {
    diffusion::SampleContext sample{noise_, name_, {}, {}};
    inverse::SolveContext context{sample, sigma_, {}};
    const auto start = std::chrono::steady_clock::now();
    try {
      const auto solver = inverse::make_solver(named.config);
      const bool explodes = named.name == "diffusion_mbir" || named.name == "score_mri";
      const diffusion::Denoiser& denoiser = explodes ? rescaled_ : *denoiser_;
      const diffusion::Process& process = explodes ? *exploding_ : prior_.process();
      const at::Tensor x = solver->solve(y_, start_, *operator_, process, denoiser, context).detach();
      return scored(named.name, x, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    } catch (const Error& error) {
      if (error.code() != Errc::kUsage && error.code() != Errc::kNumeric) throw;
      return {.operation = name_, .solver = named.name, .problem = error.what()};
    }
  }

  at::Tensor samples(const Named& named, std::int64_t count) {
    diffusion::SampleContext sample{noise_, name_, {}, {}};
    inverse::SolveContext context{sample, sigma_, {}};
    const auto solver = inverse::make_solver(named.config);
    return inverse::posterior_samples(*solver, count, 4, y_, start_, *operator_, prior_.process(), *denoiser_, context)
        .detach();
  }

 private:
  InverseScore scored(const std::string& solver, const at::Tensor& x, double seconds) const {
    const at::Tensor shown = (x.is_complex() ? at::real(x) : x).clamp(-1, 1);
    const at::Tensor r = y_ - operator_->apply(x);
    const double rms = r.abs().square().mean().sqrt().item<double>();
    return {.operation = name_,
            .solver = solver,
            .psnr = metrics::psnr(image_.clamp(-1, 1), shown, 2.0),
            .ssim = metrics::ssim(image_.clamp(-1, 1), shown, 2.0),
            .residual = sigma_ > 0 ? rms / sigma_ : rms,
            .seconds = seconds,
            .estimate = shown.squeeze(0)};
  }

  const RestorationModel& prior_;
  std::string name_;
  at::Tensor image_;
  CounterNoise noise_;
  double sigma_;
  std::unique_ptr<inverse::ForwardOperator> operator_;
  std::unique_ptr<diffusion::Denoiser> denoiser_;
  std::unique_ptr<diffusion::Process> exploding_;  // for solvers of the variance exploding process
  diffusion::RescaledDenoiser rescaled_;
  at::Tensor y_, start_;
};

const Named& the_one(const std::vector<Named>& all, const std::vector<std::string>& names, const char* kind) {
  RESEDA_REQUIRE(names.size() == 1, Errc::kUsage, "samples of the posterior need one ", kind, ", got ", names.size());
  require_known(names, all, kind);
  return *std::find_if(all.begin(), all.end(), [&](const Named& one) { return one.name == names.front(); });
}

double correlation_of(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = (a - a.mean()).to(at::kDouble), y = (b - b.mean()).to(at::kDouble);
  return ((x * y).mean() / (x.square().mean() * y.square().mean()).sqrt()).item<double>();
}

std::string fixed(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

}  // namespace

std::vector<InverseScore> bench_inverse(const RestorationModel& prior, const at::Tensor& image,
                                        const InverseBenchConfig& config, const ProgressSink& progress) {
  const std::vector<Named> operators = bench_operators(), solvers = bench_solvers_by_name(config.steps);
  require_known(config.operators, operators, "operator");
  require_known(config.solvers, solvers, "solver");
  for (const auto& [name, tensor] : prior.network().tensors()) tensor.set_requires_grad(false);
  std::vector<InverseScore> scores;
  std::int64_t done = 0;
  for (const Named& op : operators) {
    if (!is_wanted(config.operators, op.name)) continue;
    std::unique_ptr<Measured> measured;
    try {
      measured = std::make_unique<Measured>(prior, image, op, config);
    } catch (const Error& error) {
      if (error.code() != Errc::kUsage) throw;
      scores.push_back({.operation = op.name, .solver = "-", .problem = error.what()});
      continue;
    }
    if (!measured->is_linear()) continue;
    scores.push_back(measured->first_guess());
    for (const Named& solver : solvers) {
      if (!is_wanted(config.solvers, solver.name)) continue;
      scores.push_back(measured->run(solver));
      if (progress && !progress({++done, 0, op.name + ", " + solver.name})) throw Error(Errc::kInterrupted, "stopped");
    }
  }
  return scores;
}

PosteriorReport bench_posterior(const RestorationModel& prior, const at::Tensor& image,
                                const InverseBenchConfig& config, std::int64_t count) {
  RESEDA_REQUIRE(count >= 2, Errc::kUsage, "samples of the posterior must be at least 2, got ", count);
  const std::vector<Named> operators = bench_operators(), solvers = bench_solvers_by_name(config.steps);
  const Named& op = the_one(operators, config.operators, "operator");
  const Named& solver = the_one(solvers, config.solvers, "solver");
  for (const auto& [name, tensor] : prior.network().tensors()) tensor.set_requires_grad(false);
  Measured measured(prior, image, op, config);
  const at::Tensor samples = measured.samples(solver, count);
  const inverse::PosteriorMoments moments = inverse::posterior_moments(samples);
  const at::Tensor error = (moments.mean - image).abs();
  return {moments.mean, moments.deviation, inverse::calibration(samples, image),
          metrics::psnr(image.clamp(-1, 1), moments.mean.clamp(-1, 1), 2.0), correlation_of(moments.deviation, error)};
}

std::string calibration_csv(const inverse::Calibration& calibration) {
  io::CsvTable table({"nominal", "observed"});
  for (std::size_t i = 0; i < calibration.nominal.size(); ++i)
    table.add({fixed(calibration.nominal[i], 4), fixed(calibration.observed[i], 4)});
  return table.text();
}

std::string calibration_plot(const inverse::Calibration& calibration, const std::string& title) {
  return io::line_plot({.title = title, .x_label = "nominal coverage", .y_label = "observed coverage"},
                       {{.name = "observed", .x = calibration.nominal, .y = calibration.observed},
                        {.name = "ideal", .x = {0, 1}, .y = {0, 1}}});
}

std::string inverse_csv(const std::vector<InverseScore>& scores) {
  io::CsvTable table({"operator", "solver", "psnr_db", "ssim", "residual_in_sigma", "seconds", "problem"});
  for (const InverseScore& s : scores) {
    const auto number = [&](double value, int decimals) {
      return s.problem.empty() ? fixed(value, decimals) : std::string();
    };
    table.add({s.operation, s.solver, number(s.psnr, 3), number(s.ssim, 4), number(s.residual, 3), number(s.seconds, 2),
               s.problem});
  }
  return table.text();
}

}  // namespace reseda::restoration
