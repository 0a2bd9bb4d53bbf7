// reseda tools models and doctor.
#include "io/record/sha256.hpp"
#include "tests/cli/tools/tools_command.hpp"

namespace reseda::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A safetensors file with metadata and one tensor of two values.
std::string tiny_model(float second) {
  const std::string header =
      R"({"__metadata__":{"reseda.licence":"CC0","reseda.name":"tiny"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  const float values[] = {0, second};
  return bytes + header + std::string(reinterpret_cast<const char*>(values), sizeof(values));
}

class ModelsCli : public testing::Test {
 protected:
  ModelsCli() {
    folder_.write(
        "configs/speech/known.yaml",
        "checkpoint:\n  name: known\n  about: a tiny model\n  source: example\n  files: [known.ckpt, old.ckpt]\n"
        "  licence: CC0\n  size: 153 bytes\n  sha256: " +
            io::sha256(tiny_model(1)) + "\n");
    folder_.write("configs/speech/unknown.yaml",
                  "checkpoint: {name: unknown, files: [unknown.ckpt], licence: unspecified}\n");
    folder_.write("configs/speech/recipe.yaml", "train: {steps: 1}\n");
    folder_.write("models/tiny.safetensors", tiny_model(2));
    folder_.write("models/tiny.md", "# tiny\n");
    folder_.write("models/SHA256SUMS", io::sha256(tiny_model(2)) + "  tiny.safetensors\n");
  }
  Outcome models(std::vector<std::string> words) const {
    words.insert(words.begin(), {"reseda-tools", "models"});
    return run(words, {.environment = {{"RESEDA_CONFIGS", (folder_ / "configs").string()},
                                       {"RESEDA_MODELS", (folder_ / "models").string()}}});
  }
  std::string write(const std::string& name, const std::string& bytes) const {
    return folder_.write(name, bytes).string();
  }
  TemporaryFolder folder_;
};

TEST_F(ModelsCli, ListsShippedModelsAndPublishedCheckpoints) {
  const Outcome got = models({});
  EXPECT_EQ(got.code, 0) << got.err;
  for (const std::string& text :
       {std::string("tiny"), "card     " + (folder_ / "models/tiny.md").string(), std::string("speech/known\n"),
        std::string("  about    a tiny model\n  files    known.ckpt, old.ckpt\n  from     example\n  licence  CC0\n"),
        "sha256   " + io::sha256(tiny_model(1)), std::string("speech/unknown\n"),
        std::string("sha256   not on record")})
    EXPECT_THAT(got.out, HasSubstr(text));
  EXPECT_THAT(got.out, Not(HasSubstr("recipe")));
  const Outcome json = models({"--json"});
  EXPECT_EQ(std::count(json.out.begin(), json.out.end(), '\n'), 3);
  EXPECT_THAT(json.out, HasSubstr("\"kind\": \"published\", \"name\": \"speech/known\""));
}

TEST_F(ModelsCli, VerifiesByHash) {
  EXPECT_EQ(models({"--verify"}).code, 0) << "the shipped models are as SHA256SUMS says";
  const Outcome known = models({write("downloads/renamed.ckpt", tiny_model(1)), "--verify"});
  EXPECT_EQ(known.code, 0) << known.err;
  EXPECT_THAT(known.out, HasSubstr("  verified: is speech/known\n"));
  EXPECT_THAT(known.out, Not(HasSubstr("Published")));
  const Outcome changed = models({write("downloads/known.ckpt", tiny_model(3)), "--verify"});
  expect_refusal(changed, 4, "known.ckpt: speech/known has the hash " + io::sha256(tiny_model(1)));
  EXPECT_THAT(changed.out, HasSubstr("DIFFERS"));
  expect_refusal(models({write("downloads/unknown.ckpt", tiny_model(3)), "--verify"}), 4,
                 "named as speech/unknown, whose hash is not on record");
  expect_refusal(models({write("downloads/mine.ckpt", tiny_model(3)), "--verify"}), 4,
                 "no model of this name or hash is on record");
  write("models/tiny.safetensors", tiny_model(4));
  expect_refusal(models({"--verify"}), 4, "tiny.safetensors: tiny has the hash ");
  write("models/SHA256SUMS", "rubbish\n");
  expect_refusal(models({"--verify"}), 3, "SHA256SUMS: expected lines 'sha256  file', got 'rubbish'");
}

TEST_F(ModelsCli, ShippedModelsAreAsRecorded) {
  const Outcome got = run({"reseda-tools", "models", RESEDA_SOURCE_DIR "/models", "--verify"});
  EXPECT_EQ(got.code, 0) << got.err
                         << "after a model was replaced: (cd models && sha256sum *.safetensors > SHA256SUMS)";
  const Outcome configured = run({"reseda-tools", "models", "--json"});
  EXPECT_EQ(configured.code, 0) << configured.err;
  EXPECT_THAT(configured.out, HasSubstr("\"kind\": \"published\""));
}

TEST(DoctorCli, ChecksEveryOperationAndTheNoise) {
  const Outcome got = tools({"doctor", "--device", "cpu"});
  EXPECT_EQ(got.code, 0) << got.err;
  for (const char* text : {"libtorch   2.11", "bf16       ", "memory     ", "device     cpu", "convolution ",
                           "matrix product ", "group norm ", "attention ", "Fourier transform ", "noise "})
    EXPECT_THAT(got.out, HasSubstr(text));
  EXPECT_THAT(got.out, Not(HasSubstr("WRONG")));
}

}  // namespace
}  // namespace reseda::tests
