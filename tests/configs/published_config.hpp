#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "io/checkpoint/weights.hpp"
#include "modules/core/config.hpp"

namespace reseda::tests {

/// The block `checkpoint` of a config: what is known of a published file.
struct PublishedBlock {
  std::string name, about, source;
  std::vector<std::string> files;
  std::string licence, size;
  std::int64_t parameters = 0;
  std::string sha256;
  io::WeightsConfig weights;
  template <class V>
  void fields(V& v) {
    v("name", name, "what the model is called");
    v("about", about, "what it does, trained on what");
    v("source", source, "who publishes it");
    v("files", files, "file names under which it is published");
    v("licence", licence, "licence of the weights");
    v("size", size, "size of the file, in words");
    v("parameters", parameters, "numbers in the network; 0 where unknown");
    v("sha256", sha256, "hash that the file must have; empty for any");
    v("weights", weights, "which of the file's tensors are the weights");
  }
};

/// A config below configs/.
struct ConfigFile {
  std::string name;    ///< as --config takes it, e.g. "rddm/rddm-celeba64"
  std::string folder;  ///< the first part of that
  std::filesystem::path path;
  ConfigNode tree;

  bool published() const { return tree.find("checkpoint") != nullptr; }
  /// @throws Error{kUsage} on unknown keys and wrong types
  PublishedBlock block() const;
};

/// Every YAML file below configs/, by name. @throws Error{kUsage} if one is no valid YAML
std::vector<ConfigFile> all_configs();

/// One of them. @throws Error{kUsage} if it is not there
ConfigFile config_named(const std::string& name);

}  // namespace reseda::tests
