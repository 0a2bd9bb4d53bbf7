#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "io/checkpoint/checkpoint.hpp"
#include "modules/nets/network.hpp"
#include "tests/configs/published_config.hpp"

// The weights blocks of the configs against small files that the official programs wrote.
namespace reseda::tests {
namespace {

/// A file of the recorded cases, or an empty path without it.
std::filesystem::path recorded(const std::string& file) {
  const char* variable = std::getenv("RESEDA_GOLDEN_DIRS");
  std::istringstream folders(variable != nullptr ? variable : RESEDA_SOURCE_DIR "/../shared/golden");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const auto path = std::filesystem::path(folder) / file;
    if (std::filesystem::is_regular_file(path)) return path;
  }
  return {};
}

struct Layout {
  const char* config;
  const char* file;
  const char* container;
  const char* prefix;
  const char* tensor;  ///< one that must be found under this name
};

class WeightsBlock : public testing::TestWithParam<Layout> {};

TEST_P(WeightsBlock, FindsTheWeights) {
  const auto file = recorded(GetParam().file);
  if (file.empty()) GTEST_SKIP() << GetParam().file << " is not among the recorded cases here";
  const io::Checkpoint checkpoint = io::read_checkpoint(file, {.opaque = true});
  const io::WeightsConfig weights = config_named(GetParam().config).block().weights;
  EXPECT_NO_THROW(io::require_known_classes(checkpoint, weights));
  const io::FoundWeights found = io::find_weights(checkpoint, weights);
  EXPECT_EQ(found.container, GetParam().container);
  EXPECT_EQ(found.prefix, GetParam().prefix);
  EXPECT_TRUE(found.tensors.contains(GetParam().tensor));
}

INSTANTIATE_TEST_SUITE_P(
    Configs, WeightsBlock,
    testing::Values(
        Layout{"inverse/adm-imagenet-256", "checkpoints/openai_zip.pt", ".", "", "time_embed.0.weight"},
        Layout{"inverse/adm-ffhq-256", "checkpoints/openai_legacy.pt", ".", "", "time_embed.0.weight"},
        Layout{"infrared/difiisr", "infrared/ckpt/model_300.pth", "state_dict", "", "patch_embed.proj.weight"},
        Layout{"infrared/difiisr", "infrared/ckpt/ema_model_300.pth", ".", "", "patch_embed.proj.weight"},
        Layout{"infrared/resshift-realsr-s4", "infrared/ckpt/model_300_compile_ddp.pth", "state_dict",
               "module._orig_mod.", "patch_embed.proj.weight"},
        Layout{"infrared/autoencoder-vq-f4", "infrared/ckpt/flat_legacy.pth", ".", "", "patch_embed.proj.weight"},
        Layout{"infrared/upsr", "infrared/ckpt/net_g_5000.pth", "params_ema", "", "patch_embed.proj.weight"},
        Layout{"infrared/atd-real", "infrared/ckpt/net_g_6000.pth", "params", "", "patch_embed.proj.weight"},
        Layout{"rddm/rddm-celeba64", "rddm/checkpoint_e0.pt", "ema", "ema_model.model.", "unet1.init_conv.weight"},
        Layout{"rddm/rddm-raindrop", "rddm/checkpoint_e2.pt", "ema", "ema_model.model.", "unet0.init_conv.weight"},
        Layout{"resfusion/resfusion-lol", "resfusion/checkpoint_restore.ckpt", "state_dict", "denoising_module.",
               "init_conv.weight"},
        Layout{"resfusion/resfusion-cifar10", "resfusion/checkpoint_generate-EMA.ckpt", "state_dict",
               "denoising_module.", "init_conv.weight"},
        Layout{"certify/cohen-cifar10-resnet110", "certification/checkpoints/cohen_resnet8_legacy.pth.tar",
               "state_dict", "1.", "layer1.0.conv1.weight"},
        Layout{"certify/cohen-imagenet-resnet50", "certification/checkpoints/cohen_dataparallel_legacy.pth.tar",
               "state_dict", "1.module.", "conv1.weight"},
        Layout{"certify/rrcm-b-imagenet", "certification/checkpoints/600000.ckpt/nnet_ema.pth", ".", "", "cls_token"},
        Layout{"certify/rrcm-b-imagenet", "certification/checkpoints/n05consistency_600k_b.pt", ".", "module.",
               "linear_head.weight"},
        Layout{"certify/rrcm-b-cifar10", "certification/checkpoints/cleanlinear_300k_x.pt", ".", "",
               "base_model.pos_embed"}));

/// Loads a small file by a config whose network is made as small.
void expect_loads(const char* config, const char* file, const std::string& smaller) {
  const auto path = recorded(file);
  if (path.empty()) GTEST_SKIP() << file << " is not among the recorded cases here";
  const ConfigFile published = config_named(config);
  const io::WeightsConfig weights = published.block().weights;
  ConfigNode node = *published.tree.find("network");
  std::istringstream words(smaller);
  for (std::string key, value; words >> key >> value;) node.set(key, value);
  const auto network = nets::make_network(node);
  const io::FoundWeights found = io::find_weights(io::read_checkpoint(path, {.opaque = true}), weights);
  const LoadReport report = load_into(found.tensors, network->tensors(), weights.rules());
  EXPECT_TRUE(report.clean()) << report.summary();
  EXPECT_TRUE(report.kept.empty()) << report.summary();
}

TEST(PublishedWeights, OfRddmLoad) {
  expect_loads("rddm/rddm-celeba64", "rddm/checkpoint_e0.pt", "dim 4 dim_mults [1] resnet_block_groups 2");
}

TEST(PublishedWeights, OfResfusionLoad) {
  expect_loads("resfusion/resfusion-lol", "resfusion/checkpoint_restore.ckpt",
               "dim 4 dim_mults [1,1] resnet_block_groups 2");
}

}  // namespace
}  // namespace reseda::tests
