#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <string>
#include <vector>

#include "io/checkpoint/checkpoint.hpp"
#include "io/checkpoint/weights.hpp"
#include "modules/core/error.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/residual_network.hpp"

namespace reseda::golden {
namespace {

constexpr Tolerance kForward = {.atol = 3e-5};

/// Gives the network the weights of an official checkpoint; the file's buffers and other networks are passed over.
void load_official(nets::Network& network, const io::Checkpoint& checkpoint, const io::WeightsConfig& config) {
  std::vector<std::string> wanted;
  for (const auto& entry : network.tensors()) wanted.push_back(entry.first);
  const io::FoundWeights found = io::find_weights(checkpoint, config, wanted);
  load_into(found.tensors, network.tensors(), LoadRules{.allow_missing = {}, .allow_unexpected = {"*"}});
}

at::Tensor buffer(const io::Checkpoint& checkpoint, const std::string& name) {
  for (const auto& [path, value] : io::flatten(checkpoint.root))
    if (path == "ema/ema_model." + name && value.kind() == io::ValueKind::kTensor) return value.tensor().clone();
  detail::raise(Errc::kInput, "the checkpoint has no ema_model.", name);
}

/// A file of RDDM's trainer: the averaged weights, and times that its own schedule gives.
void run_rddm_file(GoldenCase& golden) {
  const nlohmann::json& config = golden.config();
  const ResidualNetwork made = make_residual_network(config);
  const io::Checkpoint checkpoint = io::read_checkpoint(golden.sibling(config.at("file").get<std::string>()));
  // The file holds the raw weights and, twice, what its trainer tested with.
  io::WeightsConfig averaged;
  averaged.average = "ema";
  averaged.prefix = "ema_model.model.";
  load_official(*made.network, checkpoint, averaged);
  const at::Tensor alphas = buffer(checkpoint, "alphas_cumsum"), betas = buffer(checkpoint, "betas_cumsum");
  golden.check("out.sum_abs_alphas_cumsum", alphas.abs().sum().view({1}), {.atol = 0, .rtol = 1e-6});

  const at::Tensor index = golden.input("t");
  at::Tensor t = index.to(at::kFloat);
  if (config.at("time").get<std::string>().find("alphas_cumsum") != std::string::npos) {
    const auto steps = static_cast<double>(alphas.size(0));
    t = at::stack({alphas.index({index}) * steps, betas.index({index}) * steps}, 1);
  }
  const auto [x, y] = made.split(golden.input("x"));
  const at::InferenceMode inference;
  const auto parts = made.network->forward(x, y, t).chunk(made.network->heads(), 1);
  for (std::size_t i = 0; i < parts.size(); ++i) golden.check("out." + std::to_string(i), parts[i], kForward);
}

/// Files of Resfusion's training: plain weights, and averaged ones in a twin.
void run_resfusion_file(GoldenCase& golden) {
  const at::Tensor t = golden.input("t").to(at::kFloat);
  for (const auto& item : golden.json().at("files").items()) {
    const ResidualNetwork made = make_residual_network(golden.config());
    load_official(*made.network, io::read_checkpoint(golden.sibling(item.key())), {});
    const bool averaged = item.key().find("-EMA") != std::string::npos;
    const auto [x, y] = made.split(golden.input("x"));
    const at::InferenceMode inference;
    golden.check(averaged ? "out.ema" : "out.raw", made.network->forward(x, y, t), kForward);
  }
}

}  // namespace

/// The network in an official checkpoint, read from the file: its forward pass must be the recorded one.
void run_residual_weights(GoldenCase& golden) {
  if (golden.json().contains("files"))
    run_resfusion_file(golden);
  else
    run_rddm_file(golden);
}

}  // namespace reseda::golden
