#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace reseda::diffusion {

/// The shifting schedule of ResShift and of what descends from it, by the official names of its settings.
struct ResshiftScheduleConfig {
  std::string schedule = "exponential";
  std::int64_t steps = 15;
  double power = 0.3;
  double etas_end = 0.99;
  double min_noise_level = 0.04;
  double kappa = 2.0;
  bool cap_start = false;
  std::int64_t respacing = 0;
  template <class V>
  void fields(V& v) {
    v("schedule", schedule, "exponential: sqrt(eta) grows geometrically in a power of the index");
    v("steps", steps, "number of steps T");
    v("power", power, "exponent p of the index");
    v("etas_end", etas_end, "sqrt(eta) of the last step");
    v("min_noise_level", min_noise_level, "noise of the first step: sqrt(eta) is at most this, and this / kappa");
    v("kappa", kappa, "noise scale: c = kappa sqrt(eta)");
    v("cap_start", cap_start,
      "the first sqrt(eta) is also at most sqrt(0.001), as in DifIISR and UPSR; not so in ResShift");
    v("respacing", respacing, "steps that are kept of the T, evenly from the first on; 0 keeps all");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// The steps that are kept, index 0 the cleanest.
struct ResshiftSchedule {
  std::vector<double> roots;          ///< sqrt(eta)
  std::vector<std::int64_t> indices;  ///< of the steps among the T, which the network is told
};

/// sqrt(eta_i) = s0 (etas_end / s0)^((i / (T - 1))^p),  s0 = min(min_noise_level, min_noise_level / kappa), with
/// cap_start also sqrt(0.001); respacing to n of T keeps the indices floor(k T / n), k = 0 .. n-1.
/// @throws Error{kUsage}
/// Source: Yue et al. 2023, "ResShift: Efficient Diffusion Model for Image Super-resolution by Residual Shifting",
/// Sec. 3.2. Official: zsyOAOA/ResShift, models/gaussian_diffusion.py, get_named_eta_schedule; models/respace.py.
/// Quirk: DifIISR and UPSR have the term sqrt(0.001), ResShift has not.
ResshiftSchedule resshift_schedule(const ResshiftScheduleConfig& config);

}  // namespace reseda::diffusion
