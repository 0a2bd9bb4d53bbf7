// What every program does around its verbs: help, versions, errors, signals, configs; and the umbrella program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "io/record/json.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

/// One line on stderr, nothing on stdout, this code.
void expect_failure(const Outcome& got, int code, const std::string& line) {
  EXPECT_EQ(got.code, code) << got.err;
  EXPECT_EQ(got.out, "");
  EXPECT_THAT(got.err, HasSubstr(line));
  EXPECT_EQ(std::count(got.err.begin(), got.err.end(), '\n'), 1) << got.err;
}

TEST(ProgramCli, HelpAndVersionGoToStandardOutput) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"echo_tool", "--help"}, {"echo_tool", "help"}, {"echo_tool", "-h"}}) {
    const Outcome got = run(words);
    EXPECT_EQ(got.code, 0);
    EXPECT_EQ(got.err, "");
    EXPECT_THAT(got.out, HasSubstr("Usage: echo_tool VERB [options]"));
    EXPECT_THAT(got.out, HasSubstr("copy          Copies text files in upper case."));
  }
  EXPECT_EQ(run({"echo_tool", "copy", "--help"}).out, run({"echo_tool", "help", "copy"}).out);
  const Outcome verb = run({"echo_tool", "copy", "-o", "--help"});
  EXPECT_EQ(verb.code, 0);
  EXPECT_THAT(verb.out, HasSubstr("Example:\n  echo_tool copy -r IN -o OUT\n"));
  EXPECT_THAT(run({"echo_tool", "--version"}).out, MatchesRegex("echo_tool [0-9.]+ \\(LibTorch [0-9.]+\\)\n"));
}

TEST(ProgramCli, DescribesItselfAsJson) {
  const ConfigNode all = io::parse_json(run({"echo_tool", "--help-json"}).out, "json");
  EXPECT_EQ(all.find("program")->scalar(), "echo_tool");
  EXPECT_EQ(all.find("verbs")->items().size(), 3U);
  EXPECT_EQ(io::parse_json(run({"echo_tool", "copy", "--help-json"}).out, "json").find("command")->scalar(),
            "echo_tool copy");
}

TEST(ProgramCli, CompletionScriptsAreValidShell) {
  TemporaryFolder folder;
  const Outcome bash = run({"echo_tool", "--completion", "bash"});
  ASSERT_EQ(bash.code, 0);
  folder.write("c.bash",
               bash.out +
                   "COMP_WORDS=(echo_tool co); COMP_CWORD=1; _echo_tool; echo \"${COMPREPLY[@]}\"\n"
                   "COMP_WORDS=(echo_tool copy --ov); COMP_CWORD=2; _echo_tool; echo \"${COMPREPLY[@]}\"\n"
                   "COMP_WORDS=(echo_tool copy --progress j); COMP_CWORD=3; _echo_tool; echo \"${COMPREPLY[@]}\"\n");
  EXPECT_EQ(run({"/bin/bash", (folder / "c.bash").string()}).out, "copy\n--overwrite\njson\n");
  EXPECT_THAT(run({"echo_tool", "copy", "--completion=zsh"}).out, StartsWith("#compdef echo_tool"));
  EXPECT_THAT(run({"echo_tool", "--completion", "fish"}).out, HasSubstr("complete -c echo_tool"));
  expect_failure(run({"echo_tool", "--completion", "tcsh"}), 2,
                 "--completion must be one of bash, zsh, fish; got 'tcsh'");
}

TEST(ProgramCli, UsageErrorsAreOneLineAndTwo) {
  expect_failure(run({"echo_tool"}), 2, "echo_tool: usage: a verb is missing; see echo_tool --help\n");
  expect_failure(run({"echo_tool", "cpy"}), 2, "echo_tool: usage: unknown verb 'cpy'; did you mean 'copy'?");
  expect_failure(run({"echo_tool", "-x"}), 2, "a verb must come first, got '-x'");
  expect_failure(run({"echo_tool", "copy", "--overwirte"}), 2,
                 "unknown flag '--overwirte'; did you mean '--overwrite'?");
  expect_failure(run({"echo_tool", "copy"}), 2, "an input is missing; see --help");
  expect_failure(run({"echo_tool", "copy", "--progress", "fancy"}), 2,
                 "--progress must be one of auto, bar, plain, json, none");
}

TEST(ProgramCli, ExceptionsBecomeTheirExitCode) {
  expect_failure(run({"echo_tool", "crash"}), 6, "echo_tool: device: out of memory\n");
}

TEST(ProgramCli, StandardOutputThatCannotBeWrittenIsAFailure) {
  const Outcome got = run({"echo_tool", "--help"}, {.output_file = "/dev/full"});
  EXPECT_EQ(got.code, 5);
  EXPECT_EQ(got.err, "echo_tool: output: standard output: cannot write: No space left on device\n");
}

TEST(ProgramCli, TheSecondSignalEndsAtOnce) {
  Process process({"echo_tool", "wait"});
  sleep_ms(700);
  process.send(SIGINT);
  sleep_ms(100);
  process.send(SIGTERM);
  EXPECT_EQ(process.wait(10).code, 130);
}

TEST(ProgramCli, PrintConfigReadsBack) {
  TemporaryFolder folder;
  const Outcome first = run({"echo_tool", "copy", "--print-config", "-s", "prefix=a: #b", "-s", "style.name=wide", "-s",
                             "style.x=[1, 2]", "-s", "weights=[0.1, 3e-9]"});
  ASSERT_EQ(first.code, 0) << first.err;
  const std::string file = folder.write("c.yaml", first.out).string();
  EXPECT_EQ(run({"echo_tool", "copy", "--print-config", "--config", file}).out, first.out);
  EXPECT_THAT(first.out, HasSubstr("prefix: \"a: #b\"\n"));
}

TEST(ProgramCli, ConfigErrorsNameFileLineAndTheNearestKey) {
  TemporaryFolder folder;
  const std::string file = folder.write("c.yaml", "upper: true\nrepaet: 2\n").string();
  expect_failure(run({"echo_tool", "copy", "x", "-c", file}), 2,
                 "echo_tool: usage: config: unknown key 'repaet' (" + file + ":2); did you mean 'repeat'?\n");
  expect_failure(run({"echo_tool", "copy", "x", "--set", "repeat=0"}), 2, "repeat must be >= 1, got 0");
}

TEST(UmbrellaCli, RunsTheProgramBesideItselfThenInPath) {
  TemporaryFolder folder;
  std::filesystem::copy(std::string(RESEDA_BIN_DIR) + "/reseda", folder / "reseda");
  std::filesystem::create_directory(folder / "path");
  const auto script = [&](const std::string& name, const std::string& text) {
    std::filesystem::permissions(folder.write(name, "#!/bin/sh\n" + text), std::filesystem::perms::owner_all);
  };
  script("reseda-speech", "echo beside \"$@\"; exit 7\n");
  script("path/reseda-speech", "echo wrong\n");
  script("path/reseda-extra", "echo path \"$@\"\n");
  folder.write("path/reseda-data.txt", "");
  const Process::Setup setup{.environment = {{"PATH", (folder / "path").string() + ":/bin:/usr/bin"}}};
  const auto reseda = [&](std::vector<std::string> words) {
    words.insert(words.begin(), (folder / "reseda").string());
    return run(words, setup);
  };
  const Outcome speech = reseda({"speech", "enhance", "a b", "--x"});
  EXPECT_EQ(speech.out, "beside enhance a b --x\n");
  EXPECT_EQ(speech.code, 7);
  EXPECT_EQ(reseda({"extra"}).out, "path\n");
  EXPECT_EQ(reseda({"help", "speech"}).out, "beside --help\n");
  EXPECT_EQ(reseda({"help", "speech", "enhance"}).out, "beside enhance --help\n");
  const Outcome help = reseda({"help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("  extra "));
  EXPECT_THAT(help.out, HasSubstr("  speech       enhance, evaluate and train"));
  EXPECT_EQ(help.out.find("data.txt"), std::string::npos);
  expect_failure(reseda({"spech"}), 2,
                 "reseda: usage: no program 'spech' is installed; did you mean 'speech'? (installed: extra, speech)\n");
  expect_failure(reseda({}), 2, "reseda: usage: a program is missing; see reseda help\n");
  expect_failure(reseda({"--speech"}), 2, "a program must come first, got '--speech'");
  EXPECT_THAT(reseda({"--version"}).out, MatchesRegex("reseda [0-9.]+\n"));
  EXPECT_THAT(reseda({"--completion", "bash"}).out, HasSubstr("extra speech help"));
}

TEST(UmbrellaCli, CompletesThroughTheProgram) {
  TemporaryFolder folder;
  folder.write("c.bash", "PATH=" RESEDA_BIN_DIR
                         ":$PATH\neval \"$(reseda --completion bash)\"\n"
                         "COMP_WORDS=(reseda tools doctor --dev); COMP_CWORD=3; _reseda; echo \"${COMPREPLY[@]}\"\n");
  EXPECT_EQ(run({"/bin/bash", (folder / "c.bash").string()}).out, "--device\n");
}

TEST(ToolsCli, DoctorChecksThisMachine) {
  const Outcome got = run({"reseda-tools", "doctor", "--device", "cpu", "--json"});
  ASSERT_EQ(got.code, 0) << got.err;
  const ConfigNode machine = io::parse_json(got.out.substr(0, got.out.find('\n')), "json");
  EXPECT_EQ(machine.find("device")->scalar(), "cpu");
  EXPECT_THAT(got.out,
              HasSubstr("\"operation\": \"group norm\", \"precision\": \"bf16\", \"layout\": \"channels-last\""));
  EXPECT_EQ(run({"reseda-tools", "doctor", "--device", "gpu"}).code, 2);
}

TEST(ToolsCli, ModelsListsNamesAndHashes) {
  TemporaryFolder folder;
  const std::string header =
      R"({"__metadata__":{"reseda.licence":"CC0","reseda.name":"tiny"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  bytes += header + std::string(8, '\0');
  folder.write("m.safetensors", bytes);
  const Outcome got = run({"reseda-tools", "models", folder.path().string(), "--json"});
  ASSERT_EQ(got.code, 0) << got.err;
  const ConfigNode model = io::parse_json(got.out, "json");
  EXPECT_EQ(model.find("name")->scalar(), "tiny");
  EXPECT_EQ(model.find("licence")->scalar(), "CC0");
  EXPECT_EQ(model.find("parameters")->scalar(), "2");
  EXPECT_EQ(model.find("sha256")->scalar().size(), 64U);
  folder.write("bad.safetensors", "x");
  expect_failure(run({"reseda-tools", "models", (folder / "bad.safetensors").string()}), 4, "bad.safetensors");
}

}  // namespace
}  // namespace reseda::tests
