// Runs the recorded cases under RESEDA_GOLDEN_DIRS (default: ../shared/golden and tests/golden): one test per case,
// named <system>.<case>. A case needs no code of its own: its json's kind says which function runs it
// (golden_kinds.cpp).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <stdexcept>

#include "tests/golden/golden_kinds.hpp"

namespace reseda::golden {
namespace {

struct Found {
  std::filesystem::path file;
  std::string system, kind, problem;
};

Found describe(const std::filesystem::path& file) {
  Found found{.file = file, .system = "", .kind = "", .problem = ""};
  try {
    std::ifstream in(file);
    const nlohmann::json json = parse_json({std::istreambuf_iterator<char>(in), {}});
    found.kind = json.is_object() ? json.value("kind", "") : "";
    found.system = system_of(file, json);
  } catch (const std::exception& error) {
    found.system = system_of(file, nlohmann::json::object());
    found.problem = error.what();
  }
  return found;
}

bool runs(const Found& found) {
  const auto all = systems();
  const bool known = std::find(all.begin(), all.end(), found.system) != all.end();
  // Outside of any system's folder a json is a case only if it says its kind.
  return known || (found.system.empty() && !found.kind.empty());
}

bool same_bytes(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::ifstream left(a, std::ios::binary), right(b, std::ios::binary);
  return std::equal(std::istreambuf_iterator<char>(left), {}, std::istreambuf_iterator<char>(right), {});
}

class CaseTest : public testing::Test {
 public:
  explicit CaseTest(Found found) : found_(std::move(found)) {}

  void TestBody() override {
    if (!found_.problem.empty()) FAIL() << found_.file << ": " << found_.problem;
    const auto table = kinds();
    const auto kind = std::find_if(table.begin(), table.end(), [this](const Kind& row) {
      return row.system == found_.system && row.kind == found_.kind;
    });
    if (kind == table.end())
      FAIL() << found_.file << ": kind '" << found_.kind << "' of system '" << found_.system << "' is not known";
    if (kind->run == nullptr) GTEST_SKIP() << "kind '" << found_.kind << "': " << kind->skip_reason;
    try {
      GoldenCase golden(found_.file);
      kind->run(golden);
      golden.finish();
    } catch (const std::exception& error) {
      FAIL() << found_.file << ": " << error.what();
    }
  }

 private:
  Found found_;
};

void register_case(const std::string& name, const Found& found) {
  const std::string suite = found.system.empty() ? "unknown" : found.system;
  testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                        [found]() -> testing::Test* { return new CaseTest(found); });
}

void register_cases() {
  std::map<std::string, std::vector<std::filesystem::path>> seen;
  for (const auto& folder : golden_folders()) {
    if (!std::filesystem::is_directory(folder)) {
      if (std::getenv("RESEDA_GOLDEN_DIRS") != nullptr)
        register_case("folder", Found{folder, "", "", "is not a folder"});
      continue;
    }
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
      const Found found = describe(file);
      if (!runs(found)) continue;
      std::string name = file.stem().string();
      auto& same_name = seen[found.system + "." + name];
      // tests/golden holds copies of some shared cases, with fewer tensors: the first, whole one is enough.
      if (std::any_of(same_name.begin(), same_name.end(), [&](const auto& other) { return same_bytes(file, other); }))
        continue;
      same_name.push_back(file);
      if (same_name.size() > 1) name += "_" + std::to_string(same_name.size());
      register_case(name, found);
    }
  }
}

}  // namespace
}  // namespace reseda::golden

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  reseda::golden::register_cases();
  return RUN_ALL_TESTS();
}
