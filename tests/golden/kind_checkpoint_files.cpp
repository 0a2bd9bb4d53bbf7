// The family of checkpoint files: expected.json says of each file beside it what it holds or that it must be refused.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "io/checkpoint/checkpoint.hpp"
#include "io/record/sha256.hpp"
#include "modules/core/error.hpp"
#include "tests/golden/golden_kinds.hpp"
#include "tests/support/tensor_text.hpp"

namespace reseda::golden {
namespace {

using Json = nlohmann::json;

std::string key_name(const io::Value& key) {
  if (key.kind() == io::ValueKind::kInteger) return "<int " + std::to_string(key.integer()) + ">";
  return key.text();
}

std::string hexadecimal(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

/// Every value by its path, described as in expected.json; values that it only calls "other" stay unexplored.
class Content {
 public:
  explicit Content(const Json& expected) : expected_(expected) {}

  std::map<std::string, Json> of(const io::Value& root) {
    add(root, "");
    return std::move(found_);
  }

 private:
  void add(const io::Value& value, const std::string& path) {
    const bool other = expected_.contains(path) && expected_[path].contains("other");
    if (other) {
      found_[path] = expected_[path];
      return;
    }
    switch (value.kind()) {
      case io::ValueKind::kNone:
        found_[path] = {{"none", true}};
        break;
      case io::ValueKind::kBool:
        found_[path] = {{"bool", value.boolean()}};
        break;
      case io::ValueKind::kInteger:
        found_[path] = {{"int", io::integer_text(value)}};
        break;
      case io::ValueKind::kFloat:
        found_[path] = {{"float", value.real()}};
        break;
      case io::ValueKind::kText:
        found_[path] = {{"str", value.text()}};
        break;
      case io::ValueKind::kBytes:
        found_[path] = {{"bytes_hex", hexadecimal(value.text())}};
        break;
      case io::ValueKind::kTensor:
        found_[path] = {{"tensor", tests::dtype_name(value.tensor())},
                        {"shape", value.tensor().sizes().vec()},
                        {"sha256", io::sha256(tests::tensor_bytes(value.tensor()))}};
        break;
      case io::ValueKind::kDict:
        add_dict(value, path, path.empty() ? "" : "/");
        break;
      case io::ValueKind::kOpaque:
        found_[path] = {{"object", value.text()}};
        for (const io::Value& part : value.items())
          if (part.kind() == io::ValueKind::kDict) add_dict(part, path, ".");
        break;
      default:
        add_sequence(value, path);
    }
  }

  void add_dict(const io::Value& value, const std::string& path, const std::string& joint) {
    const auto entries = value.entries();
    if (entries.empty()) found_[path] = {{"dict", "empty"}};
    for (const auto& [key, item] : entries) add(item, path + joint + key_name(key));
  }

  void add_sequence(const io::Value& value, const std::string& path) {
    const auto items = value.items();
    found_[path] = {{value.kind() == io::ValueKind::kList ? "list" : "tuple", items.size()}};
    for (std::size_t i = 0; i < items.size(); ++i) add(items[i], path + "[" + std::to_string(i) + "]");
  }

  const Json& expected_;
  std::map<std::string, Json> found_;
};

bool same(const Json& found, const Json& expected) {
  if (!expected.contains("float") || !found.contains("float")) return found == expected;
  return found["float"].get<double>() == std::stod(expected["float"].get<std::string>());
}

void check_content(const io::Checkpoint& checkpoint, const Json& expected) {
  const auto found = Content(expected).of(checkpoint.root);
  for (const auto& [path, value] : expected.items()) {
    const auto at = found.find(path);
    if (at == found.end()) {
      ADD_FAILURE() << "'" << path << "' is missing";
      continue;
    }
    EXPECT_TRUE(same(at->second, value)) << path << ": " << at->second << ", expected " << value;
  }
  for (const auto& entry : found)
    EXPECT_TRUE(expected.contains(entry.first)) << "'" << entry.first << "' should not be there";
}

/// What must be loaded in full; files that may be refused too are only required to hold these values.
void check_values(const io::Checkpoint& checkpoint, const Json& expected) {
  const auto found = Content(expected).of(checkpoint.root);
  for (const auto& [path, value] : expected.items())
    if (const auto at = found.find(path); at != found.end()) {
      EXPECT_TRUE(same(at->second, value)) << path;
    } else {
      ADD_FAILURE() << "'" << path << "' is missing";
    }
}

void check_file(const std::filesystem::path& file, const Json& entry) {
  SCOPED_TRACE(file.filename().string());
  const std::string expect = entry.at("expect").get<std::string>();
  const bool described = entry.contains("content") && entry["content"].is_object();
  ASSERT_TRUE(std::filesystem::exists(file));
  try {
    const io::Checkpoint checkpoint = io::read_checkpoint(file);
    EXPECT_TRUE(expect != "reject") << "must be refused: " << entry.value("what", "");
    if (expect == "load") check_content(checkpoint, entry.at("content"));
    if (expect == "load_or_reject" && described) check_values(checkpoint, entry["content"]);
    for (const auto& [path, value] : io::flatten(checkpoint.root))
      if (value.kind() == io::ValueKind::kTensor) value.tensor();
  } catch (const Error& error) {
    EXPECT_NE(expect, "load") << error.what();
    EXPECT_EQ(error.code(), Errc::kCheckpoint) << error.what();
    const std::string message = error.what();
    EXPECT_NE(message.find(file.filename().string()), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

}  // namespace

void run_checkpoint_files(GoldenCase& golden) {
  for (const auto& [file, entry] : golden.json().at("files").items()) {
    check_file(golden.sibling(file), entry);
    golden.count_check();
  }
}

}  // namespace reseda::golden
