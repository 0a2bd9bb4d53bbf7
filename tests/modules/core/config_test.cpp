#include "modules/core/config.hpp"

#include <gtest/gtest.h>

#include "modules/core/registry.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda {
namespace {

using tests::expect_error;

struct Inner {
  double rate = 0.5;
  std::vector<std::int64_t> sizes = {1, 2};
  template <class V>
  void fields(V& v) {
    v("rate", rate, "a rate");
    v("sizes", sizes, "sizes");
  }
};

struct Outer {
  std::int64_t steps = 30;
  bool fast = false;
  std::string label = "x";
  Inner inner;
  ConfigNode part;
  template <class V>
  void fields(V& v) {
    v("steps", steps, "number of steps");
    v("fast", fast, "speed");
    v("label", label, "text");
    v("inner", inner, "group");
    v("part", part, "component");
  }
  void validate() const { RESEDA_REQUIRE(steps >= 1, Errc::kUsage, "steps must be >= 1, got ", steps); }
};

ConfigNode node_with(const std::string& path, const std::string& value) {
  ConfigNode node;
  node.set(path, value);
  return node;
}

TEST(ConfigNode, KeepsKeyOrderAndFindsKeys) {
  ConfigNode node;
  node["b"] = ConfigNode("1");
  node["a"] = ConfigNode("2");
  EXPECT_EQ(node.keys(), (std::vector<std::string>{"b", "a"}));
  ASSERT_NE(node.find("a"), nullptr);
  EXPECT_EQ(node.find("a")->scalar(), "2");
  EXPECT_EQ(node.find("c"), nullptr);
}

TEST(ConfigNode, MergeReplacesScalarsAndListsAndMergesMaps) {
  ConfigNode base;
  base.set("a.x", "1");
  base.set("a.y", "[1, 2]");
  ConfigNode over;
  over.set("a.y", "[3]");
  over.set("b", "4");
  base.merge(over);
  EXPECT_EQ(base.to_json(), R"({"a": {"x": 1, "y": [3]}, "b": 4})");
  base.merge(ConfigNode());  // null changes nothing
  EXPECT_EQ(base.to_json(), R"({"a": {"x": 1, "y": [3]}, "b": 4})");
}

TEST(ConfigNode, AComponentOfAnotherNameReplacesTheOldOneWhole) {
  ConfigNode base = node_with("name", "sb_ve");
  base.set("k", "2.6");
  base.set("inner.name", "a");
  base.set("inner.p", "1");
  ConfigNode same = node_with("k", "3");
  base.merge_component(same);
  EXPECT_EQ(base.to_json(), R"({"name": "sb_ve", "k": 3, "inner": {"name": "a", "p": 1}})");
  base.merge_component(node_with("inner.name", "b"));
  EXPECT_EQ(base.to_json(), R"({"name": "sb_ve", "k": 3, "inner": {"name": "b"}})");
  base.merge_component(node_with("name", "ou_ve"));
  EXPECT_EQ(base.to_json(), R"({"name": "ou_ve"})");
}

TEST(ConfigNode, SetRefusesBadPaths) {
  ConfigNode node;
  expect_error(Errc::kUsage, "'a..b' is not a path", [&] { node.set("a..b", "1"); });
  expect_error(Errc::kUsage, "is not a path", [&] { node.set("", "1"); });
  node = ConfigNode();
  node.set("a", "1");
  expect_error(Errc::kUsage, "'a' is a value, it has no key 'b'", [&] { node.set("a.b", "1"); });
}

TEST(ConfigNode, JsonQuotesWhatIsNoJsonNumber) {
  ConfigNode list = ConfigNode::list();
  for (const char* text :
       {"1", "-2.5e3", "0.5", "007", "+5", ".5", "5.", "1e999", "nan", "0x1", "true", "True", "-", ""})
    list.append(ConfigNode(text));
  EXPECT_EQ(list.to_json(),
            R"([1, -2.5e3, 0.5, "007", "+5", ".5", "5.", "1e999", "nan", "0x1", true, "True", "-", ""])");
}

TEST(ConfigNode, JsonEscapesControlCharactersAndReplacesInvalidUtf8) {
  EXPECT_EQ(json_quoted("a\"b\\c\n\t\x01\x7f"), R"("a\"b\\c\n\t\u0001\u007f")");
  EXPECT_EQ(json_quoted("\xc3\xa9 \xf0\x9f\x8e\xb5"), "\"\xc3\xa9 \xf0\x9f\x8e\xb5\"");
  const std::string r = "\xef\xbf\xbd";  // U+FFFD
  EXPECT_EQ(json_quoted("\xff|\xc0\x80|\xed\xa0\x80|\xe2\x82"),
            "\"" + r + "|" + r + r + "|" + r + r + r + "|" + r + r + "\"");
  EXPECT_EQ(json_quoted(r), "\"" + r + "\"");
}

TEST(ConfigReader, ReadsEveryTypeAndKeepsDefaults) {
  ConfigNode node;
  node.set("steps", "5");
  node.set("fast", "true");
  node.set("inner.sizes", "[7, 8, 9]");
  node.set("part.name", "p");
  Outer config;
  read_config(node, config);
  EXPECT_EQ(config.steps, 5);
  EXPECT_TRUE(config.fast);
  EXPECT_EQ(config.label, "x");
  EXPECT_EQ(config.inner.rate, 0.5);
  EXPECT_EQ(config.inner.sizes, (std::vector<std::int64_t>{7, 8, 9}));
  EXPECT_EQ(config.part.to_json(), R"({"name": "p"})");
}

TEST(ConfigReader, NamesKeyRuleValueAndPlace) {
  Outer config;
  expect_error(Errc::kUsage, "unknown key 'inner.rat'; did you mean 'inner.rate'?",
               [&] { read_config(node_with("inner.rat", "1"), config); });
  expect_error(Errc::kUsage, "model.steps must be a whole number, got '1.5'",
               [&] { read_config(node_with("steps", "1.5"), config, "model"); });
  expect_error(Errc::kUsage, "inner.rate must be a finite number, got 'inf'",
               [&] { read_config(node_with("inner.rate", "inf"), config); });
  expect_error(Errc::kUsage, "fast must be true or false, got 'yes'",
               [&] { read_config(node_with("fast", "yes"), config); });
  expect_error(Errc::kUsage, "inner.sizes must be a list", [&] { read_config(node_with("inner.sizes", "3"), config); });
  expect_error(Errc::kUsage, "label must be a text, not a list",
               [&] { read_config(node_with("label", "[1]"), config); });
  expect_error(Errc::kUsage, "inner must be a group of keys", [&] { read_config(node_with("inner", "3"), config); });
  expect_error(Errc::kUsage, "steps must be >= 1, got 0", [&] { read_config(node_with("steps", "0"), config); });
  ConfigNode placed;
  placed["stepz"] = ConfigNode("1");
  placed["stepz"].set_where("speech.yaml:12");
  expect_error(Errc::kUsage, "unknown key 'stepz' (speech.yaml:12); did you mean 'steps'?",
               [&] { read_config(placed, config); });
}

TEST(ConfigWriter, WritesWhatTheReaderReadsBack) {
  Outer config;
  config.steps = 7;
  config.label = "a: b #c";
  config.inner.rate = 0.1 + 0.2;
  config.part.set("name", "p");
  const ConfigNode tree = write_config(config);
  Outer back;
  read_config(tree, back);
  EXPECT_EQ(write_config(back).to_json(), tree.to_json());
  EXPECT_EQ(back.inner.rate, 0.1 + 0.2);
}

TEST(ConfigLister, ListsDottedKeysWithDefaults) {
  const auto fields = list_config(Outer{}, "model");
  ASSERT_EQ(fields.size(), 6U);
  EXPECT_EQ(fields[3].key, "model.inner.rate");
  EXPECT_EQ(fields[3].value, "0.5");
  EXPECT_EQ(fields[4].value, "[1, 2]");
  EXPECT_EQ(fields[0].help, "number of steps");
}

TEST(NearestName, SuggestsOnlyWhatIsClose) {
  EXPECT_EQ(nearest_name("stpes", {"steps", "rate"}), "steps");
  EXPECT_EQ(nearest_name("zzzzz", {"steps", "rate"}), "");
  EXPECT_EQ(nearest_name("k", {"c"}), "");  // nothing in common
  EXPECT_EQ(nearest_name("kk", {"k"}), "k");
}

TEST(NumberText, ReadsBackExactly) {
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(std::stod(number_text(1.0 / 3.0)), 1.0 / 3.0);
  EXPECT_EQ(number_text(-2), "-2");
}

TEST(SplitName, TakesTheNameOffAComponent) {
  ConfigNode node = node_with("name", "pc");
  node.set("steps", "3");
  const auto [name, rest] = split_name(node, "sampler");
  EXPECT_EQ(name, "pc");
  EXPECT_EQ(rest.to_json(), R"({"steps": 3})");
  expect_error(Errc::kUsage, "sampler.name is missing", [] { split_name(ConfigNode::map(), "sampler"); });
}

}  // namespace
}  // namespace reseda
