#pragma once

#include <string>

#include "modules/nets/network.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {

/// The gradients that stand in a network's parameters: the norm of each in the order of registration,
/// `<out>grad_norms`, and those recorded in full, `<out>grad.<name>`.
void check_network_gradients(GoldenCase& golden, const std::string& out, const nets::Network& network);

}  // namespace reseda::golden
