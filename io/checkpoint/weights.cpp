#include "io/checkpoint/weights.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "io/checkpoint/safetensors_header.hpp"
#include "io/checkpoint/shadow_list.hpp"
#include "modules/core/error.hpp"
#include "modules/core/name_pattern.hpp"

namespace reseda::io {
namespace {

constexpr int kDeepest = 4;
constexpr std::size_t kMostDictionaries = 10000, kListed = 8;
constexpr std::array<std::string_view, 4> kWrappers = {"module.", "_orig_mod.", "model.", "dnn."};
/// Keys below which tensors are no weights.
const std::vector<std::string> kPassedOver = {"opt",       "opt?",  "*optim*",  "*sched*",
                                              "callbacks", "loops", "*scaler*", "collected_params"};

struct Place {
  std::string path;
  Value value;
  std::size_t tensors = 0;
  bool named = true;
};

std::string joined(const std::string& path, const std::string& key) { return path == "." ? key : path + "/" + key; }

/// Finds places without recursion on the file's depth beyond kDeepest; a dictionary met twice counts once.
class PlaceFinder {
 public:
  std::vector<Place> find(const Value& root) {
    visit(root, ".", 0);
    return std::move(places_);
  }

 private:
  void visit(const Value& value, const std::string& path, int depth) {
    if (value.kind() != ValueKind::kDict || depth > kDeepest || seen_.size() >= kMostDictionaries ||
        !seen_.insert(value.index()).second)
      return;
    const auto entries = value.entries();
    std::size_t tensors = 0;
    for (const auto& [key, item] : entries)
      if (key.kind() == ValueKind::kText && item.kind() == ValueKind::kTensor) ++tensors;
    if (tensors > 0) places_.push_back({path, value, tensors, true});
    for (const auto& [key, item] : entries) {
      if (key.kind() != ValueKind::kText || matches_any(kPassedOver, key.text())) continue;
      const std::string below = joined(path, key.text());
      if (item.kind() == ValueKind::kDict) visit(item, below, depth + 1);
      if (key.text() == "shadow_params" && (item.kind() == ValueKind::kList || item.kind() == ValueKind::kTuple))
        places_.push_back({below, item, item.items().size(), false});
    }
  }

  std::vector<Place> places_;
  std::set<std::uint32_t> seen_;
};

/// Whether a path or prefix has "ema" or "average" as a word.
bool says_average(std::string_view text) {
  std::string word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : '/';
    if (c != '/' && c != '.' && c != '_') {
      word += c;
      continue;
    }
    if (word == "ema" || word == "average") return true;
    word.clear();
  }
  return false;
}

/// One way to read a dictionary of tensors as the network's weights.
struct Reading {
  const Place* place;
  std::string prefix;
  std::size_t hits = 0;
  bool averaged() const { return says_average(place->path) || says_average(prefix); }
};

std::string describe(const Reading& reading) {
  return quoted_name(reading.place->path) +
         (reading.prefix.empty() ? std::string() : " with prefix " + quoted_name(reading.prefix)) + " (" +
         std::to_string(reading.hits) + " tensors)";
}

template <class Items, class Describe>
std::string listed(const Items& items, Describe&& describe_one) {
  std::string text;
  for (std::size_t i = 0; i < std::min(items.size(), kListed); ++i) text += (i ? ", " : "") + describe_one(items[i]);
  return text + (items.size() > kListed ? ", ..." : "");
}

std::string list_places(const std::vector<Place>& places, bool named) {
  std::vector<const Place*> chosen;
  for (const Place& place : places)
    if (place.named == named) chosen.push_back(&place);
  if (chosen.empty()) return "none";
  return listed(chosen, [](const Place* place) {
    return quoted_name(place->path) + " (" + std::to_string(place->tensors) + " tensors)";
  });
}

/// Prefixes of a place with the number of wanted names behind each; a name that is wanted as it is has prefix "".
std::vector<Reading> readings_of(const Place& place, const std::set<std::string_view>& wanted) {
  std::map<std::string, std::size_t> votes;
  for (const auto& [key, item] : place.value.entries()) {
    if (key.kind() != ValueKind::kText || item.kind() != ValueKind::kTensor) continue;
    const std::string_view name = key.text();
    constexpr std::size_t kLongestPrefix = 120;
    for (std::size_t start = 0; start <= std::min(name.size(), kLongestPrefix);) {
      if (wanted.count(name.substr(start)) != 0) ++votes[std::string(name.substr(0, start))];
      const std::size_t dot = name.find('.', start);
      if (dot == std::string_view::npos) break;
      start = dot + 1;
    }
  }
  std::vector<Reading> readings;
  for (const auto& [prefix, hits] : votes) readings.push_back({&place, prefix, hits});
  return readings;
}

/// Every leading wrapper that all names share.
std::string shared_wrappers(const Place& place) {
  std::vector<std::string> names;
  for (const auto& [key, item] : place.value.entries())
    if (key.kind() == ValueKind::kText && item.kind() == ValueKind::kTensor) names.push_back(key.text());
  std::string prefix;
  const auto all_have = [&](const std::string& start) {
    return std::all_of(names.begin(), names.end(), [&](const std::string& name) { return name.starts_with(start); });
  };
  for (bool grown = true; grown;) {
    grown = false;
    for (const std::string_view wrapper : kWrappers) {
      if (!all_have(prefix + std::string(wrapper))) continue;
      prefix += wrapper;
      grown = true;
    }
  }
  return prefix;
}

std::vector<Reading> all_readings(const std::vector<Place>& places, const WeightsConfig& config,
                                  const std::vector<std::string>& wanted) {
  const std::set<std::string_view> names(wanted.begin(), wanted.end());
  std::vector<Reading> readings;
  for (const Place& place : places) {
    if (!place.named || (config.container != "auto" && place.path != config.container)) continue;
    const bool any_prefix = config.prefix == "auto";
    if (wanted.empty()) {
      readings.push_back({&place, any_prefix ? shared_wrappers(place) : config.prefix, place.tensors});
      continue;
    }
    const std::size_t before = readings.size();
    for (Reading& found : readings_of(place, names))
      if (any_prefix || found.prefix == config.prefix) readings.push_back(std::move(found));
    // Where the config decides, the load report says best what does not fit.
    if (readings.size() == before && config.container != "auto")
      readings.push_back({&place, any_prefix ? shared_wrappers(place) : config.prefix});
  }
  return readings;
}

/// Keeps averages or raw weights alone where the config says which and both are there.
void keep_by_average(std::vector<Reading>& readings, const std::string& average) {
  if (average == "auto") return;
  const bool wants_average = average == "ema" || average == "prefer_ema";
  const auto other = [&](const Reading& reading) { return reading.averaged() != wants_average; };
  if (!std::all_of(readings.begin(), readings.end(), other)) std::erase_if(readings, other);
}

Reading choose(const std::vector<Place>& places, const WeightsConfig& config, const std::vector<std::string>& wanted,
               bool list_of_averages) {
  std::vector<Reading> readings = all_readings(places, config, wanted);
  const std::string choice =
      config.container == "auto" ? "" : " (weights.container is " + quoted_name(config.container) + ")";
  RESEDA_REQUIRE(!readings.empty(), Errc::kCheckpoint,
                 wanted.empty() ? "no dictionary of tensors is there" : "no weights of this network are there", choice,
                 "; dictionaries of tensors in the file: ", list_places(places, true));
  if (!wanted.empty()) {
    std::size_t most = 0;
    for (const Reading& reading : readings) most = std::max(most, reading.hits);
    std::erase_if(readings, [most](const Reading& reading) { return reading.hits < most; });
  }
  // A list of averages belongs to raw weights.
  keep_by_average(readings, list_of_averages ? "raw" : config.average);
  if (readings.size() > 1) {
    const bool same = std::all_of(readings.begin(), readings.end(),
                                  [&](const Reading& reading) { return reading.place == readings[0].place; });
    detail::raise(Errc::kCheckpoint, "more than one place may hold the weights: ", listed(readings, describe),
                  same ? "; set weights.prefix" : "; set weights.container (or weights.average) to one of them");
  }
  return readings.front();
}

/// The list of averages that the config asks for, or nothing.
const Place* choose_list(const std::vector<Place>& places, const WeightsConfig& config) {
  std::vector<const Place*> lists;
  for (const Place& place : places)
    if (!place.named) lists.push_back(&place);
  if (config.average == "raw") return nullptr;
  const bool by_path = config.average != "auto" && config.average != "ema" && config.average != "prefer_ema";
  if (by_path) {
    for (const Place* list : lists)
      if (list->path == config.average) return list;
    detail::raise(Errc::kCheckpoint, "no list of averages ", quoted_name(config.average),
                  " is there; lists in the file: ", list_places(places, false));
  }
  if (lists.empty()) return nullptr;
  RESEDA_REQUIRE(config.average != "auto", Errc::kCheckpoint, "the file holds raw weights and running averages (",
                 list_places(places, false), "): set weights.average to ema or raw");
  RESEDA_REQUIRE(lists.size() == 1, Errc::kCheckpoint,
                 "more than one list of averages is there: ", list_places(places, false),
                 "; set weights.average to one of them");
  return lists.front();
}

std::vector<at::Tensor> tensors_of(const Place& list) {
  std::vector<at::Tensor> tensors;
  for (const Value& item : list.value.items()) {
    RESEDA_REQUIRE(item.kind() == ValueKind::kTensor, Errc::kCheckpoint, "entry ", tensors.size(), " of ",
                   quoted_name(list.path), " is no tensor");
    tensors.push_back(item.tensor());
  }
  return tensors;
}

/// Tensors of the place: those with the prefix, without it, and the others under their full names.
std::pair<StateDict, std::vector<StateDict::Entry>> split(const Reading& reading) {
  StateDict inside;
  std::vector<StateDict::Entry> outside;
  for (const auto& [key, item] : reading.place->value.entries()) {
    if (key.kind() != ValueKind::kText || item.kind() != ValueKind::kTensor) continue;
    const std::string& name = key.text();
    if (name.size() > reading.prefix.size() && name.starts_with(reading.prefix))
      inside.add(name.substr(reading.prefix.size()), item.tensor());
    else
      outside.emplace_back(name, item.tensor());
  }
  return {std::move(inside), std::move(outside)};
}

}  // namespace

std::vector<WeightsPlace> weights_places(const Checkpoint& checkpoint) {
  std::vector<WeightsPlace> out;
  for (const Place& place : PlaceFinder().find(checkpoint.root))
    out.push_back({place.path, place.tensors, place.named});
  return out;
}

FoundWeights find_weights(const Checkpoint& checkpoint, const WeightsConfig& config,
                          const std::vector<std::string>& wanted) {
  const std::vector<Place> places = PlaceFinder().find(checkpoint.root);
  const Place* list = choose_list(places, config);
  const Reading reading = choose(places, config, wanted, list != nullptr);
  RESEDA_REQUIRE(config.average != "ema" || list != nullptr || reading.averaged(), Errc::kCheckpoint,
                 "the file holds no running average of the weights (weights.average is ema)");
  auto [inside, outside] = split(reading);
  RESEDA_REQUIRE(inside.size() > 0, Errc::kCheckpoint, "no tensor of ", quoted_name(reading.place->path),
                 " starts with ", quoted_name(reading.prefix), " (weights.prefix)");
  if (list != nullptr) inside = name_shadow_list(tensors_of(*list), inside, config.frozen);
  for (auto& [name, tensor] : outside) inside.add(std::move(name), std::move(tensor));
  inside.metadata = checkpoint.metadata;
  return {std::move(inside), reading.place->path, reading.prefix,
          list != nullptr      ? list->path
          : reading.averaged() ? reading.place->path
                               : std::string()};
}

void require_known_classes(const Checkpoint& checkpoint, const WeightsConfig& config) {
  for (const std::string& name : checkpoint.refused)
    RESEDA_REQUIRE(
        matches_any(config.classes, name), Errc::kCheckpoint, "the file names the Python class ", quoted_name(name),
        ", which is not among those that such files name; nothing was called (weights.classes takes it as one, and "
        "the file is read without what it holds)");
}

}  // namespace reseda::io
