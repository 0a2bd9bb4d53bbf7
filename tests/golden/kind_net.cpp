#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <map>

#include "modules/core/error.hpp"
#include "modules/nets/ncsnpp.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/golden_network.hpp"

namespace reseda::golden {

/// One forward pass of a whole network, with every recorded value inside it.
void run_net(GoldenCase& golden) {
  const auto network = make_network(golden.config(), golden.weights());
  auto* ncsnpp = dynamic_cast<nets::Ncsnpp*>(network.get());
  RESEDA_INVARIANT(ncsnpp != nullptr);
  std::map<std::string, int> calls;
  ncsnpp->set_probe([&](const std::string& name, const at::Tensor& value) {
    // The pyramids run once per level: their names carry the number of the call.
    const bool pyramid = name.starts_with("pyramid_");
    golden.check_if_recorded("mid." + name + (pyramid ? ".call" + std::to_string(calls[name]++) : ""), value);
  });
  const at::Tensor x = golden.input("x"), y = golden.input("y"), t = golden.input("t");
  {
    const at::InferenceMode inference;
    golden.check("out.dnn", ncsnpp->forward(x, y, t));
  }
  // Without a probe, and with gradients, blocks take other ways through memory.
  ncsnpp->set_probe({});
  golden.check("out.dnn", ncsnpp->forward(x, y, t));
  const at::InferenceMode inference;
  golden.check("out.dnn", ncsnpp->forward(x, y, t));
  for (std::int64_t item = 0; item < x.size(0); ++item) {
    const auto one = [item](const at::Tensor& all) { return all.slice(0, item, item + 1); };
    golden.check_item("out.dnn", item, ncsnpp->forward(one(x), one(y), one(t)));
  }
}

}  // namespace reseda::golden
