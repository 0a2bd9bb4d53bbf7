#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "modules/diffusion/oracles/gaussian.hpp"
#include "modules/inverse/coil_maps.hpp"
#include "modules/inverse/fourier.hpp"
#include "modules/inverse/kspace_mask.hpp"
#include "modules/inverse/landweber.hpp"
#include "modules/inverse/solver.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/ve_process.hpp"

namespace reseda::golden {
namespace {

/// The official scripts scale modulus and phase of an image to [0, 1] each, which corrupts the phase.
at::Tensor official_normalised(const at::Tensor& image) {
  const auto scaled = [](const at::Tensor& values) {
    const at::Tensor from_zero = values - values.min();
    return from_zero / from_zero.max();
  };
  return at::polar(scaled(image.abs()), scaled(image.angle()));
}

void run_operators(GoldenCase& golden, const std::string& name) {
  const std::string out = "out." + name + ".";
  const at::Tensor x = golden.input(name), maps = golden.input(name + "_sens"), mask = golden.input(name + "_mask"),
                   image = golden.input(name + "_image");
  golden.check(out + "fft2", inverse::corner_fft2(x));
  golden.check(out + "ifft2", inverse::corner_ifft2(x));
  golden.check(out + "fft2_m", inverse::centred_fft2(x));
  golden.check(out + "ifft2_m", inverse::centred_ifft2(x));
  golden.check(out + "rss_abs", inverse::root_sum_of_squares(x, 1));
  // Official scripts also take the root of the sum of squares of complex values, for a picture of the input.
  golden.check(out + "rss_complex", x.square().sum(1).sqrt());
  golden.check(out + "normalize_complex", official_normalised(x));
  const auto op = recorded_mri(image, mask, maps, "complex", "centre");
  golden.check(out + "A", op->apply(image));
  golden.check(out + "AH", op->adjoint(x));
  golden.check(out + "kaczmarz", inverse::landweber_step(*op, image, op->apply(image) + 0.1 * x, 0.7));
}

/// What one run of the solver measures and how it is set up.
struct MriRun {
  at::Tensor truth;
  std::unique_ptr<inverse::Mri> op;
  nlohmann::json solver;
};

MriRun mri_run(GoldenCase& golden, const nlohmann::json& run) {
  const std::string kind = run.at("op").get<std::string>();
  const at::Tensor mask = golden.input("mask");
  MriRun made;
  made.solver = {{"name", "score_mri"}, {"langevin_norm", "batch"}, {"index", "truncated"}};
  made.solver["steps"] = run.at("N");
  made.solver["snr"] = run.at("snr");
  const bool denoise = run.value("denoise", true);
  made.solver["result"] = denoise ? "mean" : "state";
  if (kind == "real" || kind == "RI") {
    made.truth = golden.input(kind == "real" ? "real" : "complex");
    made.op = recorded_mri(made.truth, mask, {}, kind == "real" ? "real" : "complex", "corner");
    made.solver["init"] = "projected_real";
    if (kind == "real" && denoise) made.solver["result"] = "repeated";
    return made;
  }
  made.truth = golden.input("coils");
  const bool sense = kind == "SENSE";
  const at::Tensor image = sense ? made.truth.slice(1, 0, 1) : made.truth;
  made.op = recorded_mri(image, mask.slice(0, 0, 1), sense ? golden.input("sens") : at::Tensor(), "complex", "centre");
  made.solver["state"] = "coils";
  made.solver["order"] = "predictor_first";
  made.solver["init"] = "noise";
  if (!sense) return made;
  made.solver["sense_every"] = run.at("m_steps");
  made.solver["sense_steps"] = 2000;
  made.solver["sense_update"] = "broadcast";
  return made;
}

}  // namespace

/// Transforms, multi-coil operator and its Kaczmarz step of score-MRI.
void run_mri_ops(GoldenCase& golden) {
  const at::InferenceMode inference;
  for (const nlohmann::json& name : golden.config().at("names")) run_operators(golden, name.get<std::string>());
}

/// Sampling masks of score-MRI from NumPy's seeds.
void run_mri_masks(GoldenCase& golden) {
  for (const nlohmann::json& mask : golden.config().at("masks")) {
    inverse::KspaceMaskConfig config;
    config.type = mask.at("type").get<std::string>();
    config.acceleration = mask.at("acc").get<double>();
    config.center_fraction = mask.at("cf").get<double>();
    inverse::NumpyRandom random(mask.at("seed").get<std::uint32_t>());
    const auto size = mask.at("size").get<std::int64_t>();
    const std::string name = "out." + mask.at("name").get<std::string>();
    std::vector<at::Tensor> all;
    // One mask for the whole batch is drawn once.
    const bool fixed = mask.at("fix").get<bool>();
    for (std::int64_t i = 0; i < (fixed ? 1 : mask.at("batch").get<std::int64_t>()); ++i)
      all.push_back(inverse::kspace_mask(config, size, size, random));
    const std::int64_t items = golden.tensor(name).size(0);
    at::Tensor masks = at::stack(all).to(at::kByte);
    if (fixed) masks = masks.expand({items, -1, -1});
    // Masks of lines are recorded as one row.
    golden.check(name, golden.tensor(name).size(1) == 1 ? masks.slice(1, 0, 1) : masks);
  }
}

/// The samplers of score-MRI with an analytic score.
void run_mri_solver(GoldenCase& golden) {
  const at::InferenceMode inference;
  for (const nlohmann::json& run : golden.config().at("runs")) {
    const std::string out = "out." + run.at("name").get<std::string>() + ".";
    const MriRun made = mri_run(golden, run);
    const bool coils = made.op->maps().defined();
    const at::Tensor y = coils ? made.op->sample(made.truth) : made.op->apply(made.truth);
    golden.check(out + "y", y);
    const auto process = ve_process(run);
    const diffusion::GaussianOracle oracle(golden.input("prior_mean"), run.at("tau").get<double>(), *process);
    diffusion::SampleContext sample{.noise = golden.noise(), .item = golden.name(), .on_step = {}, .trace = {}};
    inverse::SolveContext context{.sample = sample, .sigma_y = 0, .on_step = {}};
    const auto solver = inverse::make_solver(to_config(made.solver));
    golden.check(out + "x", solver->solve(y, {}, *made.op, *process, oracle, context));
  }
}

}  // namespace reseda::golden
