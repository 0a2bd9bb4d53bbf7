#pragma once

#include <ATen/ATen.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "io/checkpoint/safetensors.hpp"
#include "io/image/image.hpp"
#include "pipelines/certify/certify_model.hpp"

namespace reseda::tests {

/// A ResNet-8 of random weights from a seed, for `classes` classes of images of `size` pixels a side. Its logits are
/// wide apart, so that noise of 0.25 makes some votes differ and no certificate is trivial.
inline certify::CertifyModelConfig small_classifier_config(std::int64_t classes = 4, std::int64_t size = 8) {
  certify::CertifyModelConfig config;
  config.name = "small";
  config.input.size = size;
  config.classes = classes;
  config.sigmas = {0.25};
  config.network["name"] = ConfigNode("cifar_resnet");
  config.network["depth"] = ConfigNode("8");
  config.network["classes"] = ConfigNode(std::to_string(classes));
  return config;
}

inline certify::CertifyModel small_classifier(std::uint64_t seed = 1, std::int64_t classes = 4, std::int64_t size = 8) {
  at::manual_seed(seed);
  return certify::CertifyModel(small_classifier_config(classes, size));
}

inline std::filesystem::path write_classifier(const certify::CertifyModel& model, const std::filesystem::path& file) {
  io::write_safetensors(model.to_file(), file);
  return file;
}

/// A strip of smooth pictures of 8 x 8 with its labels, of `classes` classes.
inline void write_strip(const std::filesystem::path& folder, std::int64_t count, std::int64_t classes) {
  std::filesystem::create_directories(folder);
  const at::Tensor rows = at::arange(8 * count).view({1, -1, 1}), columns = at::arange(8).view({1, 1, -1});
  const at::Tensor pictures = 40 * rows.div(8, "floor") + 60 * at::arange(3).view({3, 1, 1}) + 7 * columns + 5 * rows;
  io::write_image(folder / "test_images.png", io::Image{pictures.remainder(256).to(at::kFloat)});
  std::ofstream table(folder / "test_labels.csv");
  table << "index,label\n";
  for (std::int64_t i = 0; i < count; ++i) table << i << "," << i % classes << "\n";
}

/// Records of CIFAR-10 binary files: smooth pictures whose colour tells the label, of `classes` classes.
inline std::string cifar_records(std::int64_t count, std::int64_t classes) {
  std::string out;
  for (std::int64_t i = 0; i < count; ++i) {
    out.push_back(static_cast<char>(i % classes));
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < 32; ++y)
        for (int x = 0; x < 32; ++x)
          out.push_back(static_cast<char>((40 * i + 60 * c + 3 * x * (c + 1) + 2 * y) % 256));
  }
  return out;
}

}  // namespace reseda::tests
