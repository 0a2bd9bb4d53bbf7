// Checkpoint files of ResShift and UPSR: what each holds, and that the network inside takes it.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "io/checkpoint/checkpoint.hpp"
#include "io/checkpoint/weights.hpp"
#include "io/record/sha256.hpp"
#include "modules/nn/swin_layer.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/swin_network.hpp"

namespace reseda::golden {
namespace {

using nlohmann::json;

std::string digest(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  return io::sha256({static_cast<const char*>(flat.data_ptr()), flat.nbytes()});
}

/// Names in order, shapes, types and every byte; a file of halves holds values that float32 gives back exactly.
void check_tensors(const StateDict& tensors, const json& expected) {
  ASSERT_EQ(tensors.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& [name, tensor] = tensors.entries()[i];
    ASSERT_EQ(name, expected[i].at(0).get<std::string>());
    EXPECT_EQ(tensor.sizes().vec(), expected[i].at(2).get<std::vector<std::int64_t>>()) << name;
    const at::Tensor whole = tensor.scalar_type() == at::kHalf ? tensor.to(at::kFloat) : tensor;
    EXPECT_EQ(whole.scalar_type(), expected[i].at(1) == "int64" ? at::kLong : at::kFloat) << name;
    EXPECT_EQ(digest(whole), expected[i].at(3).get<std::string>()) << name;
  }
}

std::string container_of(const json& path) { return path.empty() ? "." : path.at(0).get<std::string>(); }

nn::SwinLayer make_layer(const json& args) {
  const auto number = [&args](const char* key) { return args.at(key).get<std::int64_t>(); };
  return {number("in_chans"), nn::SwinLayerOptions{.channels = number("embed_dim"),
                                                   .heads = number("num_heads"),
                                                   .depth = number("depth"),
                                                   .window = number("window_size"),
                                                   .mlp_ratio = args.at("mlp_ratio").get<double>(),
                                                   .nominal = number("img_size"),
                                                   .patch_norm = args.at("patch_norm").get<bool>()}};
}

}  // namespace

void run_swin_files(GoldenCase& golden) {
  nn::SwinLayer layer = make_layer(golden.config().at("BasicLayer"));
  std::vector<StateDict::Entry> targets;
  for (const auto& item : layer.named_parameters()) targets.emplace_back(item.key(), item.value());
  for (const auto& [file, facts] : golden.json().at("files").items()) {
    SCOPED_TRACE(file);
    const io::Checkpoint checkpoint = io::read_checkpoint(golden.sibling("ckpt") / file, {.opaque = true});
    const io::FoundWeights found = io::find_weights(checkpoint, {.average = "prefer_ema"});
    EXPECT_EQ(found.container, container_of(facts.at("path to the state dict")));
    EXPECT_EQ(found.prefix, facts.at("key prefix").get<std::string>());
    const bool average = facts.at("tensors") == "ema";
    check_tensors(found.tensors, golden.json().at("tensor_sets").at(average ? "ema" : "model"));
    EXPECT_NO_THROW(load_into(found.tensors, targets, swin_buffers()));
    golden.count_check();
  }
}

}  // namespace reseda::golden
