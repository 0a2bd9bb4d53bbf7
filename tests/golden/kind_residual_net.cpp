#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <string>
#include <vector>

#include "modules/core/error.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/residual_network.hpp"

namespace reseda::golden {
namespace {

struct Inputs {
  at::Tensor x, y, t, estimate;
  Inputs item(std::int64_t index) const {
    const auto one = [index](const at::Tensor& all) {
      return all.defined() ? all.slice(0, index, index + 1) : at::Tensor();
    };
    return {one(x), one(y), one(t), one(estimate)};
  }
};

/// Where the parts of the result are recorded: one name for each prediction.
void check_outputs(GoldenCase& golden, const std::vector<std::string>& outputs, const at::Tensor& result,
                   std::int64_t item = -1) {
  const auto parts = result.chunk(static_cast<std::int64_t>(outputs.size()), 1);
  RESEDA_REQUIRE(parts.size() == outputs.size(), Errc::kInput, golden.name(), ": ", outputs.size(),
                 " predictions are recorded");
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (item < 0)
      golden.check(outputs[i], parts[i]);
    else
      golden.check_item(outputs[i], item, parts[i]);
  }
}

/// The call with and without gradients and probe, in both memory layouts, and item by item: each goes another way.
void check_call(GoldenCase& golden, const ResidualNetwork& made, const Inputs& in,
                const std::vector<std::string>& outputs, bool with_mids) {
  nets::Network& network = *made.network;
  const auto call = [&network](const Inputs& given) {
    return network.forward_given(given.x, given.y, given.t, given.estimate);
  };
  check_outputs(golden, outputs, call(in));
  const at::InferenceMode inference;
  made.set_probe([&](const std::string& part, const at::Tensor& value) {
    if (with_mids) golden.check_if_recorded("mid." + part, value);
  });
  check_outputs(golden, outputs, call(in));
  made.set_probe({});
  Inputs last = in;
  last.x = in.x.contiguous(at::MemoryFormat::ChannelsLast);
  check_outputs(golden, outputs, call(last));
  for (std::int64_t item = 0; item < in.x.size(0); ++item) check_outputs(golden, outputs, call(in.item(item)), item);
}

/// The times of a call: one, or a pair that stands side by side.
at::Tensor times_of(GoldenCase& golden, const nlohmann::json& call) {
  std::vector<at::Tensor> times;
  for (const auto& name : call.at("time")) times.push_back(golden.tensor(name.get<std::string>()).to(at::kFloat));
  return times.size() == 1 ? times[0] : at::stack(times, 1);
}

std::vector<std::string> recorded_outputs(GoldenCase& golden, const std::string& prefix) {
  std::vector<std::string> out;
  for (const char* index : {"0", "1"})
    if (golden.has(prefix + index)) out.push_back(prefix + index);
  return out;
}

void check_calls(GoldenCase& golden, const ResidualNetwork& made) {
  for (const auto& call : golden.config().at("calls")) {
    made.set(call.value("set", nlohmann::json::object()));
    const auto [x, y] = made.split(golden.input("x"));
    Inputs in{x, y, times_of(golden, call), {}};
    if (call.value("self_cond", false)) in.estimate = golden.input("x_self_cond");
    check_call(golden, made, in, recorded_outputs(golden, "out." + call.at("tag").get<std::string>() + "."),
               call.value("mid", true));
  }
}

}  // namespace

/// Forward passes of a whole network, with every recorded value inside it.
void run_residual_net(GoldenCase& golden) {
  const ResidualNetwork made = make_residual_network(golden.config(), golden.weights());
  if (golden.config().contains("calls")) return check_calls(golden, made);
  std::vector<at::Tensor> conditions;
  for (const char* name : {"input_cond", "mask_cond"})
    if (golden.has(std::string("in.") + name)) conditions.push_back(golden.input(name));
  const at::Tensor y = conditions.empty() ? at::Tensor() : at::cat(conditions, 1);
  check_call(golden, made, {golden.input("x"), y, golden.input("t").to(at::kFloat), {}},
             recorded_outputs(golden, "out."), true);
}

}  // namespace reseda::golden
