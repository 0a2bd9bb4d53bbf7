#include "tests/golden/golden_case.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "io/checkpoint/safetensors.hpp"
#include "modules/core/error.hpp"

namespace reseda::golden {
namespace {

constexpr std::array kSystemFolders = {"sgmse",    "rddm",          "resfusion",  "reddiff",
                                       "infrared", "certification", "checkpoints"};
constexpr std::array<std::pair<const char*, const char*>, 7> kSystemRepositories = {
    {{"sp-uhh/sgmse", "sgmse"},
     {"nachifur/RDDM", "rddm"},
     {"nkicsl/Resfusion", "resfusion"},
     {"openai/guided-diffusion", "reddiff"},
     {"NVlabs/RED-diff", "reddiff"},
     {"HJ-harry/DiffusionMBIR", "reddiff"},
     {"HJ-harry/score-MRI", "reddiff"}}};
/// Two units in the last place of float32, allowed where the recording says that the bits are expected.
constexpr double kTwoUnits = 3e-7;

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  RESEDA_REQUIRE(in.good(), Errc::kInput, file.string(), ": cannot be opened");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

StateDict read_tensors(const std::filesystem::path& file) {
  StateDict out;
  for (const auto& [name, tensor] : io::read_safetensors(file))
    out.add(name, tensor.scalar_type() == at::kHalf ? tensor.to(at::kFloat) : tensor);
  return out;
}

std::filesystem::path find_weights_case(const std::filesystem::path& beside, const std::string& system,
                                        const std::string& name) {
  std::vector<std::filesystem::path> candidates = {beside / (name + ".safetensors")};
  for (const auto& folder : golden_folders()) {
    candidates.push_back(folder / (name + ".safetensors"));
    candidates.push_back(folder / system / (name + ".safetensors"));
  }
  for (const auto& candidate : candidates)
    if (std::filesystem::exists(candidate)) return candidate;
  detail::raise(Errc::kInput, "weights_from: no ", name, ".safetensors beside the case or in the golden folders");
}

std::string index_text(const at::Tensor& shape_of, std::int64_t flat) {
  std::vector<std::int64_t> index;
  for (std::int64_t axis = shape_of.dim() - 1; axis >= 0; --axis) {
    index.insert(index.begin(), flat % shape_of.size(axis));
    flat /= shape_of.size(axis);
  }
  std::ostringstream text;
  text << at::IntArrayRef(index);
  return text.str();
}

std::string without_ri(const std::string& name) {
  return name.ends_with(".ri") ? name.substr(0, name.size() - 3) : name;
}

}  // namespace

std::vector<std::filesystem::path> golden_folders() {
  const char* variable = std::getenv("RESEDA_GOLDEN_DIRS");
  const std::filesystem::path source = RESEDA_SOURCE_DIR;
  if (variable == nullptr || *variable == '\0')
    return {source.parent_path() / "shared/golden", source / "tests/golden"};
  std::vector<std::filesystem::path> folders;
  std::istringstream text(variable);
  for (std::string folder; std::getline(text, folder, ':');)
    if (!folder.empty()) folders.emplace_back(folder);
  return folders;
}

std::string system_of(const std::filesystem::path& json_file, const nlohmann::json& json) {
  std::filesystem::path folder = std::filesystem::absolute(json_file).parent_path();
  for (; folder.has_relative_path(); folder = folder.parent_path())
    for (const char* system : kSystemFolders)
      if (folder.filename() == system) return system;
  const nlohmann::json official = json.value("official", nlohmann::json::object());
  const std::string repository = official.is_object() ? official.value("repo", nlohmann::json()).dump() : "";
  for (const auto& [name, system] : kSystemRepositories)
    if (repository.find(name) != std::string::npos) return system;
  return "";
}

ConfigNode to_config(const nlohmann::json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return ConfigNode(value.get<std::string>());
  if (value.is_array()) {
    ConfigNode list = ConfigNode::list();
    for (const auto& item : value) list.append(to_config(item));
    return list;
  }
  if (value.is_object()) {
    ConfigNode map = ConfigNode::map();
    for (const auto& [key, item] : value.items()) map[key] = to_config(item);
    return map;
  }
  return ConfigNode(value.dump());
}

nlohmann::json parse_json(const std::string& text) {
  std::string out;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"' && (i == 0 || text[i - 1] != '\\')) quoted = !quoted;
    bool replaced = false;
    for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
      if (quoted || replaced || text.compare(i, word.size(), word) != 0) continue;
      out += "null";
      i += word.size() - 1;
      replaced = true;
    }
    if (!replaced) out += text[i];
  }
  return nlohmann::json::parse(out);
}

GoldenCase::GoldenCase(std::filesystem::path json_file) : file_(std::move(json_file)), name_(file_.stem().string()) {
  json_ = parse_json(read_text(file_));
  kind_ = json_.value("kind", "");
  system_ = system_of(file_, json_);
  const std::filesystem::path tensors = sibling(name_ + ".safetensors");
  if (std::filesystem::exists(tensors)) tensors_ = read_tensors(tensors);
}

const nlohmann::json& GoldenCase::config() const {
  RESEDA_REQUIRE(json_.contains("config"), Errc::kInput, name_, ": the json has no config");
  return json_["config"];
}

std::optional<std::string> GoldenCase::key(const std::string& tensor_name) const {
  if (tensors_.contains(tensor_name)) return tensor_name;
  if (tensors_.contains(tensor_name + ".ri")) return tensor_name + ".ri";
  return std::nullopt;
}

bool GoldenCase::has(const std::string& tensor_name) const { return key(tensor_name).has_value(); }

std::vector<std::string> GoldenCase::names(std::string_view prefix) const {
  std::vector<std::string> out;
  for (const auto& entry : tensors_)
    if (entry.first.starts_with(prefix)) out.push_back(without_ri(entry.first));
  std::sort(out.begin(), out.end());
  return out;
}

at::Tensor GoldenCase::tensor(const std::string& tensor_name) {
  const auto found = key(tensor_name);
  RESEDA_REQUIRE(found.has_value(), Errc::kInput, name_, ": tensor '", tensor_name, "' is not recorded");
  used_.insert(*found);
  const at::Tensor& stored = tensors_.at(*found);
  return found->ends_with(".ri") ? at::view_as_complex(stored.contiguous()).clone() : stored.clone();
}

StateDict GoldenCase::weights(const std::string& prefix) const {
  const auto other = [this](const nlohmann::json& name) {
    return read_tensors(find_weights_case(file_.parent_path(), system_, name.get<std::string>()));
  };
  const nlohmann::json from = json_.value("weights_from", nlohmann::json());
  // Cases with several networks name one case for each, by the prefix of its names or by the network: there they have
  // none.
  const bool by_network = from.is_object() && !prefix.empty() && from.contains(prefix.substr(0, prefix.size() - 1));
  const std::string named = by_network ? prefix.substr(0, prefix.size() - 1) : prefix + "weights.";
  const bool by_prefix = from.is_object() && from.contains(named);
  const StateDict source = by_prefix ? other(from[named]) : from.is_string() ? other(from) : tensors_;
  StateDict out;
  for (const auto& [name, tensor] : source.with_prefix(by_prefix ? "weights." : "weights." + prefix))
    out.add(name, tensor.is_floating_point() ? tensor.to(at::kFloat) : tensor);
  RESEDA_REQUIRE(out.size() > 0, Errc::kInput, name_, ": there are no tensors weights.", prefix, "*");
  return out;
}

std::vector<std::string> GoldenCase::draw_keys() const { return names("draw."); }

RecordedNoise& GoldenCase::noise() {
  if (!noise_) {
    std::vector<at::Tensor> recorded;
    for (const std::string& name : draw_keys()) recorded.push_back(tensor(name));
    noise_ = std::make_unique<RecordedNoise>(std::move(recorded));
  }
  return *noise_;
}

void GoldenCase::rewind_noise() {
  if (noise_) drawn_ = std::max(drawn_, noise_->used());
  noise_.reset();
}

std::vector<at::Tensor> GoldenCase::draws() {
  std::vector<at::Tensor> recorded;
  for (const std::string& name : draw_keys()) recorded.push_back(tensor(name));
  drawn_ = recorded.size();
  return recorded;
}

Tolerance GoldenCase::tolerance(const std::string& tensor_name) const {
  const auto found = key(tensor_name);
  RESEDA_REQUIRE(found.has_value(), Errc::kInput, name_, ": tensor '", tensor_name, "' is not recorded");
  const at::Tensor& stored = tensors_.at(*found);
  if (!stored.is_floating_point()) return {};
  const nlohmann::json all = json_.value("tolerance", nlohmann::json::object());
  for (const std::string& name : {*found, without_ri(*found)}) {
    for (const auto& [table, key] : {std::pair("per_tensor", "atol"), std::pair("per tensor", "suggested_atol")})
      if (all.is_object() && all.contains(table) && all[table].contains(name))
        return {.atol = all[table][name].at(key).get<double>()};
    if (!all.is_object() || !all.contains(name)) continue;
    if (all[name].is_number()) return {.atol = all[name].get<double>()};
    for (const char* suggested : {"suggested_atol", "suggested_abs"})
      if (all[name].is_object() && all[name].contains(suggested)) return {.atol = all[name][suggested].get<double>()};
  }
  if (all.is_object() && all.value("bitwise_expected", false)) return {.atol = 0, .rtol = kTwoUnits};
  if (all.is_object() && all.contains("suggested_atol") && all["suggested_atol"].is_number())
    return {.atol = all["suggested_atol"].get<double>()};
  return {.atol = stored.numel() == 0 ? 0.0 : 1e-5 * stored.abs().nan_to_num(0, 0, 0).max().item<double>()};
}

void GoldenCase::check_if_recorded(const std::string& tensor_name, const at::Tensor& actual) {
  if (has(tensor_name)) check(tensor_name, actual);
}

void GoldenCase::check(const std::string& tensor_name, const at::Tensor& actual) {
  check(tensor_name, actual, tolerance(tensor_name));
}

void GoldenCase::check(const std::string& tensor_name, const at::Tensor& actual, Tolerance allowed) {
  compare(tensor_name, actual, tensor(tensor_name), allowed);
}

void GoldenCase::check_item(const std::string& tensor_name, std::int64_t item, const at::Tensor& actual) {
  compare(tensor_name + "[" + std::to_string(item) + "]", actual, tensor(tensor_name).slice(0, item, item + 1),
          tolerance(tensor_name));
}

void GoldenCase::compare(const std::string& label, const at::Tensor& actual, const at::Tensor& expected,
                         Tolerance allowed) {
  ++checks_;
  if (actual.sizes() != expected.sizes()) {
    std::ostringstream text;
    text << "shape " << actual.sizes() << ", expected " << expected.sizes();
    ADD_FAILURE() << name_ << ": " << label << ": " << text.str();
    return;
  }
  if (expected.numel() == 0) return;
  const auto pairs = [](const at::Tensor& value, bool complex) {
    const at::Tensor flat = value.detach().cpu();
    return (complex ? at::view_as_real(flat.resolve_conj().contiguous()) : flat).to(at::kDouble).contiguous();
  };
  if (actual.is_complex() != expected.is_complex()) {
    ADD_FAILURE() << name_ << ": " << label << ": complex on one side only";
    return;
  }
  const at::Tensor got = pairs(actual, actual.is_complex()), want = pairs(expected, expected.is_complex());
  // Equal infinities and NaN at the same place count as equal.
  const at::Tensor same = at::logical_or(got.eq(want), at::logical_and(got.isnan(), want.isnan()));
  at::Tensor difference = at::where(same, at::zeros_like(got), (got - want).abs());
  difference = difference.nan_to_num(INFINITY, INFINITY, INFINITY);
  const at::Tensor modulus = expected.is_complex() ? expected.abs().to(at::kDouble).unsqueeze(-1) : want.abs();
  const at::Tensor excess = difference - allowed.rtol * modulus.nan_to_num(0, 0, 0) - allowed.atol;
  const std::int64_t worst = excess.flatten().argmax().item<std::int64_t>();
  const auto at_worst = [worst](const at::Tensor& value) { return value.flatten()[worst].item<double>(); };
  if (std::getenv("RESEDA_GOLDEN_VERBOSE") != nullptr)
    std::cout << "  " << label << ": " << at_worst(difference) << " of " << allowed.atol << "\n";
  EXPECT_LE(at_worst(excess), 0.0) << name_ << ": " << label << ": largest difference " << at_worst(difference)
                                   << " at " << index_text(want, worst) << ": got " << at_worst(got) << ", expected "
                                   << at_worst(want) << ", allowed " << allowed.atol << " + " << allowed.rtol
                                   << " |expected|; largest value " << want.abs().max().item<double>();
}

void GoldenCase::finish() {
  for (const auto& entry : tensors_) {
    const bool counts = entry.first.starts_with("in.") || entry.first.starts_with("draw.") ||
                        entry.first.starts_with("mid.") || entry.first.starts_with("out.");
    if (counts && used_.count(entry.first) == 0)
      ADD_FAILURE() << name_ << ": tensor '" << entry.first << "' was not used";
  }
  const std::size_t recorded = draw_keys().size(), drawn = std::max(drawn_, noise_ ? noise_->used() : 0);
  if (drawn != recorded) ADD_FAILURE() << name_ << ": " << drawn << " of " << recorded << " draws were used";
  if (checks_ == 0) ADD_FAILURE() << name_ << ": nothing was checked";
}

}  // namespace reseda::golden
