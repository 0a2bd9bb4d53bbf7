#pragma once

#include <filesystem>
#include <vector>

#include "pipelines/certify/certify_model.hpp"

namespace reseda::certify {

/// A model from a PyTorch checkpoint whose architecture is one of the networks here, without running anything of it.
/// @param published  config of such checkpoints, as configs/certify/cohen-cifar10-resnet110.yaml: `network`, `input`
///                   and, where there are such, `checkpoint` (name, licence, weights), `process`, `smoothing.sigma`
/// @param sigmas     noise that this file was trained for; empty: those of the config
/// @throws Error{kUsage} on a config without a network or with an unconditional prior's, Error{kCheckpoint} if the file
///         cannot be read or its tensors are not the network's
CertifyModel read_published(const std::filesystem::path& checkpoint, const ConfigNode& published,
                            std::vector<double> sigmas);

}  // namespace reseda::certify
