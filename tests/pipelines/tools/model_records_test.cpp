#include "pipelines/tools/model_records.hpp"

#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tools {
namespace {

using tests::TemporaryFolder;

const std::string kHash(64, 'a'), kOther(64, 'b');

TEST(ModelRecords, ReadsTheBlocksOfConfigs) {
  TemporaryFolder folder;
  folder.write("b/two.yaml", "checkpoint: {name: two, size: 357 MB, sha256: unknown}\n");
  folder.write("a/one.yaml",
               "checkpoint:\n  about: first\n  files: [x.pt, y.pt]\n  size: 1234\n  sha256: " + kHash + "\n");
  folder.write("a/recipe.yaml", "train: {steps: 3}\n");
  folder.write("a/readme.txt", "checkpoint: {}\n");
  const auto records = published_checkpoints(folder.path());
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].name, "a/one");
  EXPECT_EQ(records[0].files, (std::vector<std::string>{"x.pt", "y.pt"}));
  EXPECT_EQ(records[0].bytes, 1234U);
  EXPECT_EQ(records[0].sha256, kHash);
  EXPECT_EQ(records[1].name, "b/two");
  EXPECT_EQ(records[1].bytes, 0U);
  EXPECT_EQ(records[1].size, "357 MB");
  EXPECT_EQ(records[1].sha256, "");
  folder.write("a/broken.yaml", "a: [\n");
  tests::expect_error(Errc::kUsage, "broken.yaml", [&] { published_checkpoints(folder.path()); });
}

TEST(ModelRecords, ReadsSums) {
  TemporaryFolder folder;
  EXPECT_TRUE(recorded_models(folder.path()).empty());
  folder.write("SHA256SUMS", kHash + "  small model.safetensors\n" + kOther + " *b.safetensors\n");
  const auto records = recorded_models(folder.path());
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].name, "small model");
  EXPECT_EQ(records[0].files.front(), "small model.safetensors");
  EXPECT_EQ(records[1].files.front(), "b.safetensors");
  for (const std::string& line : {kHash, kHash + "  ", kHash.substr(1) + "   x", std::string("x")}) {
    folder.write("SHA256SUMS", line + "\n");
    tests::expect_error(Errc::kInput, "SHA256SUMS: expected lines", [&] { recorded_models(folder.path()); });
  }
}

TEST(ModelRecords, VerdictsOfEveryKind) {
  ModelRecord hashed, sized, named;
  hashed.name = "hashed", hashed.files = {"h.pt"}, hashed.sha256 = kHash;
  sized.name = "sized", sized.files = {"s.pt"}, sized.bytes = 10;
  named.name = "named", named.files = {"n.pt", "best-epoch=*.ckpt"};
  const std::vector<ModelRecord> records = {named, sized, hashed};
  const auto verdict = [&](const char* file, const std::string& hash, std::uint64_t bytes) {
    return verify(file, hash, bytes, records).verdict;
  };
  EXPECT_EQ(verdict("any/renamed.pt", kHash, 1), Verdict::kVerified);
  EXPECT_EQ(verdict("any/h.pt", kOther, 1), Verdict::kDiffers);
  EXPECT_EQ(verdict("s.pt", kOther, 11), Verdict::kDiffers);
  EXPECT_EQ(verdict("s.pt", kOther, 10), Verdict::kUnrecorded) << "a size alone proves nothing";
  EXPECT_EQ(verdict("n.pt", kOther, 10), Verdict::kUnrecorded);
  EXPECT_EQ(verdict("x.pt", kOther, 10), Verdict::kUnrecorded);
  EXPECT_EQ(verify("best-epoch=12.ckpt", kOther, 10, records).name, "named");
  // A record without a hash does not fit a file without one.
  EXPECT_EQ(verify("x.pt", "", 10, records).verdict, Verdict::kUnrecorded);
}

}  // namespace
}  // namespace reseda::tools
