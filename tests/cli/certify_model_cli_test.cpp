// Models from elsewhere: reseda certify import, and run --torchscript.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/script.h>

#include <cstdlib>
#include <sstream>

#include "pipelines/certify/script_network.hpp"
#include "tests/pipelines/certify/small_classifier.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

namespace fs = std::filesystem;
using certify::CertifyModel;
using testing::HasSubstr;
using Words = std::vector<std::string>;

class ModelCli : public testing::Test {
 protected:
  ModelCli() { write_strip(folder_ / "data", 4, 4); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  /// A TorchScript file whose forward has this body.
  std::string program(const std::string& name, const std::string& body) const {
    torch::jit::Module module("m");
    module.register_attribute("training", c10::BoolType::get(), true);
    module.register_buffer("scale", at::tensor({40.0F, 80.0F, 20.0F}));
    module.define("def forward(self, x):\n    " + body + "\n");
    module.save(path(name));
    return path(name);
  }
  Outcome certify(Words words) const {
    words.insert(words.begin(), "reseda-certify");
    return tests::run(words);
  }
  Outcome certify_program(const std::string& file, Words more = {}) const {
    Words words = {"run",  "--data",        path("data"), "-m",   file,         "--torchscript", "--sigma",
                   "0.25", "--n",           "200",        "--n0", "20",         "--radii",       "0",
                   "-o",   path("run.tsv"), "--threads",  "1",    "--progress", "none"};
    words.insert(words.end(), more.begin(), more.end());
    return certify(words);
  }
  TemporaryFolder folder_;
};

TEST_F(ModelCli, AProgramGivesTheLogitsThatItSays) {
  const std::string file = program("m.pt", "return x.mean([2, 3]) * self.scale");
  const auto network = certify::read_torch_script(file);
  ASSERT_EQ(network->tensors().size(), 1U);
  EXPECT_EQ(network->tensors()[0].first, "scale");
  at::Tensor x = at::full({2, 3, 4, 4}, 0.5);
  x[1].fill_(-0.25);
  EXPECT_TRUE(at::equal(network->forward(x, {}, {}), at::tensor({20.F, 40.F, 10.F, -10.F, -20.F, -5.F}).view({2, 3})));
  const CertifyModel model = CertifyModel::program(file, 3, 8);
  EXPECT_EQ(model.config().classes, 3);
  EXPECT_EQ(model.config().name, "m");
  EXPECT_FALSE(model.takes_any_batch());
  EXPECT_TRUE(at::equal(model.logits(x, 0), network->forward(x, {}, {})));  // as it is, without normalisation
}

TEST_F(ModelCli, AProgramIsInEvaluationMode) {
  const auto network = certify::read_torch_script(
      program("m.pt", "return torch.dropout(x.mean([2, 3]) * self.scale, 0.5, self.training)"));
  EXPECT_TRUE(at::equal(network->forward(at::ones({1, 3, 2, 2}), {}, {}), at::tensor({40.F, 80.F, 20.F}).view({1, 3})));
}

TEST_F(ModelCli, RunsAProgramOnlyWhereAskedTo) {
  const std::string file = program("m.pt", "return torch.cat([x.mean([2, 3]) * self.scale, x.mean([2, 3])[:, :1]], 1)");
  const Outcome done = certify_program(file);
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(folder_.read("run.jsonl"), HasSubstr("\"model\": \"m\""));
  const std::string log = folder_.read("run.tsv");
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 5);
  EXPECT_THAT(log, HasSubstr("\n0\t0\t1\t"));  // the second channel has the largest weight
  const Outcome again = certify_program(file, {"--overwrite", "--batch", "33"});
  EXPECT_EQ(again.code, 0);
  EXPECT_EQ(folder_.read("run.tsv"), log);
  const Outcome unasked = certify({"run", "--data", path("data"), "-m", file, "--sigma", "0.25", "-o", path("no.tsv")});
  EXPECT_EQ(unasked.code, 4);
  EXPECT_THAT(unasked.err, HasSubstr("--torchscript"));
  EXPECT_FALSE(fs::exists(folder_ / "no.tsv"));
}

TEST_F(ModelCli, NamesWhatIsWrongWithAProgram) {
  const auto refused = [&](const std::string& file, int code, const std::string& message, const Words& more = {}) {
    const Outcome got = certify_program(file, more);
    EXPECT_EQ(got.code, code) << got.err;
    EXPECT_THAT(got.err, HasSubstr(message));
    EXPECT_FALSE(fs::exists(folder_ / "run.tsv"));
  };
  refused(program("flat.pt", "return x.mean()"), 4, "expected logits [2,classes]");
  refused(program("list.pt", "return [x]"), 4, "expected a tensor of logits");
  refused(program("other.pt", "return x.view(-1, 7)"), 4, "fails on 2 images of 3 x 8 x 8");
  refused(program("good.pt", "return x.mean([2, 3])"), 2, "--precision must be f32", {"--precision", "bf16"});
  write_classifier(small_classifier(), folder_ / "model.safetensors");
  refused(path("model.safetensors"), 4, "not a TorchScript program");
}

/// A checkpoint that the official program wrote, or an empty path without the recorded cases.
fs::path recorded() {
  const char* variable = std::getenv("RESEDA_GOLDEN_DIRS");
  std::istringstream folders(variable != nullptr ? variable : RESEDA_SOURCE_DIR "/../shared/golden");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path file = fs::path(folder) / "certification/checkpoints/cohen_resnet8_legacy.pth.tar";
    if (fs::is_regular_file(file)) return file;
  }
  return {};
}

TEST_F(ModelCli, ImportsACheckpointOfTheOfficialProgram) {
  const fs::path file = recorded();
  if (file.empty()) GTEST_SKIP() << "cohen_resnet8_legacy.pth.tar is not among the recorded cases here";
  std::ofstream(folder_ / "small.yaml") << "network: {name: cifar_resnet, depth: 8, classes: 10}\n"
                                           "input: {size: 32, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}\n"
                                           "smoothing: {sigma: [0.12]}\n"
                                           "checkpoint: {name: small, weights: {prefix: \"1.\"}}\n";
  const Words words = {"import", file.string(), "-a", path("small.yaml"), "-o", path("m.safetensors")};
  const Outcome done = certify(words);
  ASSERT_EQ(done.code, 0) << done.err;
  const CertifyModel model = CertifyModel::load(folder_ / "m.safetensors");
  EXPECT_EQ(model.config().name, "small");
  EXPECT_EQ(model.config().sigmas, std::vector<double>{0.12});
  EXPECT_EQ(model.config().input.std, std::vector<double>(3, 0.25));
  bool differ = false;  // what was read is not what a network begins with
  at::manual_seed(0);
  const auto fresh = nets::make_network(model.config().network);
  for (std::size_t i = 0; i < fresh->tensors().size(); ++i)
    differ = differ || !at::equal(fresh->tensors()[i].second, model.network().tensors()[i].second);
  EXPECT_TRUE(differ);
  const Outcome again = certify(words);
  EXPECT_EQ(again.code, 5);
  EXPECT_THAT(again.err, HasSubstr("--overwrite"));
  Words other = words;
  other[3] = "certify/cohen-cifar10-resnet110";
  other.back() = path("other.safetensors");
  const Outcome misfit = certify(other);
  EXPECT_EQ(misfit.code, 4);
  EXPECT_THAT(misfit.err, HasSubstr("612 missing"));
  other[3] = "certify/improved-diffusion-cifar10";
  EXPECT_EQ(certify(other).code, 2);
  EXPECT_FALSE(fs::exists(folder_ / "other.safetensors"));
}

}  // namespace
}  // namespace reseda::tests
