#include "tests/golden/golden_case.hpp"
#include "tests/golden/golden_network.hpp"

namespace reseda::golden {

/// Weights of a network, shared by other cases: they must load, every name and shape.
void run_weights(GoldenCase& golden) {
  make_network(golden.config().at("model"), golden.weights());
  golden.count_check();
}

}  // namespace reseda::golden
