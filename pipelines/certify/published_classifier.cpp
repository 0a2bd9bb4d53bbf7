#include "pipelines/certify/published_classifier.hpp"

#include <ATen/ATen.h>

#include <utility>

#include "io/checkpoint/weights.hpp"
#include "modules/core/error.hpp"

namespace reseda::certify {
namespace {

/// What a config of published classifiers says, of which the rest is for people.
struct Published {
  CertifyModelConfig model;
  io::WeightsConfig weights;
};

const ConfigNode* find(const ConfigNode& node, const char* key, const char* below) {
  const ConfigNode* found = node.find(key);
  return found == nullptr ? nullptr : found->find(below);
}

Published read(const ConfigNode& node) {
  RESEDA_REQUIRE(node.find("network") != nullptr && node.find("input") != nullptr, Errc::kUsage,
                 "the config has no network and input: it is not of a classifier");
  Published out;
  ConfigNode model = ConfigNode::map();
  for (const char* key : {"network", "input", "process"})
    if (const ConfigNode* found = node.find(key)) model[key] = *found;
  if (const ConfigNode* sigmas = find(node, "smoothing", "sigma")) model["sigmas"] = *sigmas;
  for (const char* key : {"name", "licence"})
    if (const ConfigNode* found = find(node, "checkpoint", key)) model[key] = *found;
  if (const ConfigNode* classes = find(node, "network", "classes")) model["classes"] = *classes;
  read_config(model, out.model, "model");
  if (const ConfigNode* weights = find(node, "checkpoint", "weights"))
    read_config(*weights, out.weights, "checkpoint.weights");
  return out;
}

}  // namespace

CertifyModel read_published(const std::filesystem::path& checkpoint, const ConfigNode& published,
                            std::vector<double> sigmas) {
  Published found = read(published);
  if (!sigmas.empty()) found.model.sigmas = std::move(sigmas);
  at::manual_seed(0);  // what the file may lack has first weights
  CertifyModel model(std::move(found.model));
  try {
    const io::Checkpoint content = io::read_checkpoint(checkpoint, {.opaque = true});
    io::require_known_classes(content, found.weights);
    load_into(io::find_weights(content, found.weights).tensors, model.network().tensors(), found.weights.rules());
  } catch (const Error& error) {
    const std::string text = error.what(), file = checkpoint.string();
    throw Error(error.code(), text.starts_with(file) ? text : file + ": " + text);
  }
  return model;
}

}  // namespace reseda::certify
