// reseda tools compare: figures by hand, exit codes, and names that trainers changed.
#include <ATen/ATen.h>

#include <limits>

#include "io/checkpoint/safetensors.hpp"
#include "tests/cli/tools/tools_command.hpp"
#include "tests/cli/tools/torch_file.hpp"

namespace reseda::tests {
namespace {

using testing::HasSubstr;

class CompareCli : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::vector<StateDict::Entry>& tensors) const {
    StateDict out;
    for (const auto& [key, tensor] : tensors) out.add(key, tensor);
    io::write_safetensors(out, folder_ / name);
    return (folder_ / name).string();
  }
  TemporaryFolder folder_;
};

TEST_F(CompareCli, EqualFilesEndWithZero) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const std::string a = write("a", {{"w", at::tensor({1.0F, nan, -inf, 0.0F})}, {"n", at::tensor({7})}});
  const std::string b = write("b", {{"n", at::tensor({7})}, {"w", at::tensor({1.0F, nan, -inf, -0.0F})}});
  const Outcome got = tools({"compare", a, b});
  EXPECT_EQ(got.code, 0) << got.err;
  EXPECT_THAT(got.out, HasSubstr("\nequal: 2 tensors compared, 2 equal, 0 differ, 0 only in A, 0 only in B\n"));
}

TEST_F(CompareCli, TellsEveryKindOfDifference) {
  const std::string a = write("a", {{"same", at::tensor({1.0F})},
                                    {"moved", at::tensor({1.0F, 2.0F, 4.0F, -8.0F}).view({2, 2})},
                                    {"shape", at::ones({2})},
                                    {"type", at::tensor({1.0F})},
                                    {"lost", at::tensor({1.0F})}});
  const std::string b = write("b", {{"same", at::tensor({1.0F})},
                                    {"moved", at::tensor({1.0F, 2.5F, 4.0F, -7.0F}).view({2, 2})},
                                    {"shape", at::ones({3})},
                                    {"type", at::tensor({1.0}, at::kDouble)},
                                    {"new", at::tensor({1.0F})}});
  const Outcome got = tools({"compare", a, b});
  EXPECT_EQ(got.code, 1);
  EXPECT_EQ(got.err, "");
  for (const char* text : {"Only in A (1)\n  lost\n", "Only in B (1)\n  new\n", "  shape  A [2], B [3]\n",
                           "  type  A float32, B float64\n",
                           // |2 - 2.5| / 2.5 = 0.2 is more than |-8 + 7| / 8.
                           "  moved  float32 [2, 2]  max |a - b| 1 at [1, 1], relative 0.2, 2 of 4\n",
                           "different: 4 tensors compared, 1 equal, 3 differ, 1 only in A, 1 only in B\n"})
    EXPECT_THAT(got.out, HasSubstr(text));
  const Outcome json = tools({"compare", a, b, "--json"});
  EXPECT_EQ(json.code, 1);
  const ConfigNode tree = json_of(json);
  EXPECT_EQ(value_at(tree, "equal"), "false");
  EXPECT_EQ(value_at(tree, "only_in_a"), "[\"lost\"]");
  const ConfigNode moved = item_of(*tree.find("tensors"), "name", "moved");
  EXPECT_EQ(value_at(moved, "max_abs"), "1");
  EXPECT_EQ(value_at(moved, "max_rel"), "0.2");
  EXPECT_EQ(value_at(moved, "differing"), "2");
}

TEST_F(CompareCli, ToleranceIsAbsolutePlusRelativeOfB) {
  const std::string a = write("a", {{"w", at::tensor({1.0F, 10.0F})}});
  const std::string b = write("b", {{"w", at::tensor({1.25F, 11.0F})}});
  EXPECT_EQ(tools({"compare", a, b, "--atol", "1"}).code, 0);
  EXPECT_EQ(tools({"compare", a, b, "--rtol", "0.2"}).code, 0) << "0.25 <= 0.2 * 1.25";
  EXPECT_EQ(tools({"compare", b, a, "--rtol", "0.2"}).code, 1) << "0.25 > 0.2 * 1";
  const std::string wide = write("c", {{"w", at::tensor({1.0, 10.0}, at::kDouble)}});
  EXPECT_EQ(tools({"compare", a, wide}).code, 1) << "exact means the type, too";
  EXPECT_EQ(tools({"compare", a, wide, "--atol", "1e-9"}).code, 0);
}

TEST_F(CompareCli, SixtyFourBitIntegersAreExact) {
  const std::int64_t big = (std::int64_t{1} << 62) + 1;
  const std::string a = write("a", {{"n", at::tensor({big}, at::kLong)}});
  const std::string b = write("b", {{"n", at::tensor({big - 1}, at::kLong)}});
  EXPECT_EQ(tools({"compare", a, b}).code, 1);
  EXPECT_EQ(tools({"compare", a, a}).code, 0);
}

TEST_F(CompareCli, NamesOfTrainersDoNotMatter) {
  TorchFile file;
  const std::string weights =
      TorchFile::dict({{"dnn.w", file.tensor({1, 2})}, {"loss.window", file.tensor({9})}, {"dnn.b", file.tensor({3})}});
  const std::string trained = folder_.write("a.ckpt", file.bytes(TorchFile::dict({{"state_dict", weights}}))).string();
  const std::string plain = write("b", {{"w", at::tensor({1.0F, 2.0F})}, {"b", at::tensor({3.0F})}});
  for (const auto& [a, b] : {std::pair(trained, plain), std::pair(plain, trained)}) {
    const Outcome got = tools({"compare", a, b});
    EXPECT_EQ(got.code, 1);
    EXPECT_THAT(got.out, HasSubstr("(1)\n  loss.window\n"));
    EXPECT_THAT(got.out, HasSubstr("2 tensors compared, 2 equal"));
  }
}

TEST_F(CompareCli, EverythingComparesByPath) {
  const std::string file = checkpoint("score_sde_checkpoint.pth");
  expect_refusal(tools({"compare", file, file}), 4,
                 "the list of averages has 2 tensors, the weights have 3 parameters");
  EXPECT_EQ(tools({"compare", file, file, "--weights", "raw"}).code, 0);
  const Outcome got = tools({"compare", file, file, "--everything"});
  EXPECT_EQ(got.code, 0) << got.err;
  EXPECT_THAT(got.out, HasSubstr("equal: 7 tensors compared, 7 equal"));
  EXPECT_EQ(tools({"compare", file, checkpoint("good.safetensors"), "--everything"}).code, 1);
}

TEST_F(CompareCli, RefusesWhatCannotBeRead) {
  expect_refusal(tools({"compare", checkpoint("good.safetensors"), checkpoint("evil_reduce.pt")}), 4, "posix.system");
  expect_refusal(tools({"compare", checkpoint("good.safetensors")}), 2, "B");
  EXPECT_THAT(tools({"compare", "--help"}).out, HasSubstr("The exit code is 0 if they are equal, 1 if they differ."));
}

}  // namespace
}  // namespace reseda::tests
