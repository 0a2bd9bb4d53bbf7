#include "pipelines/restoration/solver_bench.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>

#include "io/record/csv.hpp"
#include "io/record/svg_plot.hpp"
#include "modules/diffusion/sampler.hpp"
#include "modules/metrics/psnr.hpp"
#include "modules/metrics/ssim.hpp"
#include "pipelines/restoration/mean_interval.hpp"

namespace reseda::restoration {
namespace {

ConfigNode options(const std::string& name, const std::vector<std::pair<std::string, std::string>>& keys) {
  ConfigNode node = ConfigNode::map();
  node["name"] = ConfigNode(name);
  for (const auto& [key, value] : keys) node[key] = ConfigNode(value);
  return node;
}

std::vector<NamedSampler> official_samplers(const RestorationModel& model, std::int64_t calls) {
  const std::string process = split_name(model.config().process, "process").first;
  const std::string steps = std::to_string(calls);
  std::vector<NamedSampler> out;
  if (process == "rddm") {
    out.push_back({"RDDM (official)", options("rddm_ddim", {{"steps", steps}}), true});
    if (calls % 2 == 0)
      out.push_back(
          {"RDDM, two passes (official)", options("rddm_two_pass", {{"steps", std::to_string(calls / 2)}}), true});
  }
  if (process == "resfusion" && calls == model.process().steps())
    out.push_back({"Resfusion (official)", options("resfusion_ancestral", {}), true});
  return out;
}

struct Pair {
  at::Tensor truth, y;  ///< pixels [C,H,W]; network range [1,C,H,W]
};

class Bench {
 public:
  Bench(const RestorationModel& model, const ImageSet& images, std::uint64_t seed)
      : model_(model), images_(images), noise_(seed) {
    for (std::size_t i = 0; i < images.images.size(); ++i) {
      const at::Tensor x0 = model.to_network(images.images[i]);
      pairs_.push_back(
          {images.images[i], degrade(x0, model.config().degradation, noise_, images.names[i]).unsqueeze(0)});
    }
  }

  SolverScore input() const {
    SolverScore score{.model = model_.config().name, .solver = "input"};
    std::vector<double> psnr, ssim;
    for (const Pair& pair : pairs_) add(pair, pair.y, psnr, ssim);
    return finish(score, psnr, ssim, 0);
  }

  SolverScore run(const NamedSampler& named, std::int64_t calls) {
    const auto sampler = diffusion::make_sampler(named.config);
    const auto denoiser = model_.denoiser(!named.official);
    std::vector<double> psnr, ssim;
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      diffusion::SampleContext context{noise_, images_.names[i], {}, {}};
      add(pairs_[i], sampler->run(pairs_[i].y, model_.process(), *denoiser, context), psnr, ssim);
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return finish({.model = model_.config().name, .solver = named.name, .calls = calls}, psnr, ssim, seconds);
  }

 private:
  void add(const Pair& pair, const at::Tensor& x, std::vector<double>& psnr, std::vector<double>& ssim) const {
    const RestorationModelConfig& config = model_.config();
    const double low = std::min(config.black, config.white), high = std::max(config.black, config.white);
    const at::Tensor pixels = model_.to_pixels(x.squeeze(0)).round().clamp(low, high);
    psnr.push_back(metrics::psnr(pair.truth, pixels, high - low));
    ssim.push_back(metrics::ssim(pair.truth, pixels, high - low));
  }

  SolverScore finish(SolverScore score, const std::vector<double>& psnr, const std::vector<double>& ssim,
                     double seconds) const {
    const MeanInterval interval = mean_interval(psnr);
    score.psnr = interval.mean;
    score.psnr_half_width = interval.half_width;
    score.ssim = mean_interval(ssim).mean;
    score.seconds = seconds / static_cast<double>(pairs_.size());
    return score;
  }

  const RestorationModel& model_;
  const ImageSet& images_;
  CounterNoise noise_;
  std::vector<Pair> pairs_;
};

std::string fixed(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

}  // namespace

std::vector<NamedSampler> samplers_for(const RestorationModel& model, std::int64_t calls) {
  std::vector<NamedSampler> out = official_samplers(model, calls);
  const std::string steps = std::to_string(calls);
  out.push_back({"DDIM", options("bridge_ddim", {{"steps", steps}}), false});
  out.push_back({"DDIM, eta 1", options("bridge_ddim", {{"steps", steps}, {"eta", "1"}}), false});
  out.push_back({"bridge mean", options("bridge_ddim", {{"steps", steps}, {"carry", "0"}}), false});
  out.push_back({"DPM-Solver++ 2M", options("dpm_solver_pp", {{"steps", steps}, {"order", "2"}}), false});
  out.push_back({"DPM-Solver++ 2M, log-SNR",
                 options("dpm_solver_pp", {{"steps", steps}, {"order", "2"}, {"grid", "log_snr"}}), false});
  out.push_back({"DPM-Solver++ 3M", options("dpm_solver_pp", {{"steps", steps}, {"order", "3"}}), false});
  out.push_back(
      {"SDE-DPM-Solver++ 2M", options("dpm_solver_pp", {{"steps", steps}, {"order", "2"}, {"eta", "1"}}), false});
  out.push_back({"UniPC 2", options("unipc", {{"steps", steps}, {"order", "2"}}), false});
  out.push_back({"GHVB 2", options("ghvb", {{"steps", steps}, {"order", "2"}}), false});
  if (calls % 2 == 1)
    out.push_back({"Heun (EDM)", options("heun", {{"steps", std::to_string((calls + 1) / 2)}}), false});
  return out;
}

std::vector<SolverScore> bench_solvers(const RestorationModel& model, const ImageSet& images,
                                       const std::vector<std::int64_t>& calls, std::uint64_t seed,
                                       const ProgressSink& progress) {
  const c10::InferenceMode inference;
  Bench bench(model, images, seed);
  std::vector<SolverScore> scores{bench.input()};
  std::int64_t done = 0, total = 0;
  for (const std::int64_t n : calls) total += n * static_cast<std::int64_t>(samplers_for(model, n).size());
  for (const std::int64_t n : calls)
    for (const NamedSampler& sampler : samplers_for(model, n)) {
      scores.push_back(bench.run(sampler, n));
      done += n;
      if (progress && !progress({done, total, sampler.name + ", " + std::to_string(n) + " calls"}))
        throw Error(Errc::kInterrupted, "stopped");
    }
  return scores;
}

std::string solver_csv(const std::vector<SolverScore>& scores) {
  io::CsvTable table({"model", "solver", "calls", "psnr_db", "psnr_half_width_db", "ssim", "seconds_per_image"});
  for (const SolverScore& s : scores)
    table.add({s.model, s.solver, std::to_string(s.calls), fixed(s.psnr, 3), fixed(s.psnr_half_width, 3),
               fixed(s.ssim, 4), fixed(s.seconds, 3)});
  return table.text();
}

std::string solver_plot(const std::vector<SolverScore>& scores, const std::string& model) {
  std::vector<io::Curve> curves;
  double input = 0;
  for (const SolverScore& s : scores) {
    if (s.model == model && s.calls == 0) input = s.psnr;
    if (s.model != model || s.calls == 0) continue;
    auto curve = std::find_if(curves.begin(), curves.end(), [&](const io::Curve& c) { return c.name == s.solver; });
    if (curve == curves.end()) curve = curves.insert(curves.end(), {.name = s.solver, .x = {}, .y = {}});
    curve->x.push_back(std::log2(static_cast<double>(s.calls)));
    curve->y.push_back(s.psnr < input ? std::numeric_limits<double>::quiet_NaN() : s.psnr);
  }
  return io::line_plot({.title = model, .x_label = "log2 of network calls", .y_label = "PSNR, dB"}, curves);
}

}  // namespace reseda::restoration
