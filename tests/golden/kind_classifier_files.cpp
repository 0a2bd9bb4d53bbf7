// Files as the official code of randomised smoothing saves them: every value by its path, and a forward pass through
// the weights that are found in them.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "io/checkpoint/checkpoint.hpp"
#include "io/checkpoint/safetensors.hpp"
#include "io/checkpoint/weights.hpp"
#include "io/record/sha256.hpp"
#include "modules/diffusion/processes/karras_ve.hpp"
#include "modules/nets/cifar_resnet.hpp"
#include "pipelines/certify/image_input.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/rrcm_network.hpp"
#include "tests/support/tensor_text.hpp"

namespace reseda::golden {
namespace {

using Json = nlohmann::json;

std::optional<io::Value> child(const io::Value& value, const std::string& key) {
  if (value.kind() == io::ValueKind::kDict) {
    for (const auto& [name, item] : value.entries()) {
      const bool integer = name.kind() == io::ValueKind::kInteger;
      if ((integer ? std::to_string(name.integer()) : name.text()) == key) return item;
    }
    return std::nullopt;
  }
  const auto items = value.items();
  const std::size_t index = std::stoul(key);
  return index < items.size() ? std::optional(items[index]) : std::nullopt;
}

/// The value at a path of keys joined by "/"; a file that holds one value alone has any path.
std::optional<io::Value> value_at(const io::Value& root, std::string path) {
  io::Value value = root;
  while (!path.empty()) {
    const bool holds = value.kind() == io::ValueKind::kDict || value.kind() == io::ValueKind::kList ||
                       value.kind() == io::ValueKind::kTuple;
    if (!holds) break;
    const std::size_t end = path.find('/');
    const auto next = child(value, path.substr(0, end));
    if (!next) return std::nullopt;
    value = *next;
    path = end == std::string::npos ? "" : path.substr(end + 1);
  }
  return value;
}

void check_value(const io::Value& found, const Json& expected) {
  if (expected.contains("sha256")) {
    ASSERT_TRUE(found.kind() == io::ValueKind::kTensor);
    EXPECT_EQ(tests::dtype_name(found.tensor()), expected.at("dtype").get<std::string>());
    EXPECT_EQ(Json(found.tensor().sizes().vec()), expected.at("shape"));
    EXPECT_EQ(io::sha256(tests::tensor_bytes(found.tensor())), expected["sha256"].get<std::string>());
    return;
  }
  const Json& value = expected.at("value");
  switch (value.type()) {
    case Json::value_t::null:
      EXPECT_TRUE(found.kind() == io::ValueKind::kNone);
      break;
    case Json::value_t::boolean:
      EXPECT_EQ(found.boolean(), value.get<bool>());
      break;
    case Json::value_t::string:
      EXPECT_EQ(found.text(), value.get<std::string>());
      break;
    default:
      EXPECT_EQ(found.real(), value.get<double>());
  }
}

StateDict weights_for(const io::Checkpoint& checkpoint, const std::vector<StateDict::Entry>& targets) {
  std::vector<std::string> wanted;
  for (const auto& entry : targets) wanted.push_back(entry.first);
  return io::find_weights(checkpoint, {}, wanted).tensors;
}

at::Tensor logits_of(const io::Checkpoint& checkpoint, const Json& file, const at::Tensor& x) {
  if (!file.contains("config")) {
    nets::CifarResnet network({.depth = 8});
    network.nets::Network::load(weights_for(checkpoint, network.tensors()));
    const certify::ImageInput input = {.mean = {0.4914, 0.4822, 0.4465}, .std = {0.2023, 0.1994, 0.2010}};
    return network.forward(input.normalised(x), {}, {});
  }
  const Json& config = file["config"];
  const diffusion::KarrasVe process({});
  const double t = process.grid().at(53);
  nets::RrcmVit network(rrcm_config(config, config.at("classes")));
  network.nets::Network::load(weights_for(checkpoint, network.tensors()));
  return network.forward(process.network_scale(t) * x, {}, at::full({x.size(0)}, process.network_time(t), at::kFloat));
}

}  // namespace

void run_classifier_files(GoldenCase& golden) {
  const c10::InferenceMode inference;
  for (const Json& file : golden.json().at("files")) {
    const std::string name = file.at("file");
    SCOPED_TRACE(name);
    const io::Checkpoint checkpoint = io::read_checkpoint(golden.sibling(name));
    for (const auto& [path, expected] : file.at("entries").items()) {
      SCOPED_TRACE(path);
      const auto found = value_at(checkpoint.root, path);
      ASSERT_TRUE(found.has_value());
      check_value(*found, expected);
    }
    golden.count_check();
    if (!file.contains("forward")) continue;
    const StateDict pair = io::read_safetensors(golden.sibling(name + ".io.safetensors"));
    const at::Tensor logits = logits_of(checkpoint, file, pair.at("in.x")), expected = pair.at("out.logits");
    EXPECT_LT((logits - expected).abs().max().item<double>(), 1e-3 * expected.abs().max().item<double>());
  }
}

}  // namespace reseda::golden
