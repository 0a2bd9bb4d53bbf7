#include <ATen/ATen.h>

#include <algorithm>
#include <string>

#include "modules/diffusion/samplers/rddm_step.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/resshift_setup.hpp"

namespace reseda::golden {
namespace {

using diffusion::Marginal;
using diffusion::Upsr;

/// One item of the case, whose weight makes the process its own.
struct Item {
  Item(GoldenCase& of, const Upsr& plain, std::int64_t number)
      : golden(of), index(number), weight(part("un")), process(plain.with_weight(weight)) {
    const at::Tensor time = golden.input("t")[index];
    place = time.item<std::int64_t>();
    from = process.at(time_at(place));
    to = process.at(time_at(place - 1));
  }
  double time_at(std::int64_t i) const { return static_cast<double>(i + 1) / static_cast<double>(process.steps()); }
  at::Tensor part(const char* name) const { return golden.input(name).narrow(0, index, 1); }
  void check(const std::string& name, const at::Tensor& actual) const {
    golden.check_item("out." + name, index, actual);
  }

  /// The step whose variance stands for that of a place: the first has none of its own.
  diffusion::RddmStep posterior(std::int64_t i) const {
    return diffusion::rddm_step(diffusion::RddmUpdate::kMixed, process.at(time_at(i)), process.at(time_at(i - 1)), 1.0);
  }

  GoldenCase& golden;
  std::int64_t index, place = 0;
  at::Tensor weight;
  Upsr process;
  Marginal from, to;
};

/// The estimate of x0. Official code solves eps and c eps by (x - c eps) / (1 - b w), which is no inverse of its
/// forward process and no released model has; here these types are checked behind that formula.
at::Tensor estimate(const Item& item, const std::string& type) {
  const at::Tensor output = at::pixel_unshuffle(item.part("model_out"), 4), x = item.part("x_t");
  if (type == "xstart" || type == "residual")
    return diffusion::estimates_from(resshift_target(type), output, x, item.part("y"), item.from, {}).x0;
  const at::Tensor noise = type == "epsilon" ? item.from.c * output : output;
  return (x - noise) / (1 - item.from.b * item.weight);
}

void check_type(const Item& item, const std::string& type) {
  const at::Tensor x0 = estimate(item, type), x = item.part("x_t"), y = item.part("y"), z = item.part("p_noise");
  const diffusion::RddmStep step = item.posterior(item.place);
  const at::Tensor mean = step.state * x + step.x0 * x0;
  item.check(type + ".pred_xstart", x0);
  item.check(type + ".mean", mean);
  item.check(type + ".p_sample", mean + step.noise * z);
  const at::Tensor eps = diffusion::estimates_from(diffusion::Target::kX0, x0, x, y, item.from, {}).eps;
  const at::Tensor next = item.to.a * x0 + item.to.b * y + item.to.c * eps;
  item.check(type + ".ddim_eta0.0", next);
  // Quirk: official fresh noise has no weight, and none of the old noise makes room for it.
  const at::Tensor plain = step.noise.value / item.weight.to(at::kDouble);
  item.check(type + ".ddim_eta0.7", next + diffusion::Coef(0.7 * plain) * z);
}

void check_forward(const Item& item) {
  const at::Tensor x0 = item.part("x0"), x = item.part("x_t"), y = item.part("y"), z = item.part("noise");
  item.check("q_sample", item.from.sample(x0, y, z));
  item.check("q_mean", item.from.mean(x0, y));
  item.check("q_variance", item.from.c.value.square());
  item.check("q_log_variance", item.from.c.value.square().log());
  RecordedNoise noise({z});
  item.check("prior_sample", item.process.prior(y, noise, ""));
  item.check("scale_input", x * item.process.network_scale(item.time_at(item.place)));
  const diffusion::RddmStep step = item.posterior(item.place);
  item.check("posterior_mean", step.state * x + step.x0 * x0);
  const at::Tensor variance = step.noise.value.square().expand(x.sizes());
  const at::Tensor logarithm = item.posterior(std::max<std::int64_t>(item.place, 1)).noise.value.square().log();
  for (const char* name : {"posterior_variance", "variance"}) item.check(name, variance);
  for (const char* name : {"posterior_log_variance", "log_variance"}) item.check(name, logarithm);
}

}  // namespace

/// Forward process and steps of UPSR with a weight for each pixel.
void run_upsr_operators(GoldenCase& golden) {
  const Upsr plain(upsr_config(golden.config().at("diffusion")));
  golden.input("y_hat");  // which never enters
  for (std::int64_t i = 0; i < golden.input("t").size(0); ++i) {
    const Item item(golden, plain, i);
    check_forward(item);
    for (const std::string type : golden.config().at("predict_types")) check_type(item, type);
  }
  golden.check("out.pixel_unshuffle", at::pixel_unshuffle(golden.input("img"), 4));
}

}  // namespace reseda::golden
