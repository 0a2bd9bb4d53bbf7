#include "modules/diffusion/rddm_objective.hpp"

#include <ATen/ATen.h>

#include <array>
#include <vector>

#include "modules/core/config.hpp"
#include "modules/core/error.hpp"

namespace reseda::diffusion {
namespace {

struct Name {
  RddmObjective objective;
  const char* name;
};
constexpr std::array kNames = {Name{RddmObjective::kResNoise, "pred_res_noise"},
                               Name{RddmObjective::kResAddNoise, "pred_res_add_noise"},
                               Name{RddmObjective::kX0Noise, "pred_x0_noise"},
                               Name{RddmObjective::kX0AddNoise, "pred_x0_add_noise"},
                               Name{RddmObjective::kNoise, "pred_noise"},
                               Name{RddmObjective::kRes, "pred_res"},
                               Name{RddmObjective::kX0, "pred_x0"},
                               Name{RddmObjective::kAuto, "auto_res_noise"}};

at::Tensor clipped(const at::Tensor& x, double limit) { return limit > 0 ? x.clamp(-limit, limit) : x; }

at::Tensor from_y(const at::Tensor& y, const at::Tensor& x) { return y.defined() ? y - x : -x; }

/// How the three parts follow from one of them alone, or from two.
struct Parts {
  const RddmCoefficients& k;
  const at::Tensor &x, &y;
  RddmClip clip;

  RddmParts from_noise(const at::Tensor& eps) const {
    const at::Tensor x0 = clipped(rddm_x0_from_noise(k, x, y, eps), clip.x0);
    return {clipped(from_y(y, x0), clip.residual), eps, x0};
  }
  RddmParts from_residual(const at::Tensor& raw) const {
    const at::Tensor residual = clipped(raw, clip.residual);
    return {residual, rddm_noise_from_residual(k, x, y, residual), clipped(from_y(y, residual), clip.x0)};
  }
  RddmParts from_x0(const at::Tensor& x0) const {
    const at::Tensor residual = clipped(from_y(y, x0), clip.residual);
    return {residual, rddm_noise_from_residual(k, x, y, residual), clipped(x0, clip.x0)};
  }
  RddmParts from_residual_and_noise(const at::Tensor& raw, const at::Tensor& eps) const {
    const at::Tensor residual = clipped(raw, clip.residual);
    return {residual, eps, clipped(rddm_x0_from_both(k, x, residual, eps), clip.x0)};
  }
  RddmParts from_x0_and_noise(const at::Tensor& x0, const at::Tensor& eps) const {
    return {clipped(from_y(y, x0), clip.residual), eps, clipped(x0, clip.x0)};
  }
};

}  // namespace

RddmCoefficients rddm_coefficients(const RddmSchedule& schedule, const at::Tensor& index, std::int64_t dimensions) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(dimensions), 1);
  shape[0] = index.size(0);
  const auto at = [&](const at::Tensor& values) { return values.to(index.device()).index({index}).reshape(shape); };
  return {at(schedule.alphas_cumsum), at(schedule.betas_cumsum), at(schedule.one_minus_alphas_cumsum)};
}

at::Tensor rddm_sample(const RddmCoefficients& k, const at::Tensor& x0, const at::Tensor& y, const at::Tensor& eps) {
  return x0 + k.residual * from_y(y, x0) + k.noise * eps;
}

at::Tensor rddm_noise_from_residual(const RddmCoefficients& k, const at::Tensor& x, const at::Tensor& y,
                                    const at::Tensor& residual) {
  return ((y.defined() ? x - y : x) - (k.residual - 1) * residual) / k.noise;
}

at::Tensor rddm_x0_from_noise(const RddmCoefficients& k, const at::Tensor& x, const at::Tensor& y,
                              const at::Tensor& eps) {
  return ((y.defined() ? x - k.residual * y : x) - k.noise * eps) / k.rest;
}

at::Tensor rddm_x0_from_both(const RddmCoefficients& k, const at::Tensor& x, const at::Tensor& residual,
                             const at::Tensor& eps) {
  return x - k.residual * residual - k.noise * eps;
}

RddmObjective parse_rddm_objective(const std::string& name) {
  std::vector<std::string> names;
  std::string all;
  for (const Name& row : kNames) {
    if (name == row.name) return row.objective;
    names.emplace_back(row.name);
    all += (all.empty() ? "" : ", ") + names.back();
  }
  const std::string near = nearest_name(name, names);
  detail::raise(Errc::kUsage, "unknown objective '", name, "'", near.empty() ? "" : "; did you mean '" + near + "'?",
                " (known: ", all, ")");
}

std::int64_t rddm_outputs(RddmObjective objective) {
  switch (objective) {
    case RddmObjective::kResNoise:
    case RddmObjective::kResAddNoise:
    case RddmObjective::kX0Noise:
    case RddmObjective::kX0AddNoise:
      return 2;
    default:
      return 1;
  }
}

RddmParts rddm_parts(RddmObjective objective, RddmUse use, const RddmCoefficients& k, const at::Tensor& first,
                     const at::Tensor& second, const at::Tensor& x, const at::Tensor& y, const RddmClip& clip) {
  const Parts parts{k, x, y, clip};
  switch (objective) {
    case RddmObjective::kResNoise:
      if (use == RddmUse::kFirst) return parts.from_residual(first);
      if (use == RddmUse::kSecond) return parts.from_noise(second);
      return parts.from_residual_and_noise(first, second);
    case RddmObjective::kX0Noise:
      if (use == RddmUse::kFirst) return parts.from_x0(first);
      if (use == RddmUse::kSecond) return parts.from_noise(second);
      return parts.from_x0_and_noise(first, second);
    case RddmObjective::kResAddNoise:
      return parts.from_residual_and_noise(first, second - first);
    case RddmObjective::kX0AddNoise:
      return parts.from_x0_and_noise(first, second - first);
    case RddmObjective::kNoise:
      return parts.from_noise(first);
    case RddmObjective::kRes:
      return parts.from_residual(first);
    case RddmObjective::kX0: {
      RddmParts found = parts.from_x0(first);
      found.x0 = clipped(from_y(y, found.residual), clip.x0);
      return found;
    }
    case RddmObjective::kAuto:
      break;
  }
  detail::raise(Errc::kInternal, "objective auto_res_noise is decided by its scalar before it is asked for parts");
}

}  // namespace reseda::diffusion
