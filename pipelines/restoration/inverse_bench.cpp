#include "pipelines/restoration/inverse_bench.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "io/record/csv.hpp"
#include "io/record/svg_plot.hpp"
#include "modules/diffusion/rescaled_denoiser.hpp"
#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/solver.hpp"
#include "modules/metrics/psnr.hpp"
#include "modules/metrics/ssim.hpp"
#include "pipelines/restoration/mean_interval.hpp"

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
std::vector<Named> every_operator() {
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
std::vector<Named> every_solver(std::int64_t steps) {
  std::vector<Named> out;
  for (const inverse::SolverEntry* entry : inverse::solver_entries()) {
    const std::string& name = entry->name;
    if (name == "ddim" || name == "sds" || name == "sds_var") continue;  // samples of the prior alone
    // Every step of noise_optimisation is a run of a sampler there and back.
    const std::int64_t count = name == "noise_optimisation" ? std::max<std::int64_t>(1, steps / 10) : steps;
    out.push_back({name, options(name, {{"steps", std::to_string(count)}})});
  }
  return out;
}

const Named& known(const std::vector<Named>& all, const std::string& name, const char* kind) {
  std::string names;
  for (const Named& one : all) {
    if (one.name == name) return one;
    names += (names.empty() ? "" : ", ") + one.name;
  }
  detail::raise(Errc::kUsage, "unknown ", kind, " '", name, "' (known: ", names, ")");
}

/// Lays options "KEY=VALUE,KEY=VALUE" over a config. @param whole  for messages
void set_options(ConfigNode& config, const std::string& text, const std::string& whole) {
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    const std::size_t equals = word.find('=');
    RESEDA_REQUIRE(equals != std::string::npos && equals > 0, Errc::kUsage,
                   "options of a solver must be like dps:scale=1,clip=0, got '", whole, "'");
    config.set(word.substr(0, equals), word.substr(equals + 1));
    begin = end + 1;
  }
}

/// The solvers that the config asks for, or every one. @throws Error{kUsage} on unknown names and options
std::vector<Named> bench_solvers_of(const InverseBenchConfig& config) {
  const std::vector<Named> all = every_solver(config.steps);
  if (config.solvers.empty()) return all;
  std::vector<Named> out;
  for (const std::string& wanted : config.solvers) {
    const std::size_t colon = wanted.find(':');
    Named one = known(all, wanted.substr(0, colon), "solver");
    if (colon != std::string::npos) set_options(one.config, wanted.substr(colon + 1), wanted);
    inverse::make_solver(one.config);
    one.name = wanted;
    out.push_back(std::move(one));
  }
  return out;
}

/// The operators that the config asks for, or every one. @throws Error{kUsage} on unknown names
std::vector<Named> bench_operators_of(const InverseBenchConfig& config) {
  const std::vector<Named> all = every_operator();
  if (config.operators.empty()) return all;
  std::vector<Named> out;
  for (const std::string& wanted : config.operators) out.push_back(known(all, wanted, "operator"));
  return out;
}

/// One measurement of the image, and everything that is asked of it.
class Measured {
 public:
  Measured(const RestorationModel& prior, const at::Tensor& image, const Named& named, double sigma, std::uint64_t seed)
      : prior_(prior),
        name_(named.name),
        image_(image.unsqueeze(0)),
        noise_(seed),
        sigma_(2.0 * sigma),
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

  /// @throws Error{kUsage} where the solver does not fit the operator, Error{kNumeric} where it diverges
  InverseScore run(const Named& named) {
    diffusion::SampleContext sample{noise_, name_, {}, {}};
    inverse::SolveContext context{sample, sigma_, {}};
    const auto start = std::chrono::steady_clock::now();
    const auto solver = inverse::make_solver(named.config);
    const std::string& kind = named.config.find("name")->scalar();
    const bool explodes = kind == "diffusion_mbir" || kind == "score_mri";
    const diffusion::Denoiser& denoiser = explodes ? rescaled_ : *denoiser_;
    const diffusion::Process& process = explodes ? *exploding_ : prior_.process();
    const at::Tensor x = solver->solve(y_, start_, *operator_, process, denoiser, context).detach();
    RESEDA_REQUIRE(at::isfinite(x).all().item<bool>(), Errc::kNumeric, name_, ": ", kind,
                   " diverged: its result is not finite");
    return scored(named.name, x, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
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

/// Measurements of all images by one operator.
using MeasuredSet = std::vector<std::unique_ptr<Measured>>;

MeasuredSet measure(const RestorationModel& prior, const std::vector<at::Tensor>& images, const Named& op,
                    const InverseBenchConfig& config) {
  MeasuredSet out;
  for (std::size_t k = 0; k < images.size(); ++k)
    out.push_back(std::make_unique<Measured>(prior, images[k], op, config.sigma, config.seed + k));
  return out;
}

/// Means of what one solver reached on each image.
InverseScore mean_score(const std::vector<InverseScore>& scores) {
  std::vector<double> psnr, ssim, residual, seconds;
  for (const InverseScore& score : scores) {
    psnr.push_back(score.psnr);
    ssim.push_back(score.ssim);
    residual.push_back(score.residual);
    seconds.push_back(score.seconds);
  }
  const MeanInterval interval = mean_interval(psnr);
  InverseScore mean = scores.front();
  mean.psnr = interval.mean;
  mean.psnr_half_width = interval.half_width;
  mean.ssim = mean_interval(ssim).mean;
  mean.residual = mean_interval(residual).mean;
  mean.seconds = mean_interval(seconds).mean;
  return mean;
}

InverseScore first_guess(const MeasuredSet& measured) {
  std::vector<InverseScore> scores;
  for (const auto& one : measured) scores.push_back(one->first_guess());
  return mean_score(scores);
}

InverseScore run(const MeasuredSet& measured, const Named& op, const Named& solver) {
  std::vector<InverseScore> scores;
  try {
    for (const auto& one : measured) scores.push_back(one->run(solver));
  } catch (const Error& error) {
    if (error.code() != Errc::kUsage && error.code() != Errc::kNumeric) throw;
    const std::string where = measured.size() > 1 ? "image " + std::to_string(scores.size() + 1) + ": " : "";
    return {.operation = op.name,
            .solver = solver.name,
            .problem = where + error.what(),
            .diverged = error.code() == Errc::kNumeric};
  }
  return mean_score(scores);
}

const Named& the_one(const std::vector<Named>& chosen, const char* kind) {
  RESEDA_REQUIRE(chosen.size() == 1, Errc::kUsage, "samples of the posterior need one ", kind, ", got ", chosen.size());
  return chosen.front();
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

std::vector<InverseScore> bench_inverse(const RestorationModel& prior, const std::vector<at::Tensor>& images,
                                        const InverseBenchConfig& config, const ProgressSink& progress) {
  RESEDA_INVARIANT(!images.empty());
  const std::vector<Named> operators = bench_operators_of(config), solvers = bench_solvers_of(config);
  for (const auto& [name, tensor] : prior.network().tensors()) tensor.set_requires_grad(false);
  std::vector<InverseScore> scores;
  std::int64_t done = 0;
  for (const Named& op : operators) {
    MeasuredSet measured;
    try {
      measured = measure(prior, images, op, config);
    } catch (const Error& error) {
      if (error.code() != Errc::kUsage) throw;
      scores.push_back({.operation = op.name, .solver = "-", .problem = error.what()});
      continue;
    }
    if (!measured.front()->is_linear()) continue;
    scores.push_back(first_guess(measured));
    for (const Named& solver : solvers) {
      scores.push_back(run(measured, op, solver));
      if (progress && !progress({++done, 0, op.name + ", " + solver.name})) throw Error(Errc::kInterrupted, "stopped");
    }
  }
  return scores;
}

PosteriorReport bench_posterior(const RestorationModel& prior, const at::Tensor& image,
                                const InverseBenchConfig& config, std::int64_t count) {
  RESEDA_REQUIRE(count >= 2, Errc::kUsage, "samples of the posterior must be at least 2, got ", count);
  const std::vector<Named> operators = bench_operators_of(config), solvers = bench_solvers_of(config);
  const Named &op = the_one(operators, "operator"), &solver = the_one(solvers, "solver");
  for (const auto& [name, tensor] : prior.network().tensors()) tensor.set_requires_grad(false);
  Measured measured(prior, image, op, config.sigma, config.seed);
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
  io::CsvTable table(
      {"operator", "solver", "psnr_db", "psnr_half_width_db", "ssim", "residual_in_sigma", "seconds", "problem"});
  for (const InverseScore& s : scores) {
    const auto number = [&](double value, int decimals) {
      return s.problem.empty() ? fixed(value, decimals) : std::string();
    };
    table.add({s.operation, s.solver, number(s.psnr, 3), number(s.psnr_half_width, 3), number(s.ssim, 4),
               number(s.residual, 3), number(s.seconds, 2), s.problem});
  }
  return table.text();
}

}  // namespace reseda::restoration
