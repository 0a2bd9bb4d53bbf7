#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <string>

#include "modules/nets/atd.hpp"
#include "tests/golden/atd_network.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {

/// The auxiliary network of UPSR, and the token that each pixel is most like. Recorded tokens behind the first sort are
/// of another run than the recorded values: where those agree within 1e-7, they differ in tokens with gaps of 1e-2.
void run_atd(GoldenCase& golden) {
  const auto network = make_atd(golden.config().at("atd"), golden.weights());
  const std::string similarity = ".similarity";
  network->set_probe([&](const std::string& name, const at::Tensor& value) {
    if (!name.ends_with(similarity)) {
      golden.check_if_recorded("mid." + name, value);
      return;
    }
    const std::string token = "mid.token_id." + name.substr(0, name.size() - similarity.size());
    const at::Tensor recorded = golden.tensor(token);
    if (name.starts_with("layers.0.residual_group.layers.0."))
      golden.check(token, value.argmax(-1).to(recorded.scalar_type()));
  });
  golden.tensor("mid.token_margin_min");
  const c10::InferenceMode inference;
  golden.check("out.sr", network->forward(golden.input("x"), {}, {}));
}

}  // namespace reseda::golden
