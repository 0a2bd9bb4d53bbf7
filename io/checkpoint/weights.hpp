#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "io/checkpoint/checkpoint.hpp"
#include "modules/core/state_dict.hpp"

namespace reseda::io {

/// Which of a checkpoint's tensors are a network's weights. Everything is found by itself where only one answer is
/// possible.
struct WeightsConfig {
  std::string container = "auto";
  std::string prefix = "auto";
  std::string average = "auto";
  std::vector<std::string> frozen = {};
  std::vector<std::string> classes = {};
  std::vector<std::string> allow_missing = {};
  std::vector<std::string> allow_unexpected = {};
  template <class V>
  void fields(V& v) {
    v("container", container,
      "dictionary that holds the tensors, e.g. state_dict or model/params; '.' is the top level");
    v("prefix", prefix, "what is taken off the front of names, e.g. 'module.'; other names stay as they are");
    v("average", average,
      "running average (EMA) of the weights: ema, raw (do not use it), prefer_ema (raw where there is none) or the "
      "path "
      "of its list; auto refuses files that hold both");
    v("frozen", frozen, "patterns of parameters that a list of averages may lack because they were not trained");
    v("classes", classes, "patterns of Python classes that such files name beside their weights; they are passed over");
    v("allow_missing", allow_missing, "patterns of the network's tensors that the file may lack");
    v("allow_unexpected", allow_unexpected, "patterns of the file's tensors that are not used");
  }
  LoadRules rules() const { return {allow_missing, allow_unexpected}; }
};

/// A network's weights as found in a checkpoint.
struct FoundWeights {
  StateDict tensors;      ///< in the file's order, without the prefix; names that lack it are kept
  std::string container;  ///< path of the dictionary, "." for the top level
  std::string prefix;     ///< what was taken off
  std::string average;    ///< path of the list of averages that replaced the raw weights, or ""
};

/// A place where weights may be: a dictionary of named tensors, or a list of averages without names.
struct WeightsPlace {
  std::string path;         ///< keys joined by "/", "." for the top level
  std::size_t tensors = 0;  ///< how many
  bool named = true;
};

/// All places in a checkpoint, in file order: dictionaries with text keys that hold tensors directly, and lists called
/// shadow_params. What optimisers, schedulers, callbacks and opaque values hold is passed over.
std::vector<WeightsPlace> weights_places(const Checkpoint& checkpoint);

/// Finds a network's weights.
///   container  the place in which most of the wanted names end a tensor's name; without wanted names the only place
///   prefix     what most of the names that end in a wanted name have before it; without wanted names every leading
///              module., _orig_mod., model., dnn. that all names share
///   average    shadow_params replaces the values of the parameters by order, see name_shadow_list; a dictionary whose
///              path or prefix says ema is an average, too
/// Only plain values count: no tensor ever comes out of an opaque one.
/// @param wanted  names of the network's tensors; empty if no network is known
/// @throws Error{kCheckpoint} if there is no such place, or more than one (listing them and the key that decides)
FoundWeights find_weights(const Checkpoint& checkpoint, const WeightsConfig& config,
                          const std::vector<std::string>& wanted = {});

/// @throws Error{kCheckpoint} naming the first class outside the allow-list of the reader and of `config.classes`
void require_known_classes(const Checkpoint& checkpoint, const WeightsConfig& config);

}  // namespace reseda::io
