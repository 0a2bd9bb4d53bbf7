#include "pipelines/common/config_layers.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "io/record/yaml.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::app {
namespace {

using tests::expect_error;

struct Sampler {
  std::int64_t steps = 30;
  std::vector<double> times = {1, 0.5};
  template <class V>
  void fields(V& v) {
    v("steps", steps, "steps");
    v("times", times, "times");
  }
};

struct Config {
  std::string name = "base";
  double level = 0.1;
  Sampler sampler;
  ConfigNode process;
  Config() {
    process.set("name", "sb_ve");
    process.set("k", "2.6");
  }
  template <class V>
  void fields(V& v) {
    v("name", name, "name");
    v("level", level, "level");
    v("sampler", sampler, "sampler");
    v("process", process, "process");
  }
};

class ConfigLayersTest : public testing::Test {
 protected:
  ConfigLayersTest() { ::setenv("RESEDA_CONFIGS", folder_.path().c_str(), 1); }
  ~ConfigLayersTest() override { ::unsetenv("RESEDA_CONFIGS"); }
  static Flags flags(const std::vector<std::string>& words) { return parse_flags(config_flags(), words); }
  std::string file(const std::string& name, const std::string& text) { return folder_.write(name, text).string(); }
  tests::TemporaryFolder folder_;
};

TEST_F(ConfigLayersTest, LaterLayersWin) {
  file("speech/small.yaml", "level: 0.2\nsampler: {steps: 10}\nname: small\n");
  const std::string one = file("one.yaml", "sampler: {times: [3]}\nlevel: 0.3\n"),
                    two = file("two.yaml", "level: 0.4\n");
  const Config config = ConfigLayers()
                            .add_file("speech/small")
                            .add_flags(flags({"--config", one, "-c", two, "--set", "sampler.steps=5"}))
                            .read<Config>();
  EXPECT_EQ(config.name, "small");
  EXPECT_EQ(config.level, 0.4);
  EXPECT_EQ(config.sampler.steps, 5);
  EXPECT_EQ(config.sampler.times, (std::vector<double>{3}));
  EXPECT_EQ(ConfigLayers().read<Config>().level, 0.1);
}

TEST_F(ConfigLayersTest, AnotherComponentDropsTheOldOnesKeys) {
  const auto process = [&](const std::vector<std::string>& words) {
    return ConfigLayers().add_flags(flags(words)).read<Config>().process.to_json();
  };
  EXPECT_EQ(process({}), R"({"name": "sb_ve", "k": 2.6})");
  EXPECT_EQ(process({"-s", "process.k=3"}), R"({"name": "sb_ve", "k": 3})");
  EXPECT_EQ(process({"-s", "process.name=ou_ve", "-s", "process.gamma=1.5"}), R"({"name": "ou_ve", "gamma": 1.5})");
  EXPECT_EQ(process({"-s", "process={name: ou_ve, gamma: 2}"}), R"({"name": "ou_ve", "gamma": 2})");
  // The model's own name is no component: the rest stays.
  EXPECT_EQ(ConfigLayers().add_flags(flags({"-s", "name=other"})).read<Config>().sampler.steps, 30);
}

TEST_F(ConfigLayersTest, SetTakesTextsListsAndQuotes) {
  EXPECT_EQ(ConfigLayers().add_flags(flags({"-s", "sampler.times=[1, 2.5]"})).read<Config>().sampler.times,
            (std::vector<double>{1, 2.5}));
  EXPECT_EQ(ConfigLayers().add_flags(flags({"-s", "name=a: b #c = d"})).read<Config>().name, "a: b #c = d");
  EXPECT_EQ(ConfigLayers().add_flags(flags({"-s", "name=\"[x]\""})).read<Config>().name, "[x]");
  EXPECT_EQ(ConfigLayers().add_flags(flags({"-s", "name="})).read<Config>().name, "");
}

TEST_F(ConfigLayersTest, ErrorsNameKeyFileAndLine) {
  const auto read = [&](const std::vector<std::string>& words) {
    ConfigLayers().add_flags(flags(words)).read<Config>();
  };
  const std::string bad = file("bad.yaml", "level: 0.2\nsampler:\n  stpes: 5\n");
  expect_error(Errc::kUsage, "unknown key 'sampler.stpes' (" + bad + ":3); did you mean 'sampler.steps'?", [&] {
    read({"-c", bad});
  });
  const std::string type = file("type.yaml", "level: high\n");
  expect_error(Errc::kUsage, "level must be a finite number, got 'high' (" + type + ":1)", [&] { read({"-c", type}); });
  expect_error(Errc::kUsage, "unknown key 'smapler' (--set smapler.steps); did you mean 'sampler'?", [&] {
    read({"-s", "smapler.steps=5"});
  });
  expect_error(Errc::kUsage, "--set needs KEY=VALUE, got 'sampler.steps'", [&] { read({"-s", "sampler.steps"}); });
  expect_error(Errc::kUsage, "--set needs KEY=VALUE, got '=5'", [&] { read({"-s", "=5"}); });
  expect_error(Errc::kUsage, "--set sampler.times:1: a key must be a plain word; is a bracket left open?", [&] { read({"-s", "sampler.times=[1, 2"}); });
  const std::string list = file("list.yaml", "- 1\n");
  expect_error(Errc::kUsage, "must be a group of keys (" + list + ":1)", [&] { read({"-c", list}); });
  expect_error(Errc::kUsage, "none.yaml: cannot read", [&] { read({"-c", "none.yaml"}); });
  file("speech/small.yaml", "level: 1\n");
  expect_error(Errc::kUsage,
               "config 'speech/smal' is neither a file nor a shipped config; did you mean 'speech/small'?", [&] {
                 read({"-c", "speech/smal"});
               });
}

TEST_F(ConfigLayersTest, ThePrintedConfigReadsBack) {
  const Config config = ConfigLayers().add_flags(flags({"-s", "name=a: #b", "-s", "process.name=x"})).read<Config>();
  const std::string printed = file("printed.yaml", write_config(config).to_yaml());
  const Config back = ConfigLayers().add_file(printed).read<Config>();
  EXPECT_EQ(write_config(back).to_json(), write_config(config).to_json());
}

}  // namespace
}  // namespace reseda::app
