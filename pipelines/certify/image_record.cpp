#include "pipelines/certify/image_record.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "io/record/json.hpp"
#include "io/record/json_lines.hpp"
#include "modules/core/error.hpp"

namespace reseda::certify {
namespace {

constexpr std::size_t kMaxLine = std::size_t{1} << 24;

ConfigNode tree_of(const VoteTable& votes) {
  ConfigNode tree = ConfigNode::map();
  for (const auto& [label, count] : votes) tree[std::to_string(label)] = ConfigNode(std::to_string(count));
  return tree;
}

const ConfigNode& child(const ConfigNode& node, const char* key) {
  const ConfigNode* found = node.find(key);
  RESEDA_REQUIRE(found != nullptr && !found->is_null(), Errc::kInput, "the field ", key, " is missing");
  return *found;
}

template <class Number>
Number number(const std::string& text, const char* what) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  RESEDA_REQUIRE(error == std::errc() && end == text.data() + text.size(), Errc::kInput, what, " is no number");
  return value;
}

template <class Number>
Number number(const ConfigNode& node, const char* key) {
  return number<Number>(child(node, key).scalar(), key);
}

VoteTable votes_of(const ConfigNode& node, const char* key) {
  const ConfigNode& tree = child(node, key);
  VoteTable votes;
  for (std::size_t i = 0; i < tree.keys().size(); ++i)
    votes[number<std::int64_t>(tree.keys()[i], key)] = number<std::int64_t>(tree.items()[i].scalar(), key);
  return votes;
}

std::int64_t total(const VoteTable& votes) {
  return std::accumulate(votes.begin(), votes.end(), std::int64_t{0},
                         [](std::int64_t sum, const auto& entry) { return sum + entry.second; });
}

void require_consistent(const ImageRecord& record, const RunSettings& settings) {
  const stats::Certificate& c = record.certificate;
  const bool counts_agree =
      c.hits >= 0 && c.hits <= c.trials && c.trials <= settings.n && record.not_finite >= 0 &&
      total(record.selection) + total(record.estimation) + record.not_finite == settings.n0 + c.trials;
  RESEDA_REQUIRE(counts_agree, Errc::kInput, "its votes do not add up");
}

ConfigNode lines_of(const RunSettings& settings) { return write_config(settings); }

}  // namespace

void RunSettings::validate() const {
  RESEDA_REQUIRE(n0 >= 1 && n >= 1, Errc::kUsage, "settings.n0 and settings.n must be 1 or more, got ", n0, " and ", n);
  RESEDA_REQUIRE(images >= 0, Errc::kUsage, "settings.images must not be negative, got ", images);
  RESEDA_REQUIRE(skip >= 1, Errc::kUsage, "settings.skip must be 1 or more, got ", skip);
}

std::int64_t RunSettings::end() const { return max < 0 ? images : std::min(images, max); }
std::int64_t RunSettings::count() const { return end() / skip + (end() % skip != 0 ? 1 : 0); }
bool RunSettings::takes(std::int64_t index) const { return index >= 0 && index < end() && index % skip == 0; }

std::vector<std::int64_t> RunSettings::indices() const {
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < end(); i += skip) chosen.push_back(i);
  return chosen;
}

VoteTable vote_table(const std::vector<std::int64_t>& votes) {
  VoteTable table;
  for (std::size_t label = 0; label < votes.size(); ++label)
    if (votes[label] > 0) table[static_cast<std::int64_t>(label)] = votes[label];
  return table;
}

CohenRow ImageRecord::row() const {
  CohenRow row;
  row.index = index;
  row.label = label;
  row.predicted = certificate.label;
  row.radius = certificate.radius;
  row.seconds = seconds;
  return row;
}

std::string record_line(const ImageRecord& record, const RunSettings& settings) {
  const stats::Certificate& c = record.certificate;
  io::JsonObject line;
  line.add("idx", record.index).add("name", record.name).add("label", record.label).add("predict", c.label);
  line.add("radius", c.radius).add("correct", record.correct()).add("hits", c.hits).add("trials", c.trials);
  line.add("p_lower", c.probability.p).add("q_upper", c.probability.q);
  line.add("selection", tree_of(record.selection)).add("estimation", tree_of(record.estimation));
  line.add("not_finite", record.not_finite).add("pixels_sha256", record.pixels_sha256);
  if (record.seconds > 0) line.add("seconds", record.seconds);
  return line.add("settings", lines_of(settings)).line();
}

RecordWithSettings parse_record(const std::string& line, const std::string& where) {
  try {
    const ConfigNode node = io::parse_json(line, "the line", Errc::kInput, {.bytes = kMaxLine});
    RecordWithSettings out;
    read_config(child(node, "settings"), out.settings, "settings");
    ImageRecord& record = out.record;
    record.index = number<std::int64_t>(node, "idx");
    record.label = number<std::int64_t>(node, "label");
    record.name = child(node, "name").scalar();
    record.pixels_sha256 = child(node, "pixels_sha256").scalar();
    record.certificate = {.label = number<std::int64_t>(node, "predict"),
                          .radius = number<double>(node, "radius"),
                          .hits = number<std::int64_t>(node, "hits"),
                          .trials = number<std::int64_t>(node, "trials"),
                          .probability = {number<double>(node, "p_lower"), number<double>(node, "q_upper")}};
    record.selection = votes_of(node, "selection");
    record.estimation = votes_of(node, "estimation");
    record.not_finite = number<std::int64_t>(node, "not_finite");
    if (node.find("seconds") != nullptr) record.seconds = number<double>(node, "seconds");
    require_consistent(record, out.settings);
    return out;
  } catch (const Error& error) {
    throw Error(Errc::kInput, where + ": is no record of an image: " + error.what());
  }
}

std::string settings_difference(const RunSettings& found, const RunSettings& expected) {
  const ConfigNode a = lines_of(found), b = lines_of(expected);
  for (std::size_t i = 0; i < a.keys().size(); ++i) {
    const std::string left = a.items()[i].to_json(), right = b.items()[i].to_json();
    if (left != right) return a.keys()[i] + " is " + left + ", expected " + right;
  }
  return "";
}

}  // namespace reseda::certify
