// YAML and JSON as bounded trees.
#include <gtest/gtest.h>

#include "io/record/json.hpp"
#include "io/record/yaml.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::io {
namespace {

using tests::expect_error;

TEST(Yaml, ReadsNestedMapsListsAndScalars) {
  const ConfigNode tree = parse_yaml(R"(# comment
model: {name: a, sizes: [1, 2.50, "x: y"]}
empty: ~
quoted: "null"
deep:
  - k: v
  - 'it''s'
)",
                                     "a.yaml");
  EXPECT_EQ(tree.to_json(), R"({"model": {"name": "a", "sizes": [1, 2.50, "x: y"]}, "empty": null, "quoted": "null", )"
                            R"("deep": [{"k": "v"}, "it's"]})");
  EXPECT_EQ(tree.find("quoted")->where(), "a.yaml:4");
  EXPECT_EQ(tree.find("deep")->items()[0].find("k")->where(), "a.yaml:6");
  EXPECT_TRUE(parse_yaml("", "a.yaml").is_null());
  EXPECT_EQ(parse_yaml("a: 1\r\nb: 2\r\n", "a").to_json(), R"({"a": 1, "b": 2})");
}

TEST(Yaml, RefusesWithFileAndLine) {
  const auto refuse = [](const std::string& text, const std::string& message) {
    expect_error(Errc::kUsage, message, [&] { parse_yaml(text, "a.yaml"); });
  };
  refuse("a: 1\nb: 2\na: 3\n", "a.yaml:3: key 'a' appears twice");
  refuse("a: 1\nb: [1, 2\n", "a.yaml:3: not valid YAML");
  refuse("a:\n\t- 1\n", "a.yaml:2: not valid YAML");
  refuse("a: &x 1\nb: *x\n", "a.yaml:1: anchors (&) and aliases (*) are not allowed");
  refuse("a: !!python/object:os.system x\n", "a.yaml:1: tags (!) are not allowed");
  refuse("? [1, 2]\n: 3\n", "a key must be a plain word");
  refuse("a: 1\n---\nb: 2\n", "a.yaml: holds more than one YAML document");
  refuse(std::string(100, '[') + std::string(100, ']'), "nested deeper than 32 levels");
  refuse(std::string(100'000, '[') + std::string(100'000, ']'), "nested deeper than 32 levels");
  refuse(std::string(100'000, '{'), "a.yaml:1: ");
  refuse(std::string(2U << 20, ' '), "larger than 1048576 bytes");
  refuse("a: b: c\n", "a.yaml:1: not valid YAML");
}

TEST(Yaml, BoundsTheNumberOfValues) {
  std::string text = "a: [";
  for (int i = 0; i < 200'000; ++i) text += "1,";
  expect_error(Errc::kUsage, "more than 100000 values", [&] { parse_yaml(text + "]", "a.yaml"); });
  std::string keys;
  for (int i = 0; i < 10'001; ++i) keys += "k" + std::to_string(i) + ": 1\n";
  expect_error(Errc::kUsage, "more than 10000 keys", [&] { parse_yaml(keys, "a.yaml"); });
}

TEST(Yaml, SurvivesDamagedBytes) {
  const std::string text = "model: {name: a, sizes: [1, 2.50, \"x: y\"]}\nlist:\n  - k: v\n  - |\n    text\n";
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char c : {'\0', '\xff', '"', '{', '&', '\n', '\t', ':'}) {
      std::string damaged = text;
      damaged[i] = c;
      try {
        parse_yaml(damaged, "a.yaml");
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Errc::kUsage);
      }
    }
    try {
      parse_yaml(text.substr(0, i), "a.yaml");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::kUsage);
    }
  }
}

TEST(Yaml, ConfigNodesPrintAsYamlThatReadsBack) {
  ConfigNode tree;
  int i = 0;
  for (const char* text :
       {"",     "null",  "~",    "a: b", "a #b", "- x",   "-1",  "-x",    "[1]",    "{a}",         "&a",
        "*a",   "!t",    "%d",   "@x",   "'q'",  "\"q\"", "x:",  " lead", "trail ", "line\nbreak", "tab\t",
        "\x01", "1e-07", "true", "yes",  "0x1F", "...",   "---", "<<",    "a'b",    "a\\b",        "\xc3\xa9",
        ",x",   "?x",    "|",    ">",    "`",    "NULL",  "#c",  "=",     "1_000",  "12:30:45",    "2001-01-01",
        "a,b",  "{",     "]"})
    tree["k" + std::to_string(i++)] = ConfigNode(text);
  tree["weird: key"] = ConfigNode("v");
  tree["null"] = ConfigNode("v");
  tree["nested"]["deep"]["x"] = ConfigNode("1");
  tree["empty_map"] = ConfigNode::map();
  tree["empty_list"] = ConfigNode::list();
  tree["nothing"] = ConfigNode();
  ConfigNode inner = ConfigNode::map();
  inner["a b"] = ConfigNode("c: d");
  tree["list"].append(inner);
  tree["list"].append(ConfigNode("null"));
  const ConfigNode back = parse_yaml(tree.to_yaml(), "printed");
  EXPECT_EQ(back.to_json(), tree.to_json());
  for (std::size_t k = 0; k < tree.keys().size(); ++k) {
    EXPECT_EQ(back.items()[k].kind(), tree.items()[k].kind()) << tree.keys()[k];
    EXPECT_EQ(back.items()[k].scalar(), tree.items()[k].scalar()) << tree.keys()[k];
  }
}

TEST(Yaml, ReadsFilesAndSaysWhyNot) {
  const tests::TemporaryFolder folder;
  EXPECT_EQ(read_yaml(folder.write("c.yaml", "a: 1\n")).to_json(), R"({"a": 1})");
  expect_error(Errc::kUsage, "none.yaml: cannot read: No such file", [&] { read_yaml(folder / "none.yaml"); });
  expect_error(Errc::kUsage, "not a regular file", [&] { read_yaml(folder.path()); });
  folder.write("big.yaml", std::string(2U << 20, '\n'));
  expect_error(Errc::kUsage, "big.yaml: larger than", [&] { read_yaml(folder / "big.yaml"); });
}

TEST(Json, ReadsValuesAndKeepsTheSpellingOfNumbers) {
  const ConfigNode tree = parse_json(
      R"({"a": [1, -2, 0.10, 1e5, 123456789012345678901234567890], "b": {"c": null, "d": true}, "e": "\u00e9\n"})"
      "\n",
      "x");
  EXPECT_EQ(tree.to_json(),
            "{\"a\": [1, -2, 0.10, 1e5, 123456789012345678901234567890], \"b\": {\"c\": null, \"d\": true}, \"e\": "
            "\"\xc3\xa9\\n\"}");
}

TEST(Json, Refuses) {
  const auto refuse = [](const std::string& text, const std::string& message) {
    expect_error(Errc::kCheckpoint, message, [&] { parse_json(text, "meta", Errc::kCheckpoint); });
  };
  refuse(R"({"a": 1, "a": 2})", "meta: key 'a' appears twice");
  refuse(R"({"a": 1} x)", "meta: not valid JSON at byte");
  refuse("{\n\"a\": 1,\n}", "(line 3)");
  refuse("", "not valid JSON");
  refuse("{\"a\": \"\xff\"}", "not valid JSON");
  refuse(std::string(100'000, '['), "nested deeper than 32 levels");
  refuse(std::string(100'000, '{'), "not valid JSON");
  refuse("1e999", "not valid JSON");
}

TEST(Json, ReadsWhatConfigNodesPrint) {
  ConfigNode tree;
  tree["text"] = ConfigNode("a\"b\\\n\t\x01");
  tree["number"] = ConfigNode("1.50");
  tree["nested"]["list"].append(ConfigNode("x"));
  EXPECT_EQ(parse_json(tree.to_json(), "x").to_json(), tree.to_json());
  EXPECT_EQ(parse_json(tree.to_json(2), "x").to_json(), tree.to_json());
  EXPECT_EQ(parse_json(tree.to_json(), "x").find("text")->scalar(), "a\"b\\\n\t\x01");
}

}  // namespace
}  // namespace reseda::io
