#pragma once

#include "modules/stats/binomial.hpp"

namespace reseda::stats {

/// Phi(z), the distribution function of N(0, 1).
double normal_cdf(double z);
/// Phi^-1 at p with its complement; both ends keep their relative accuracy. @throws Error{kInternal} outside (0, 1)
double normal_quantile(const ProbabilityBound& at);
double normal_quantile(double p);

}  // namespace reseda::stats
