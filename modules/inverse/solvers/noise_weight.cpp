#include "modules/inverse/solvers/noise_weight.hpp"

#include <algorithm>
#include <cmath>

#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::inverse {

void require_noise_weight(const std::string& name) {
  diffusion::require_choice("solver.denoise_term_weight", name,
                            {"linear", "sqrt", "square", "log", "trunc_linear", "power2over3", "const"});
}

double noise_weight(const std::string& name, double ratio) {
  if (name == "sqrt") return std::sqrt(ratio);
  if (name == "square") return ratio * ratio;
  if (name == "log") return std::log1p(ratio);
  if (name == "trunc_linear") return std::min(ratio, 1.0);
  if (name == "power2over3") return std::cbrt(ratio * ratio);
  if (name == "const") return 1.0;
  return ratio;
}

}  // namespace reseda::inverse
