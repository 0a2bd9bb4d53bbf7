#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "io/record/json.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {

/// A committed checkpoint by name.
inline std::string checkpoint(const std::string& name) {
  return std::string(RESEDA_SOURCE_DIR "/tests/golden/checkpoints/") + name;
}

/// Runs reseda-tools.
inline Outcome tools(std::vector<std::string> words) {
  words.insert(words.begin(), "reseda-tools");
  return run(words);
}

/// The one JSON object that a command printed.
inline ConfigNode json_of(const Outcome& outcome) {
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1);
  return io::parse_json(outcome.out, "json", Errc::kInternal, {.bytes = 16U << 20, .nodes = 1'000'000});
}

/// "a.b" of a tree as text; "absent" where it is not.
inline std::string value_at(const ConfigNode& tree, const std::string& key) {
  const ConfigNode* found = tree.find(key);
  return found == nullptr ? "absent" : found->kind() == ConfigNode::Kind::kScalar ? found->scalar() : found->to_json();
}

/// The item of a list whose `key` has this value.
inline ConfigNode item_of(const ConfigNode& list, const std::string& key, const std::string& value) {
  for (const ConfigNode& item : list.items())
    if (value_at(item, key) == value) return item;
  ADD_FAILURE() << "no item with " << key << " " << value;
  return ConfigNode::map();
}

/// One line on stderr that holds the text, and this code.
inline void expect_refusal(const Outcome& got, int code, const std::string& text) {
  EXPECT_EQ(got.code, code) << got.err;
  EXPECT_THAT(got.err, testing::HasSubstr(text));
  EXPECT_EQ(std::count(got.err.begin(), got.err.end(), '\n'), 1) << got.err;
}

}  // namespace reseda::tests
