#include "pipelines/common/flags.hpp"

#include <gtest/gtest.h>

#include "io/record/json.hpp"
#include "pipelines/common/flag_help.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::app {
namespace {

using testing::HasSubstr;
using testing::Not;
using tests::expect_error;
using Strings = std::vector<std::string>;

FlagTable example() {
  FlagTable table;
  table.add({.name = "INPUT", .help = "files", .required = true, .repeatable = true, .positional = true})
      .add({.name = "output", .letter = 'o', .word = "PATH", .help = "where to", .hint = ValueHint::kFile})
      .add({.name = "recursive", .letter = 'r', .type = FlagType::kSwitch, .help = "deep"})
      .add({.name = "verbose", .letter = 'v', .type = FlagType::kSwitch, .help = "more"})
      .add({.name = "steps",
            .type = FlagType::kInteger,
            .value = "30",
            .help = "steps",
            .group = "Sampling",
            .least = 1,
            .most = 1000})
      .add({.name = "mix", .type = FlagType::kNumber, .value = "1", .help = "mix", .group = "Sampling"})
      .add({.name = "precision", .value = "f32", .help = "how", .choices = {"f32", "bf16"}})
      .add({.name = "set", .letter = 's', .word = "KEY=VALUE", .help = "a key", .repeatable = true})
      .add({.name = "secret", .type = FlagType::kSwitch, .help = "nobody's", .hidden = true});
  return table;
}

TEST(ParseFlags, TakesEverySpelling) {
  const Flags flags = parse_flags(example(), {"a.wav", "--output=out", "-rv", "b.wav", "--steps", "5", "-s", "a=1",
                                              "-sb=2", "--set=c=3", "--mix", "-0.5", "-", "--", "--steps", "-x"});
  EXPECT_EQ(flags.list("INPUT"), (Strings{"a.wav", "b.wav", "-", "--steps", "-x"}));
  EXPECT_EQ(flags.text("output"), "out");
  EXPECT_TRUE(flags.on("recursive"));
  EXPECT_TRUE(flags.on("verbose"));
  EXPECT_EQ(flags.integer("steps"), 5);
  EXPECT_EQ(flags.number("mix"), -0.5);
  EXPECT_EQ(flags.list("set"), (Strings{"a=1", "b=2", "c=3"}));
  EXPECT_TRUE(flags.given("steps"));
}

TEST(ParseFlags, KeepsDefaults) {
  const Flags flags = parse_flags(example(), {"a"});
  EXPECT_EQ(flags.integer("steps"), 30);
  EXPECT_EQ(flags.number("steps"), 30);
  EXPECT_EQ(flags.text("precision"), "f32");
  EXPECT_EQ(flags.text("output"), "");
  EXPECT_TRUE(flags.list("set").empty());
  EXPECT_FALSE(flags.on("recursive"));
  EXPECT_FALSE(flags.given("steps"));
}

TEST(ParseFlags, ParsesManyTimesInOneProcess) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(parse_flags(example(), {"--", "-a"}).list("INPUT"), (Strings{"-a"}));
  EXPECT_TRUE(parse_flags(example(), {"-r", "a"}).on("recursive"));
}

TEST(ParseFlags, RefusesInOneLine) {
  const auto refuse = [](const Strings& words, const std::string& message) {
    expect_error(Errc::kUsage, message, [&] { parse_flags(example(), words); });
  };
  refuse({"a", "--ouptut", "x"}, "unknown flag '--ouptut'; did you mean '--output'?");
  refuse({"a", "--zzzzzzz"}, "unknown flag '--zzzzzzz'; see --help");
  refuse({"a", "--secre"}, "unknown flag '--secre'; see --help");  // hidden ones are not suggested
  refuse({"a", "-z"}, "unknown flag '-z'");
  refuse({"a", "-rz"}, "unknown flag '-z'");
  refuse({"a", "--INPUT", "b"}, "unknown flag '--INPUT'");
  refuse({"a", "--output"}, "--output needs a value");
  refuse({"a", "-o"}, "--output needs a value");
  refuse({"a", "--recursive=yes"}, "--recursive takes no value, got 'yes'");
  refuse({"a", "--steps", "1.5"}, "--steps must be a whole number, got '1.5'");
  refuse({"a", "--steps", "ten"}, "--steps must be a whole number, got 'ten'");
  refuse({"a", "--steps="}, "--steps must be a whole number, got ''");
  refuse({"a", "--steps", "0"}, "--steps must be >= 1, got 0");
  refuse({"a", "--steps", "1001"}, "--steps must be <= 1000, got 1001");
  refuse({"a", "--steps", "99999999999999999999"}, "--steps must be a whole number");
  refuse({"a", "--mix", "nan"}, "--mix must be a finite number, got 'nan'");
  refuse({"a", "--precision", "fp8"}, "--precision must be one of f32, bf16; got 'fp8'");
  refuse({"a", "--steps", "1", "--steps", "2"}, "--steps is given twice");
  refuse({}, "INPUT is missing; see --help");
}

TEST(ParseFlags, CountsPositionals) {
  FlagTable table;
  table.add({.name = "CLEAN", .required = true, .positional = true}).add({.name = "NOISY", .positional = true});
  EXPECT_EQ(parse_flags(table, {"a", "b"}).text("NOISY"), "b");
  EXPECT_EQ(parse_flags(table, {"a"}).text("NOISY"), "");
  expect_error(Errc::kUsage, "'c' is one word too many", [&] { parse_flags(table, {"a", "b", "c"}); });
  table.add({.name = "must", .required = true});
  expect_error(Errc::kUsage, "--must is missing", [&] { parse_flags(table, {"a"}); });
}

TEST(FlagTable, OurOwnMistakesAreInternal) {
  FlagTable table = example();
  EXPECT_THROW(table.add({.name = "output"}), Error);
  EXPECT_THROW(table.add({.name = "other", .letter = 'o'}), Error);
  EXPECT_THROW(table.add({.name = "MORE", .positional = true}), Error);
  const Flags flags(table);
  expect_error(Errc::kInternal, "flag 'nope' is not in the table", [&] { flags.text("nope"); });
  EXPECT_THROW(flags.on("output"), Error);
  EXPECT_THROW(flags.integer("mix"), Error);
  EXPECT_THROW(flags.text("set"), Error);
}

const HelpPage kPage{"prog verb", "Does what it says.", "prog verb a -o b"};

TEST(HelpText, ShowsGroupsDefaultsAndExample) {
  const std::string text = help_text(kPage, example());
  EXPECT_THAT(text, HasSubstr("Usage: prog verb [options] INPUT...\n\nDoes what it says.\n"));
  EXPECT_THAT(text, HasSubstr("\nSampling:\n      --steps N             steps [30]\n"));
  EXPECT_THAT(text, HasSubstr("  -o, --output PATH         where to\n"));
  EXPECT_THAT(text, HasSubstr("--precision f32|bf16"));
  EXPECT_THAT(text, HasSubstr("a key (repeatable)"));
  EXPECT_THAT(text, HasSubstr("\nExample:\n  prog verb a -o b\n"));
  EXPECT_THAT(text, Not(HasSubstr("secret")));
}

TEST(HelpJson, IsJson) {
  const ConfigNode page = io::parse_json(help_json(kPage, example()), "help");
  EXPECT_EQ(page.find("command")->scalar(), "prog verb");
  ASSERT_EQ(page.find("flags")->items().size(), 8U);
  const ConfigNode& steps = page.find("flags")->items()[4];
  EXPECT_EQ(steps.find("name")->scalar(), "steps");
  EXPECT_EQ(steps.find("default")->scalar(), "30");
  EXPECT_EQ(steps.find("least")->scalar(), "1");
  EXPECT_EQ(steps.find("group")->scalar(), "Sampling");
}

TEST(Completion, NamesVerbsFlagsAndChoicesAndQuotes) {
  FlagTable table = example();
  table.add({.name = "tricky", .type = FlagType::kSwitch, .help = "it's [odd]: $(x)"});
  const std::vector<CompletionVerb> verbs = {{"enhance", "Cleans.", table}, {"train", "Trains.", FlagTable()}};
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = completion_script(shell, "reseda-speech", verbs);
    EXPECT_THAT(script, HasSubstr("enhance")) << shell;
    EXPECT_THAT(script, HasSubstr("precision")) << shell;
    EXPECT_THAT(script, HasSubstr("f32 bf16")) << shell;
    EXPECT_THAT(script, Not(HasSubstr("secret"))) << shell;
    EXPECT_THAT(script, Not(HasSubstr("it's"))) << shell;
  }
  expect_error(Errc::kUsage, "must be one of bash, zsh, fish; got 'tcsh'",
               [&] { completion_script("tcsh", "p", verbs); });
}

}  // namespace
}  // namespace reseda::app
