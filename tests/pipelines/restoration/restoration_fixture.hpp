#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "io/record/png.hpp"
#include "modules/core/log.hpp"
#include "pipelines/restoration/training_run.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::restoration {

using tests::expect_error;

/// A grey frame of smooth hills, bytes row by row.
inline std::vector<std::uint8_t> made_frame(std::size_t height, std::size_t width, std::uint64_t kind) {
  std::vector<std::uint8_t> out;
  for (std::size_t y = 0; y < height; ++y)
    for (std::size_t x = 0; x < width; ++x)
      out.push_back(static_cast<std::uint8_t>(128 + 60 * std::sin(0.2 * static_cast<double>(y + kind)) +
                                              50 * std::cos(0.17 * static_cast<double>(x * (kind + 1)))));
  return out;
}

inline void write_frame(const std::filesystem::path& file, std::size_t height, std::size_t width, std::uint64_t kind) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << io::encode_png(made_frame(height, width, kind), width, height,
                                                          io::PngColor::kGray);
}

inline std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline ConfigNode node_of(const std::vector<std::pair<std::string, std::string>>& keys) {
  ConfigNode node = ConfigNode::map();
  for (const auto& [key, value] : keys) node[key] = ConfigNode(value);
  return node;
}

/// RDDM with the smallest U-Net.
inline RestorationModelConfig tiny_config() {
  RestorationModelConfig config;
  config.name = "tiny";
  config.network = node_of({{"name", "rddm_unet"},
                            {"nets", "one"},
                            {"dim", "8"},
                            {"channels", "1"},
                            {"out_dim", "1"},
                            {"condition_channels", "1"}});
  ConfigNode levels = ConfigNode::list();
  levels.append(ConfigNode("1"));
  levels.append(ConfigNode("2"));
  config.network["dim_mults"] = levels;
  config.process = node_of({{"name", "rddm"}, {"steps", "100"}, {"sum_scale", "0.01"}});
  config.target = "residual";
  config.degradation = {.blur_low = 1, .blur_high = 1, .noise_low = 0.1, .noise_high = 0.1};
  return config;
}

}  // namespace reseda::restoration
