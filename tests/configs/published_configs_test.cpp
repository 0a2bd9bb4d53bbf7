#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "modules/diffusion/denoiser.hpp"
#include "modules/diffusion/process.hpp"
#include "modules/diffusion/sampler.hpp"
#include "modules/inverse/solver.hpp"
#include "modules/nets/network.hpp"
#include "tests/configs/published_config.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

using Names = std::set<std::string>;

const Names kTopLevel = {"checkpoint", "network", "autoencoder", "auxiliary", "guidance", "target", "process",
                         "sampler",    "solver",  "smoothing",   "input",     "scale",    "tiles"};

/// Keys of the groups that no component reads.
const std::map<std::string, Names> kGroups = {{"guidance", {"classifier", "scale"}},
                                              {"smoothing", {"sigma", "n0", "n", "alpha", "batch", "skip"}},
                                              {"input", {"size", "mean", "std"}},
                                              {"tiles", {"size", "stride", "multiple"}}};

/// Configs of published checkpoints outside of speech, whose model block the speech pipeline reads.
std::vector<ConfigFile> image_configs() {
  std::vector<ConfigFile> files = all_configs();
  std::erase_if(files, [](const ConfigFile& file) { return file.folder == "speech" || !file.published(); });
  return files;
}

void expect_keys(const ConfigNode& node, const Names& known, const std::string& where) {
  ASSERT_TRUE(node.kind() == ConfigNode::Kind::kMap) << where;
  for (const std::string& key : node.keys()) EXPECT_TRUE(known.count(key)) << where << ": unknown key " << key;
}

/// Reads a component's options by its own config.
template <class Entries>
void expect_component(const Entries& entries, const std::string& kind, const ConfigFile& file) {
  const ConfigNode* node = file.tree.find(kind);
  if (node == nullptr) return;
  const auto [name, options] = split_name(*node, file.name + ": " + kind);
  for (const auto* entry : entries) {
    if (entry->name != name) continue;
    EXPECT_NO_THROW(entry->complete(options, kind)) << file.name;
    return;
  }
  ADD_FAILURE() << file.name << ": unknown " << kind << " " << name;
}

TEST(Configs, BeginWithAComment) {
  const auto files = all_configs();
  ASSERT_GE(files.size(), 20U);
  for (const ConfigFile& file : files) {
    std::ifstream text(file.path);
    std::string first;
    std::getline(text, first);
    EXPECT_TRUE(first.starts_with("# ")) << file.name << ": " << first;
  }
}

TEST(Configs, DescribeTheirCheckpoint) {
  for (const ConfigFile& file : all_configs()) {
    if (!file.published()) continue;
    const PublishedBlock block = file.block();
    EXPECT_EQ(block.name, file.path.stem().string());
    for (const std::string* text : {&block.about, &block.source, &block.licence})
      EXPECT_FALSE(text->empty()) << file.name << ": about, source and licence are required";
    EXPECT_EQ(block.source.find("://"), std::string::npos) << file.name;
    EXPECT_GE(block.parameters, 0) << file.name;
    EXPECT_TRUE(block.sha256.empty() || block.sha256.size() == 64) << file.name;
    for (const char* key : {"files", "weights"})
      EXPECT_NE(file.tree.find("checkpoint")->find(key), nullptr) << file.name << ": " << key << " is required";
    for (const std::string& name : block.files) EXPECT_FALSE(name.empty()) << file.name;
  }
}

TEST(Configs, NameEveryCheckpointOnce) {
  std::map<std::string, std::string> seen;
  for (const ConfigFile& file : all_configs()) {
    if (!file.published()) continue;
    EXPECT_TRUE(seen.emplace(file.block().name, file.name).second) << file.name;
  }
  EXPECT_GE(seen.size(), 20U);
}

TEST(Configs, HaveOnlyKnownKeys) {
  for (const ConfigFile& file : image_configs()) {
    expect_keys(file.tree, kTopLevel, file.name);
    for (const auto& [group, keys] : kGroups)
      if (const ConfigNode* node = file.tree.find(group)) expect_keys(*node, keys, file.name + ": " + group);
    EXPECT_NE(file.tree.find("network"), nullptr) << file.name;
    expect_component(nets::network_entries(), "network", file);
    expect_component(diffusion::process_entries(), "process", file);
    expect_component(diffusion::sampler_entries(), "sampler", file);
    expect_component(inverse::solver_entries(), "solver", file);
    if (const ConfigNode* target = file.tree.find("target")) {
      EXPECT_NO_THROW(diffusion::parse_target(target->scalar())) << file.name;
    }
    // What a sampler needs comes whole.
    EXPECT_EQ(file.tree.find("sampler") != nullptr, file.tree.find("target") != nullptr) << file.name;
    EXPECT_TRUE(file.tree.find("sampler") == nullptr || file.tree.find("process") != nullptr) << file.name;
  }
}

TEST(Configs, NameOtherCheckpointsThatExist) {
  Names names;
  for (const ConfigFile& file : image_configs()) names.insert(file.block().name);
  const auto expect_known = [&](const ConfigNode* other, const std::string& where) {
    EXPECT_TRUE(other == nullptr || names.count(other->scalar())) << where;
  };
  for (const ConfigFile& file : image_configs()) {
    expect_known(file.tree.find("autoencoder"), file.name);
    expect_known(file.tree.find("auxiliary"), file.name);
    const ConfigNode* guidance = file.tree.find("guidance");
    expect_known(guidance == nullptr ? nullptr : guidance->find("classifier"), file.name);
  }
}

TEST(Configs, AreInTheListOfTheDocs) {
  std::ifstream file(std::string(RESEDA_SOURCE_DIR) + "/docs/published-checkpoints.md");
  const std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  for (const ConfigFile& config : all_configs())
    EXPECT_TRUE(!config.published() || page.find("`" + config.name + "`") != std::string::npos) << config.name;
}

TEST(Configs, RefuseAMisspelledBlock) {
  ConfigFile file = config_named("rddm/rddm-celeba64");
  file.tree["checkpoint"]["license"] = ConfigNode("MIT");
  expect_error(Errc::kUsage, "licence", [&] { file.block(); });
}

/// Numbers in the network that a config describes, without the statistics of batch normalisation.
std::int64_t count_parameters(const ConfigNode& network) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : nets::make_network(network)->tensors())
    if (name.find(".running_") == std::string::npos && !name.ends_with("num_batches_tracked")) count += tensor.numel();
  return count;
}

TEST(Configs, StateTheParametersOfTheirNetwork) {
  constexpr std::int64_t kMost = 120'000'000;  // larger networks take too long to make
  std::map<std::string, std::int64_t> counts;
  for (const ConfigFile& file : image_configs()) {
    const std::int64_t stated = file.block().parameters;
    const ConfigNode& network = *file.tree.find("network");
    const auto& entries = nets::network_entries();
    const bool known = std::any_of(entries.begin(), entries.end(),
                                   [&](const auto* entry) { return entry->name == network.find("name")->scalar(); });
    if (!known || stated == 0 || stated > kMost) continue;
    const auto [counted, fresh] = counts.try_emplace(network.to_json(), 0);
    if (fresh) counted->second = count_parameters(network);
    EXPECT_EQ(counted->second, stated) << file.name;
  }
  EXPECT_GE(counts.size(), 4U);
}

/// Coefficients of the published processes as their official code has them at the noisiest time.
TEST(Configs, MakeTheOfficialProcesses) {
  const auto celeba = diffusion::make_process(*config_named("rddm/rddm-celeba64").tree.find("process"));
  EXPECT_EQ(celeba->steps(), 1000);
  EXPECT_NEAR(celeba->at(1.0).b.scalar(), 0.9936471819, 2e-6);
  EXPECT_NEAR(celeba->at(1.0).c.scalar(), 0.9999798206, 2e-6);
  ASSERT_EQ(celeba->network_times(1.0).size(), 2U);
  EXPECT_NEAR(celeba->network_times(1.0)[0], 993.647, 2e-3);
  EXPECT_NEAR(celeba->network_times(1.0)[1], 999.980, 2e-3);

  const auto raindrop = diffusion::make_process(*config_named("rddm/rddm-raindrop").tree.find("process"));
  EXPECT_NEAR(raindrop->at(0.5).b.scalar(), 0.7497502498, 1e-6);  // index 499
  EXPECT_NEAR(raindrop->at(0.5).c.scalar(), 0.5002496879, 1e-6);
  EXPECT_EQ(raindrop->network_times(0.5), std::vector<double>{499.0});

  for (const char* name : {"resfusion-istd", "resfusion-lol", "resfusion-raindrop"}) {
    const auto process = diffusion::make_process(*config_named(std::string("resfusion/") + name).tree.find("process"));
    EXPECT_EQ(process->steps(), 5) << name;
    EXPECT_NEAR(process->at(1.0).a.scalar(), 0.0, 1e-7) << name;
    EXPECT_NEAR(process->at(0.2).b.scalar(), 1.0 - 0.995824635, 1e-7) << name;
  }
  EXPECT_EQ(diffusion::make_process(*config_named("resfusion/resfusion-cifar10").tree.find("process"))->steps(), 100);

  const auto first_noise = [](const char* name) {
    const auto process = diffusion::make_process(*config_named(std::string("infrared/") + name).tree.find("process"));
    EXPECT_NEAR(process->at(1.0).b.scalar(), 0.9801, 1e-12) << name;
    return process->at(process->t_end()).c.scalar();
  };
  EXPECT_NEAR(first_noise("difiisr"), 2 * 0.02, 1e-12);
  EXPECT_NEAR(first_noise("resshift-realsr-s15"), 2 * 0.02, 1e-12);
  EXPECT_NEAR(first_noise("resshift-realsr-s4"), 2 * 0.1, 1e-12);  // 2 * 0.0316 with the cap of the others
  EXPECT_NEAR(first_noise("resshift-bicsr-s4"), 2 * 0.1, 1e-12);
  EXPECT_NEAR(first_noise("upsr"), 2.5 * 0.0316227766, 1e-9);
}

}  // namespace
}  // namespace reseda::tests
