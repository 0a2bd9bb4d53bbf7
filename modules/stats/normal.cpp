#include "modules/stats/normal.hpp"

#include <boost/math/special_functions/erf.hpp>
#include <numbers>

#include "modules/core/error.hpp"

namespace reseda::stats {

double normal_cdf(double z) { return 0.5 * boost::math::erfc(-z / std::numbers::sqrt2); }

double normal_quantile(const ProbabilityBound& at) {
  RESEDA_REQUIRE(at.p > 0 && at.q > 0, Errc::kInternal, "normal quantile at ", at.p);
  const bool right = at.q < at.p;
  const double z = std::numbers::sqrt2 * boost::math::erfc_inv(2 * (right ? at.q : at.p));
  return right ? z : -z;
}

double normal_quantile(double p) { return normal_quantile({p, 1 - p}); }

}  // namespace reseda::stats
