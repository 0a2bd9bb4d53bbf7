#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "modules/diffusion/processes/karras_ve.hpp"
#include "modules/nets/frozen_resnet.hpp"
#include "modules/nets/resnet.hpp"
#include "modules/nets/rrcm_vit.hpp"
#include "modules/train/smoothing_loss.hpp"
#include "pipelines/certify/image_input.hpp"
#include "pipelines/certify/photograph.hpp"
#include "tests/golden/formula_weights.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {
namespace {

using Json = nlohmann::json;

const certify::ImageInput kCifar = {.size = 32, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.2023, 0.1994, 0.2010}};
const certify::ImageInput kImagenet = {.size = 224, .mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}};

std::shared_ptr<nets::Network> made(const Json& settings, const StateDict& weights) {
  auto network = nets::make_network(to_config(settings));
  // A formula gives no counters of batches.
  load_into(weights, network->tensors(), LoadRules{.allow_missing = {"*num_batches_tracked"}, .allow_unexpected = {}});
  return network;
}

/// The classifier as it runs on a CPU.
void check_frozen(GoldenCase& golden, const nets::Network& network, const at::Tensor& x) {
  if (nets::FrozenResnet::takes(network)) golden.check("out.logits", nets::FrozenResnet(network).forward(x));
}

}  // namespace

/// A small ResNet behind its normalisation, in evaluation and one step of training.
void run_cifar_resnet(GoldenCase& golden) {
  const auto network = made({{"name", "cifar_resnet"},
                             {"depth", golden.config().at("depth")},
                             {"classes", golden.config().at("num_classes")}},
                            golden.weights("1."));
  auto& resnet = dynamic_cast<nets::Resnet&>(*network);
  const at::Tensor x = kCifar.normalised(golden.input("x"));
  golden.check("mid.normalized", x.slice(0, 0, 1));
  {
    const c10::InferenceMode inference;
    resnet.set_probe([&](const std::string& name, const at::Tensor& value) {
      const bool large = name == "layer1";
      golden.check_if_recorded("mid." + name, large ? value.slice(0, 0, 1) : value);
    });
    const at::Tensor logits = network->forward(x, {}, {});
    resnet.set_probe({});
    golden.check("out.logits", logits);
    golden.check("out.argmax", logits.argmax(1));
    golden.check("out.logits", network->forward(x.contiguous(at::MemoryFormat::ChannelsLast), {}, {}));
    check_frozen(golden, *network, x);
  }
  resnet.train();
  const at::Tensor logits = network->forward(x, {}, {});
  const at::Tensor loss = train::cross_entropy(logits, golden.input("y"));
  loss.backward();
  golden.check("out.train_logits", logits.detach());
  golden.check("out.train_loss", loss.detach().view({1}));
  for (const auto& [name, tensor] : network->tensors()) {
    if (golden.has("out.grad.1." + name)) golden.check("out.grad.1." + name, tensor.grad());
    if (name == "bn1.running_mean") golden.check("out.bn1_running_mean_after", tensor);
    if (name == "bn1.running_var") golden.check("out.bn1_running_var_after", tensor);
  }
}

namespace {

/// The first values of a stage and its mean, standard deviation and largest absolute value.
void check_stage(GoldenCase& golden, const std::string& name, const at::Tensor& value) {
  if (!golden.has("mid." + name + ".stats")) return;
  const at::Tensor flat = value.contiguous().flatten();
  const at::Tensor wide = flat.to(at::kDouble);
  const double scale = wide.abs().max().item<double>();
  golden.check("mid." + name + ".first64", flat.slice(0, 0, 64), {.atol = 3e-5 * scale});
  golden.check("mid." + name + ".stats", at::stack({wide.mean(), wide.std(), wide.abs().max()}),
               {.atol = 1e-5 * scale});
}

void run_full_resnet(GoldenCase& golden, const at::Tensor& input) {
  const bool large = golden.config().at("arch") == "resnet50";
  const Json settings = large ? Json{{"name", "imagenet_resnet50"}} : Json{{"name", "cifar_resnet"}, {"depth", 110}};
  const std::string first = golden.json().at("weights")[0].at("key");
  const auto network = made(settings, formula_weights(golden.json(), first.substr(0, first.find("conv1"))));
  dynamic_cast<nets::Resnet&>(*network).set_probe(
      [&](const std::string& name, const at::Tensor& value) { check_stage(golden, name, value); });
  const at::Tensor x = (large ? kImagenet : kCifar).normalised(input);
  golden.check("out.logits", network->forward(x, {}, {}));
  check_frozen(golden, *network, x);
}

void run_full_vit(GoldenCase& golden, const at::Tensor& input) {
  const Json& config = golden.config();
  Json settings = {{"name", "rrcm_vit"}, {"classes", golden.tensor("out.logits").size(1)}};
  for (const char* key :
       {"image_size", "patch_size", "embed_dim", "hidden_dim", "output_dim", "depth", "num_heads", "layernorm"})
    settings[key] = config.at(key);
  const auto network = made(settings, formula_weights(golden.json(), ""));
  const std::string last = "blocks." + std::to_string(config.at("depth").get<int>() - 1);
  dynamic_cast<nets::RrcmVit&>(*network).set_probe([&](const std::string& name, const at::Tensor& value) {
    if (name == "blocks.0") check_stage(golden, "block0", value);
    if (name == last) check_stage(golden, "block_last", value);
  });
  const diffusion::KarrasVe process({.scales = config.at("num_scales")});
  std::vector<double> scales;
  for (const Json& index : config.at("grid_indices")) scales.push_back(process.grid().at(index.get<std::size_t>()));
  const at::Tensor times = at::tensor(scales, at::kDouble);
  golden.check("out.logits", network->forward(diffusion::network_input_state(process, input, times), {},
                                              diffusion::network_input_times(process, times)));
}

}  // namespace

/// Networks of full size, weights by a formula.
void run_full_network(GoldenCase& golden) {
  const c10::InferenceMode inference;
  const Json& input = golden.json().at("input");
  const std::string formula = input.at("formula");
  const double scale = std::stod(formula.substr(formula.find('*') + 1));
  const std::size_t plus = formula.find("+ ");
  const at::Tensor x = formula_values(input.at("stream"), input.at("shape").get<std::vector<std::int64_t>>(), scale,
                                      plus == std::string::npos ? 0.0 : std::stod(formula.substr(plus + 2)));
  if (golden.config().contains("arch"))
    run_full_resnet(golden, x);
  else
    run_full_vit(golden, x);
}

/// What certification makes of photographs: the short side to a size, then the centre.
void run_preprocess(GoldenCase& golden) {
  const Json& config = golden.config();
  for (std::size_t i = 0; i < config.at("images").size(); ++i) {
    const std::string number = std::to_string(i);
    const std::int64_t size = config["images"][i][2];
    const at::Tensor image = golden.input("image" + number).permute({2, 0, 1}).contiguous();
    golden.check("out.rrcm" + number, certify::halved_and_cropped(image, size).permute({1, 2, 0}));
    golden.check("out.cohen" + number,
                 certify::resized_and_cropped(image, config.at("resize")[i], size).permute({1, 2, 0}));
  }
}

}  // namespace reseda::golden
