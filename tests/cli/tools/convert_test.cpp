// reseda tools convert: which weights it takes, what it writes, and what it refuses.
#include <ATen/ATen.h>

#include <map>

#include "io/checkpoint/safetensors.hpp"
#include "tests/cli/tools/tools_command.hpp"
#include "tests/cli/tools/torch_file.hpp"

namespace reseda::tests {
namespace {

using testing::HasSubstr;

class ConvertCli : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    return folder_.write(name, bytes).string();
  }
  /// Raw weights and their averages, as Lightning and torch_ema store them.
  std::string averaged() const {
    TorchFile file;
    const std::string raw = TorchFile::dict({{"dnn.w", file.tensor({1, 2})}, {"dnn.b", file.tensor({3})}});
    const std::string shadow = TorchFile::list({file.tensor({10, 20}), file.tensor({30})});
    return write("averaged.ckpt",
                 file.bytes(TorchFile::dict(
                     {{"state_dict", raw},
                      {"ema", TorchFile::dict({{"shadow_params", shadow}})},
                      {"hyper_parameters", TorchFile::dict({{"backbone", TorchFile::text("ncsnpp")}})}})));
  }
  /// A safetensors file with one float32 tensor "w".
  std::string single(const std::vector<float>& values) const {
    StateDict tensors;
    tensors.add("w", at::tensor(values));
    tensors.metadata["reseda.name"] = "tiny";
    io::write_safetensors(tensors, path("single.safetensors"));
    return path("single.safetensors");
  }
  StateDict converted(std::vector<std::string> words, const std::string& to = "out.safetensors") const {
    words.insert(words.begin(), "convert");
    words.insert(words.begin() + 2, path(to));
    const Outcome got = tools(words);
    EXPECT_EQ(got.code, 0) << got.err;
    return got.code == 0 ? io::read_safetensors(path(to)) : StateDict();
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& [name, bytes] : tree_of(folder_.path())) out.push_back(name);
    return out;
  }
  TemporaryFolder folder_;
};

std::vector<float> values(const StateDict& tensors, const std::string& name) {
  const at::Tensor tensor = tensors.at(name).to(at::kFloat).contiguous();
  return {tensor.data_ptr<float>(), tensor.data_ptr<float>() + tensor.numel()};
}

TEST_F(ConvertCli, TakesTheAverageUnlessToldOtherwise) {
  const std::string file = averaged();
  const Outcome got = tools({"convert", file, path("ema.safetensors")});
  ASSERT_EQ(got.code, 0) << got.err;
  EXPECT_THAT(got.out, HasSubstr(": state_dict with the averages ema/shadow_params, 'dnn.' taken off: 2 tensors\n"));
  EXPECT_THAT(got.out, HasSubstr("no value changed\n"));
  const StateDict ema = io::read_safetensors(path("ema.safetensors"));
  EXPECT_EQ(values(ema, "w"), (std::vector<float>{10, 20}));
  EXPECT_EQ(values(ema, "b"), (std::vector<float>{30}));
  for (const char* raw : {"raw", "state_dict"}) {
    const StateDict out = converted({file, "--weights", raw, "--overwrite"});
    EXPECT_EQ(values(out, "w"), (std::vector<float>{1, 2})) << raw;
    EXPECT_EQ(values(out, "b"), (std::vector<float>{3})) << raw;
  }
  EXPECT_EQ(values(converted({file, "--weights", "ema/shadow_params", "--overwrite"}), "w"),
            (std::vector<float>{10, 20}));
}

TEST_F(ConvertCli, CarriesSettingsAndSource) {
  const StateDict out = converted({averaged()});
  EXPECT_EQ(out.metadata.at("hyper_parameters"), R"({"backbone": "ncsnpp"})");
  EXPECT_EQ(out.metadata.at("reseda.source"), "averaged.ckpt");
  EXPECT_EQ(out.metadata.at("reseda.source_weights"), "ema/shadow_params");
  EXPECT_EQ(out.metadata.at("reseda.source_sha256").size(), 64U);
  const Outcome page = tools({"inspect", path("out.safetensors")});
  EXPECT_THAT(page.out, HasSubstr("  backbone: ncsnpp\n"));
  EXPECT_THAT(page.out, HasSubstr("reseda speech enhance --checkpoint "));
}

TEST_F(ConvertCli, PrefixAndDropChooseNames) {
  const StateDict whole = converted({averaged(), "--weights", "raw", "--prefix", ""});
  EXPECT_TRUE(whole.contains("dnn.w") && whole.contains("dnn.b"));
  const StateDict one = converted({averaged(), "--drop", "b*", "--overwrite"});
  EXPECT_EQ(one.size(), 1U);
  EXPECT_TRUE(one.contains("w"));
  expect_refusal(tools({"convert", averaged(), path("none.safetensors"), "--drop", "*"}), 2, "--drop leaves no tensor");
}

TEST_F(ConvertCli, ReportsTheLargestRoundingError) {
  // 1 + 2^-9 lies in the middle of two bfloat16 numbers and goes to the even one, 1: an error of 2^-9 = 0.00195.
  const std::string file = single({1.001953125F, 1.0F, -0.5F});
  const Outcome got = tools({"convert", file, path("out.safetensors"), "--dtype", "bf16"});
  ASSERT_EQ(got.code, 0) << got.err;
  EXPECT_THAT(got.out, HasSubstr("largest rounding error 0.00195; 0.00195 of a tensor's largest value, in 'w'\n"));
  const StateDict out = io::read_safetensors(path("out.safetensors"));
  EXPECT_EQ(out.at("w").scalar_type(), at::kBFloat16);
  EXPECT_EQ(values(out, "w"), (std::vector<float>{1.0F, 1.0F, -0.5F}));
  EXPECT_EQ(out.metadata.at("reseda.name"), "tiny");
  // Half precision has both values.
  EXPECT_THAT(tools({"convert", file, path("half.safetensors"), "--dtype", "f16"}).out, HasSubstr("no value changed"));
}

TEST_F(ConvertCli, RefusesValuesBeyondTheType) {
  expect_refusal(tools({"convert", single({1e5F}), path("out.safetensors"), "--dtype", "f16"}), 7,
                 "tensor 'w' holds values up to 100000, beyond the range of float16; keep it or use another type");
  EXPECT_EQ(names(), (std::vector<std::string>{"single.safetensors"}));
}

TEST_F(ConvertCli, NeverOverwritesUnasked) {
  const std::string file = single({1, 2});
  const std::string out = write("out.safetensors", "mine");
  expect_refusal(tools({"convert", file, out}), 5, "out.safetensors: exists already (--overwrite replaces it)");
  EXPECT_EQ(folder_.read("out.safetensors"), "mine");
  const Outcome dry = tools({"convert", file, out, "--overwrite", "--dry-run", "--dtype", "bf16"});
  EXPECT_EQ(dry.code, 0) << dry.err;
  EXPECT_THAT(dry.out, HasSubstr("would write " + out + ": 4 B of tensors, no value changed\n"));
  EXPECT_EQ(folder_.read("out.safetensors"), "mine");
  // Onto itself: the file is whole before it is replaced.
  EXPECT_EQ(tools({"convert", file, file, "--overwrite"}).code, 0);
  EXPECT_EQ(values(io::read_safetensors(file), "w"), (std::vector<float>{1, 2}));
}

TEST_F(ConvertCli, RefusesHostileFilesAndWritesNothing) {
  const std::string out = path("out.safetensors");
  expect_refusal(tools({"convert", checkpoint("evil_reduce.pt"), out}), 4, "posix.system");
  expect_refusal(tools({"convert", checkpoint("bad_zip64_lie.pt"), out}), 4, "bad_zip64_lie.pt");
  expect_refusal(tools({"convert", checkpoint("containers.pt"), out}), 4, "no dictionary of tensors is there");
  expect_refusal(tools({"convert", averaged(), path("absent/out.safetensors")}), 5, "absent/out.safetensors");
  expect_refusal(tools({"convert", averaged(), out, "--weights", "emma"}), 2,
                 "no weights 'emma' in " + path("averaged.ckpt") + " (known: ema, raw, state_dict, ema/shadow_params)");
  EXPECT_EQ(names(), (std::vector<std::string>{"averaged.ckpt"}));
  const StateDict only = converted({checkpoint("evil_reduce.pt"), "--opaque"});
  EXPECT_EQ(only.size(), 1U);
  EXPECT_TRUE(only.contains("w"));
}

TEST_F(ConvertCli, ConfigSaysWhereTheWeightsAre) {
  TorchFile file;
  const std::string both =
      TorchFile::dict({{"raw.w", file.tensor({1})}, {"mean.w", file.tensor({2})}, {"step", file.tensor({3})}});
  const std::string checkpoint_file = write("both.pt", file.bytes(TorchFile::dict({{"net", both}})));
  const std::string config =
      write("c.yaml", "checkpoint:\n  weights: {container: net, prefix: mean., allow_unexpected: [step, \"raw.*\"]}\n");
  const StateDict out = converted({checkpoint_file, "--config", config});
  EXPECT_EQ(out.size(), 1U);
  EXPECT_EQ(values(out, "w"), (std::vector<float>{2}));
  expect_refusal(tools({"convert", checkpoint_file, path("x"), "--config", write("d.yaml", "a: 1\n")}), 2,
                 "has no block checkpoint.weights");
}

TEST_F(ConvertCli, AShippedModelStaysAModel) {
  const std::string shipped = RESEDA_SOURCE_DIR "/models/reseda-16k.safetensors";
  const StateDict out = converted({shipped, "--dtype", "bf16"});
  const StateDict before = io::read_safetensors(shipped);
  EXPECT_EQ(out.size(), before.size());
  for (const auto& [key, value] : before.metadata) {
    if (!key.starts_with("reseda.source")) {
      EXPECT_EQ(out.metadata.at(key), value) << key;
    }
  }
  EXPECT_EQ(out.metadata.at("reseda.source"), "reseda-16k.safetensors");
  EXPECT_THAT(tools({"inspect", path("out.safetensors")}).out, HasSubstr("reseda speech enhance --model "));
  if (!std::filesystem::exists(RESEDA_BIN_DIR "/reseda-speech")) GTEST_SKIP() << "reseda-speech is not built";
  const Outcome loaded = run({"reseda-speech", "enhance", "--model", path("out.safetensors"), "--print-config"});
  EXPECT_EQ(loaded.code, 0) << loaded.err;
}

}  // namespace
}  // namespace reseda::tests
