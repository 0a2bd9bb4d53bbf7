// Files that the official training programs wrote: the SHA-256 of every tensor is recorded beside them. They are found
// in the golden folders (RESEDA_GOLDEN_DIRS, else ../shared/golden); without them these tests are skipped.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "io/checkpoint/checkpoint.hpp"
#include "io/record/sha256.hpp"
#include "tests/support/tensor_text.hpp"

namespace reseda::io {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Hashes = std::map<std::string, std::string>;  // path: "float32[2, 3] sha256"

std::optional<fs::path> golden_file(const std::string& name) {
  const char* variable = std::getenv("RESEDA_GOLDEN_DIRS");
  std::istringstream folders(variable != nullptr && *variable != '\0'
                                 ? variable
                                 : (fs::path(RESEDA_SOURCE_DIR).parent_path() / "shared/golden").string());
  for (std::string folder; std::getline(folders, folder, ':');)
    if (fs::exists(fs::path(folder) / name)) return fs::path(folder) / name;
  return std::nullopt;
}

Json read_json(const fs::path& file) {
  std::ifstream in(file);
  return Json::parse(in);
}

std::string describe(const std::string& dtype, const std::string& shape, const std::string& hash) {
  return dtype + "[" + shape + "] " + hash;
}

std::string join(const std::vector<std::int64_t>& sizes) {
  std::string out;
  for (const std::int64_t size : sizes) out += (out.empty() ? "" : ", ") + std::to_string(size);
  return out;
}

/// Items of lists and integer keys as plain numbers: "state/0/exp_avg".
std::string plain_path(std::string path) {
  const auto replace = [&](const std::string& from, const std::string& to) {
    for (std::size_t at = path.find(from); at != std::string::npos; at = path.find(from, at))
      path.replace(at, from.size(), to);
  };
  replace("<int ", "");
  replace(">", "");
  replace("[", "/");
  replace("]", "");
  return path;
}

/// Every tensor of a file.
Hashes hashes_of(const fs::path& file) {
  Hashes out;
  for (const auto& [path, value] : flatten(read_checkpoint(file).root)) {
    if (value.kind() != ValueKind::kTensor) continue;
    const at::Tensor& tensor = value.tensor();
    out[plain_path(path)] =
        describe(tests::dtype_name(tensor), join(tensor.sizes().vec()), sha256(tests::tensor_bytes(tensor)));
  }
  return out;
}

std::string expected(const Json& tensor) {
  return describe(tensor["dtype"].get<std::string>(), join(tensor["shape"].get<std::vector<std::int64_t>>()),
                  tensor["sha256"].get<std::string>());
}

/// "path: dtype[shape] sha256" in a json, but for its line about the format.
Hashes listed(const Json& tensors) {
  Hashes out;
  for (const auto& [path, text] : tensors.items())
    if (path != "format") out[path] = text.get<std::string>();
  return out;
}

void check_globals(const fs::path& file, const Json& globals) {
  auto names = globals.get<std::vector<std::string>>();
  std::sort(names.begin(), names.end());
  EXPECT_EQ(read_checkpoint(file).globals, names);
  EXPECT_TRUE(read_checkpoint(file).refused.empty());
}

TEST(OfficialFiles, Rddm) {
  for (const std::string name : {"checkpoint_e0", "checkpoint_e2"}) {
    const auto file = golden_file("rddm/" + name + ".json");
    if (!file) GTEST_SKIP() << "no rddm/" << name << ".json in the golden folders";
    const Json json = read_json(*file);
    const fs::path checkpoint = file->parent_path() / json["file"]["name"].get<std::string>();
    EXPECT_EQ(hashes_of(checkpoint), listed(json["tensor_sha256"]));
    check_globals(checkpoint, json["pickle_globals"]);
  }
}

TEST(OfficialFiles, Resfusion) {
  for (const std::string name : {"checkpoint_generate", "checkpoint_restore"}) {
    const auto file = golden_file("resfusion/" + name + ".json");
    if (!file) GTEST_SKIP() << "no resfusion/" << name << ".json in the golden folders";
    const Json json = read_json(*file);  // the loop below needs it alive
    ASSERT_FALSE(json["files"].empty());
    for (const auto& [checkpoint, entry] : json["files"].items()) {
      // The record leaves out what callbacks keep.
      Hashes found = hashes_of(file->parent_path() / checkpoint);
      std::erase_if(found, [](const auto& item) { return item.first.starts_with("callbacks/"); });
      EXPECT_EQ(found, listed(entry["tensor_sha256"])) << checkpoint;
      check_globals(file->parent_path() / checkpoint, entry["pickle_globals"]);
    }
  }
}

TEST(OfficialFiles, Sgmse) {
  const auto file = golden_file("sgmse/tiny_v1.json");
  if (!file) GTEST_SKIP() << "no sgmse/tiny_v1.json in the golden folders";
  const Json json = read_json(*file);
  const fs::path checkpoint = file->parent_path() / "tiny_v1.ckpt";
  const Hashes found = hashes_of(checkpoint);
  for (const auto& [name, tensor] : json["state_dict"].items()) {
    ASSERT_TRUE(found.contains("state_dict/" + name)) << name;
    EXPECT_EQ(found.at("state_dict/" + name), expected(tensor)) << name;
  }
  // The list has no names; the json's are in its order only by the text of the file.
  std::ifstream in(*file);
  const auto ordered = nlohmann::ordered_json::parse(in);
  std::size_t i = 0;
  for (const auto& [name, tensor] : ordered["ema_shadow_by_name"].items()) {
    const std::string path = "ema/shadow_params/" + std::to_string(i++);
    ASSERT_TRUE(found.contains(path)) << path;
    EXPECT_EQ(found.at(path), expected(tensor)) << name;
  }
  EXPECT_EQ(i, json["ema"]["n_shadow"].get<std::size_t>());
  const Checkpoint read = read_checkpoint(checkpoint);
  EXPECT_EQ(read.root.find("global_step")->integer(), json["global_step"].get<std::int64_t>());
  EXPECT_EQ(read.root.find("hyper_parameters")->find("data_module_cls")->text(), "sgmse.data_module.SpecsDataModule");
  check_globals(checkpoint, json["pickle_globals"]);
}

TEST(OfficialFiles, Infrared) {
  const auto file = golden_file("infrared/ckpt.json");
  if (!file) GTEST_SKIP() << "no infrared/ckpt.json in the golden folders";
  const Json json = read_json(*file);
  for (const auto& [name, entry] : json["files"].items()) {
    SCOPED_TRACE(name);
    const std::string set = entry["tensors"].get<std::string>();
    if (!json["tensor_sets"].contains(set)) continue;  // the same cast to float16
    const Hashes found = hashes_of(file->parent_path() / "ckpt" / name);
    std::string path;
    for (const auto& key : entry["path to the state dict"]) path += key.get<std::string>() + "/";
    for (const auto& row : json["tensor_sets"][set]) {
      const std::string tensor = path + entry["key prefix"].get<std::string>() + row[0].get<std::string>();
      ASSERT_TRUE(found.contains(tensor)) << tensor;
      EXPECT_EQ(found.at(tensor), describe(row[1].get<std::string>(), join(row[2].get<std::vector<std::int64_t>>()),
                                           row[3].get<std::string>()));
    }
  }
}

TEST(OfficialFiles, Certification) {
  const auto file = golden_file("certification/checkpoints.json");
  if (!file) GTEST_SKIP() << "no certification/checkpoints.json in the golden folders";
  const Json json = read_json(*file);  // the loop needs it alive
  ASSERT_FALSE(json["files"].empty());
  for (const auto& entry : json["files"]) {
    const fs::path checkpoint = file->parent_path() / entry["file"].get<std::string>();
    SCOPED_TRACE(checkpoint.string());
    Hashes tensors;
    std::map<std::string, Value> values;
    const Checkpoint read = read_checkpoint(checkpoint);
    for (const auto& [path, value] : flatten(read.root)) values.emplace(plain_path(path), value);
    // A file that holds one number alone goes by its own name in the record.
    if (read.root.kind() == ValueKind::kInteger) values.emplace(checkpoint.stem().string(), read.root);
    for (const auto& [path, value] : entry["entries"].items()) {
      ASSERT_TRUE(values.contains(path)) << path;
      const Value& found = values.at(path);
      if (!value.contains("value")) {
        tensors[path] = expected(value);
      } else if (const Json& plain = value["value"]; plain.is_boolean()) {
        EXPECT_EQ(found.boolean(), plain.get<bool>()) << path;
      } else if (plain.is_number_integer()) {
        EXPECT_EQ(found.integer(), plain.get<std::int64_t>()) << path;
      } else if (plain.is_number()) {
        EXPECT_EQ(found.real(), plain.get<double>()) << path;
      } else if (plain.is_string()) {
        EXPECT_EQ(found.text(), plain.get<std::string>()) << path;
      } else {
        EXPECT_EQ(found.kind(), ValueKind::kNone) << path;
      }
    }
    EXPECT_EQ(hashes_of(checkpoint), tensors);
  }
}

}  // namespace
}  // namespace reseda::io
