#pragma once

#include <optional>

#include "io/checkpoint/checkpoint.hpp"
#include "modules/core/config_node.hpp"

namespace reseda::io {

/// A value as the tree of text that configs are read from: dictionaries with text keys, lists, tuples, numbers, texts,
/// true and false; none is null. Tensors, bytes, opaque values and whatever else a config cannot say are left out, and
/// so is everything beyond 8 levels, 10000 values, or texts above 4096 bytes.
ConfigNode config_of(const Value& value);

/// The settings that a training program stored beside the weights: what `hyper_parameters` (Lightning) or the metadata
/// "hyper_parameters" (JSON, safetensors) holds; of an opaque value, the dictionary it was given. Nothing if there are
/// none.
/// @throws Error{kCheckpoint} if the metadata is no JSON
std::optional<ConfigNode> hyper_parameters(const Checkpoint& checkpoint);

}  // namespace reseda::io
