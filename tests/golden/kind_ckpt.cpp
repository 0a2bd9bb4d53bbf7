#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "io/checkpoint/checkpoint.hpp"
#include "io/checkpoint/hyper_parameters.hpp"
#include "io/checkpoint/weights.hpp"
#include "io/record/sha256.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {
namespace {

std::string digest(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  return io::sha256({static_cast<const char*>(flat.data_ptr()), flat.nbytes()});
}

/// Names, their order, shapes, types and every byte.
void check_tensors(const StateDict& tensors, const nlohmann::ordered_json& expected, const char* what) {
  ASSERT_EQ(tensors.size(), expected.size()) << what;
  std::size_t i = 0;
  for (const auto& [name, facts] : expected.items()) {
    const auto& [found_name, tensor] = tensors.entries()[i++];
    ASSERT_EQ(found_name, name) << what;
    EXPECT_EQ(tensor.sizes().vec(), facts.at("shape").get<std::vector<std::int64_t>>()) << what << " " << name;
    EXPECT_EQ(tensor.scalar_type(), at::kFloat) << what << " " << name;
    ASSERT_EQ(facts.at("dtype"), "float32") << "this test knows float32 alone";
    EXPECT_EQ(digest(tensor), facts.at("sha256").get<std::string>()) << what << " " << name;
  }
}

std::vector<std::string> keys_of(const io::Value& dict) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : dict.entries()) keys.push_back(key.text());
  return keys;
}

/// Weights under their full names, raw or averaged.
StateDict weights(const io::Checkpoint& checkpoint, const std::string& average) {
  io::WeightsConfig config;
  config.prefix = "";
  config.average = average;
  return io::find_weights(checkpoint, config).tensors;
}

/// What the file says of itself.
void check_facts(const io::Checkpoint& checkpoint, const nlohmann::json& json) {
  EXPECT_EQ(keys_of(checkpoint.root), json.at("top_level_keys").get<std::vector<std::string>>());
  EXPECT_EQ(checkpoint.root.find("epoch")->integer(), json.at("epoch").get<std::int64_t>());
  EXPECT_EQ(checkpoint.root.find("global_step")->integer(), json.at("global_step").get<std::int64_t>());
  EXPECT_EQ(checkpoint.root.find("pytorch-lightning_version")->text(), json.at("pytorch-lightning_version"));
  EXPECT_EQ(keys_of(*checkpoint.root.find("callbacks")), json.at("callback_keys").get<std::vector<std::string>>());
  auto globals = json.at("pickle_globals").get<std::vector<std::string>>();
  std::sort(globals.begin(), globals.end());
  EXPECT_EQ(checkpoint.globals, globals);
  const io::Value optimizer = checkpoint.root.find("optimizer_states")->items().at(0);
  EXPECT_EQ(optimizer.find("state")->entries().size(), json.at("optimizer_state_entries").get<std::size_t>());
}

/// Every hyper-parameter that a config can say; the json spells classes and the like as text.
void check_hyper_parameters(const io::Checkpoint& checkpoint, const nlohmann::json& expected) {
  const ConfigNode found = io::hyper_parameters(checkpoint).value();
  std::size_t compared = 0;
  for (const auto& [key, value] : expected.items()) {
    const ConfigNode* node = found.find(key);
    if (node == nullptr) {
      EXPECT_EQ(key, "data_module_cls") << "only the class has no value";
      continue;
    }
    // Texts that look like numbers are numbers in a config tree.
    if (value.is_string())
      EXPECT_EQ(node->scalar(), value.get<std::string>()) << key;
    else
      EXPECT_EQ(nlohmann::json::parse(node->to_json()), value) << key;
    ++compared;
  }
  EXPECT_GE(compared + 1, expected.size());
}

}  // namespace

/// An official checkpoint: what it holds, the raw weights and the averages by name, each tensor's hash.
void run_ckpt(GoldenCase& golden) {
  // The order of names counts, so the file is read again with it kept.
  std::ifstream in(golden.sibling(golden.name() + ".json"));
  const nlohmann::ordered_json ordered = nlohmann::ordered_json::parse(in);
  const io::Checkpoint checkpoint = io::read_checkpoint(golden.sibling(golden.name() + ".ckpt"), {.opaque = true});
  check_facts(checkpoint, golden.json());
  check_hyper_parameters(checkpoint, golden.config().at("hyper_parameters"));

  const StateDict raw = weights(checkpoint, "raw"), averaged = weights(checkpoint, "ema");
  check_tensors(raw, ordered.at("state_dict"), "state_dict");
  check_tensors(averaged, ordered.at("ema_shadow_by_name"), "ema");
  std::vector<std::string> differing;
  for (const auto& [name, tensor] : raw)
    if (!at::equal(tensor, averaged.at(name))) differing.push_back(name.substr(std::string("dnn.").size()));
  EXPECT_EQ(differing, golden.json().at("ema_differs_from_state_dict_at").get<std::vector<std::string>>());

  const io::Value ema = checkpoint.root.find("ema").value();
  EXPECT_EQ(ema.find("decay")->real(), golden.json().at("ema").at("decay").get<double>());
  EXPECT_EQ(ema.find("num_updates")->integer(), golden.json().at("ema").at("num_updates").get<std::int64_t>());
  const std::vector<io::Value> collected = ema.find("collected_params")->items();
  ASSERT_EQ(collected.size(), raw.size());
  bool equal = true;
  for (std::size_t i = 0; i < collected.size(); ++i)
    equal = equal && at::equal(collected[i].tensor(), raw.entries()[i].second);
  EXPECT_EQ(equal, golden.json().at("collected_equals_state_dict").get<bool>());
  golden.count_check();
}

}  // namespace reseda::golden
