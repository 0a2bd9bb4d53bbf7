// Every committed checkpoint is listed with exactly the tensors and values that Python found in it, or refused.
#include "pipelines/tools/inspection.hpp"

#include <ATen/ATen.h>

#include <map>
#include <numeric>

#include "io/record/json.hpp"
#include "pipelines/tools/tensor_facts.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::tools {
namespace {

std::string checkpoint(const std::string& name) {
  return std::string(RESEDA_SOURCE_DIR "/tests/golden/checkpoints/") + name;
}

std::string scalar(const ConfigNode& node, const char* key) {
  const ConfigNode* found = node.find(key);
  return found == nullptr ? "" : found->kind() == ConfigNode::Kind::kScalar ? found->scalar() : found->to_json();
}

/// (name, what expected.json says) of the files it says this of.
std::vector<std::pair<std::string, ConfigNode>> files_that(const std::string& expect) {
  static const ConfigNode files = *io::read_json(checkpoint("expected.json")).find("files");
  std::vector<std::pair<std::string, ConfigNode>> out;
  for (std::size_t i = 0; i < files.keys().size(); ++i)
    if (scalar(files.items()[i], "expect") == expect) out.emplace_back(files.keys()[i], files.items()[i]);
  return out;
}

std::map<std::string, std::size_t> paths_of(const CheckpointTree& tree) {
  std::map<std::string, std::size_t> out;
  for (const std::size_t i : tree.below(0)) out[tree.path(i)] = i;
  return out;
}

void expect_node(const TreeNode& node, const ConfigNode& expected) {
  if (expected.find("tensor") != nullptr) {
    ASSERT_EQ(node.kind, io::ValueKind::kTensor);
    EXPECT_EQ(dtype_name(node.value.tensor().scalar_type()), scalar(expected, "tensor"));
    EXPECT_EQ(shape_text(node.value.tensor().sizes()), scalar(expected, "shape"));
    EXPECT_EQ(tensor_sha256(node.value.tensor()), scalar(expected, "sha256"));
  } else if (expected.find("int") != nullptr) {
    EXPECT_EQ(value_text(node, 1000), scalar(expected, "int"));
  } else if (expected.find("str") != nullptr) {
    EXPECT_EQ(node.value.text(), scalar(expected, "str"));
  } else if (expected.find("float") != nullptr) {
    EXPECT_EQ(node.value.real(), std::stod(scalar(expected, "float")));
  } else if (expected.find("bool") != nullptr) {
    EXPECT_EQ(value_text(node, 1000), scalar(expected, "bool"));
  } else if (expected.find("none") != nullptr) {
    EXPECT_EQ(node.kind, io::ValueKind::kNone);
  }
}

TEST(Inspection, ListsWhatPythonFound) {
  std::size_t tensors = 0;
  for (const auto& [name, facts] : files_that("load")) {
    SCOPED_TRACE(name);
    const Inspection inspection = inspect_file(checkpoint(name));
    const auto paths = paths_of(inspection.tree);
    const ConfigNode& content = *facts.find("content");
    for (std::size_t i = 0; i < content.keys().size(); ++i) {
      SCOPED_TRACE(content.keys()[i]);
      const auto found = paths.find(content.keys()[i]);
      if (found == paths.end()) {
        ADD_FAILURE() << "not listed";
        continue;
      }
      expect_node(inspection.tree.nodes()[found->second], content.items()[i]);
      tensors += content.items()[i].find("tensor") != nullptr ? 1 : 0;
    }
  }
  EXPECT_GT(tensors, 45U);
}

TEST(Inspection, RefusesEveryOtherFile) {
  for (const auto& [name, facts] : files_that("reject")) {
    SCOPED_TRACE(name);
    try {
      const Inspection inspection = inspect_file(checkpoint(name));
      EXPECT_FALSE(inspection.checkpoint.refused.empty()) << "read without complaint";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::kCheckpoint);
      EXPECT_THAT(error.what(), testing::HasSubstr(name));
      EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n")));
    }
  }
  for (const auto& [name, facts] : files_that("load_or_reject")) {
    try {
      inspect_file(checkpoint(name));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::kCheckpoint) << name;
    }
  }
}

TEST(Inspection, BytesAreCountedOnceAtEveryLevel) {
  const CheckpointTree tree(io::read_checkpoint(checkpoint("score_sde_checkpoint.pth")), "x");
  const auto paths = paths_of(tree);
  const auto node = [&](const char* path) -> const TreeNode& { return tree.nodes()[paths.at(path)]; };
  EXPECT_EQ(node("model").bytes, 48U) << "module.w and module.w_tied are one storage of 40 bytes";
  EXPECT_EQ(node("model").tensors, 3U);
  EXPECT_EQ(node("model").elements, 22U);
  EXPECT_EQ(node("model/module.w_tied").bytes, 40U);
  EXPECT_EQ(node("model/module.w_tied").shares, paths.at("model/module.w"));
  EXPECT_EQ(node("model/module.w").shares, kNoNode);
  EXPECT_EQ(node("ema").bytes, 28U);
  EXPECT_EQ(tree.root().bytes, 16U + 48U + 28U);
  EXPECT_EQ(tree.storages(), 6U);
}

TEST(Inspection, CyclesAndDepthEnd) {
  for (const char* name : {"bad_self_reference.pt", "bad_deep_nesting.pt", "bad_expand_huge.pt"}) {
    try {
      const Inspection inspection = inspect_file(checkpoint(name));
      EXPECT_LT(inspection.tree.nodes().size(), 1000U) << name;
      for (const TreeNode& node : inspection.tree.nodes()) {
        if (node.kind != io::ValueKind::kTensor || fits_memory(node.value.tensor())) continue;
        EXPECT_EQ(tensor_sha256(node.value.tensor()), "") << name;
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::kCheckpoint) << name;
    }
  }
}

TEST(Inspection, HyperParametersAreFlat) {
  const auto found = hyper_parameters(inspect_file(checkpoint("lightning_namespace.ckpt")));
  const std::map<std::string, std::string> by_name(found.begin(), found.end());
  EXPECT_EQ(by_name.at("backbone"), "ncsnpp");
  EXPECT_EQ(by_name.at("ch_mult"), "[1, 2, 2]");
  EXPECT_EQ(by_name.at("nested.a"), "1");
  EXPECT_EQ(by_name.at("none"), "none");
  EXPECT_EQ(by_name.size(), 6U);
}

TEST(Inspection, SaysWhereTheWeightsAre) {
  const Inspection lightning = inspect_file(checkpoint("lightning_namespace.ckpt"));
  EXPECT_EQ(lightning.chosen, "state_dict, 'dnn.' taken off: 2 tensors");
  EXPECT_THAT(lightning.command, testing::HasSubstr("reseda speech enhance --checkpoint "));
  const Inspection bare = inspect_file(checkpoint("handmade_min.pt"));
  EXPECT_EQ(bare.chosen, "the top level: 1 tensor");
  EXPECT_THAT(bare.command, testing::HasSubstr("reseda tools convert "));
  const Inspection none = inspect_file(checkpoint("containers.pt"));
  EXPECT_EQ(none.chosen, "");
  EXPECT_THAT(none.open_because, testing::HasSubstr("no dictionary of tensors is there"));
}

}  // namespace
}  // namespace reseda::tools
