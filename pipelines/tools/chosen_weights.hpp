#pragma once

#include <string>
#include <vector>

#include "io/checkpoint/weights.hpp"
#include "pipelines/common/flags.hpp"

namespace reseda::tools {

/// How the tools look for weights unless told otherwise: a running average where there is one.
io::WeightsConfig default_weights();

/// What the config of a published checkpoint, a shipped one by name or a YAML file, says in its block
/// `checkpoint.weights`, laid over default_weights(). @throws Error{kUsage}
io::WeightsConfig configured_weights(const std::string& config);

/// Takes a place by name: "ema" or "raw", the path of a dictionary of tensors, or of a list of averages.
/// @throws Error{kUsage} listing the places of the checkpoint if it has none of this name
void choose_place(io::WeightsConfig& config, const std::string& name, const io::Checkpoint& checkpoint,
                  const std::string& file);

/// io::find_weights whose errors name the file and the flags of the tools.
io::FoundWeights find_weights(const io::Checkpoint& checkpoint, const io::WeightsConfig& config,
                              const std::string& file, const std::vector<std::string>& wanted = {});

/// The names of all tensors.
std::vector<std::string> names_of(const StateDict& tensors);

/// Found weights in words, fit for a terminal: "state_dict with the averages ema/shadow_params, 'dnn.' taken off: 647
/// tensors".
std::string found_text(const io::FoundWeights& found);

}  // namespace reseda::tools
