// The runner itself: what must make a case fail.
#include "tests/golden/golden_case.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "io/checkpoint/safetensors.hpp"
#include "modules/core/error.hpp"

namespace reseda::golden {
namespace {

class GoldenCaseTest : public testing::Test {
 protected:
  GoldenCaseTest() : folder_(std::filesystem::temp_directory_path() / ("reseda_golden_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
    StateDict tensors;
    tensors.add("in.x.ri", at::tensor({1.F, 2.F, 3.F, 4.F}).view({2, 2}));
    tensors.add("draw.000", at::tensor({0.5F, -0.5F}).to(at::kHalf));
    tensors.add("draw.001", at::tensor({0.25F, 1.F}));
    tensors.add("out.y", at::tensor({1.F, 2.F, 3.F, 4.F}).view({2, 2}));
    tensors.add("out.count", at::scalar_tensor(7, at::kLong));
    tensors.add("out64.y", at::ones({1}, at::kDouble));
    tensors.add("weights.a.w", at::ones({2}));
    io::write_safetensors(tensors, folder_ / "case.safetensors");
    std::ofstream(folder_ / "case.json") << R"({"kind": "k", "config": {"n": 1},
        "tolerance": {"out.y": {"suggested_atol": 0.01}}, "official": {"repo": "sp-uhh/sgmse"}})";
  }
  ~GoldenCaseTest() override { std::filesystem::remove_all(folder_); }

  GoldenCase open() { return GoldenCase(folder_ / "case.json"); }
  static at::Tensor right() { return at::tensor({1.F, 2.F, 3.F, 4.F}).view({2, 2}); }

  std::filesystem::path folder_;
};

TEST_F(GoldenCaseTest, ReadsWhatIsRecorded) {
  GoldenCase golden = open();
  EXPECT_EQ(golden.kind(), "k");
  EXPECT_EQ(golden.system(), "sgmse");
  EXPECT_EQ(golden.input("x")[1].item<c10::complex<float>>(), c10::complex<float>(3, 4));
  EXPECT_EQ(golden.names("draw."), (std::vector<std::string>{"draw.000", "draw.001"}));
  EXPECT_TRUE(at::equal(golden.noise().normal({"", "", 0}, {2}), at::tensor({0.5F, -0.5F})));
  EXPECT_EQ(golden.weights().entries()[0].first, "a.w");
  EXPECT_EQ(golden.weights("a.").entries()[0].first, "w");
  EXPECT_EQ(golden.tolerance("out.y").atol, 0.01);
  EXPECT_EQ(golden.tolerance("out.count").atol, 0);
}

TEST_F(GoldenCaseTest, TakesTolerancesPerTensorOrForAll) {
  const auto suggested = [this](const std::string& tolerance) {
    std::ofstream(folder_ / "case.json") << R"({"kind": "k", "tolerance": )" << tolerance << "}";
    const Tolerance found = open().tolerance("out.y");
    return std::pair(found.atol, found.rtol);
  };
  EXPECT_EQ(suggested(R"({"per_tensor": {"out.y": {"atol": 0.25}}, "suggested_atol": 0.5})"), std::pair(0.25, 0.0));
  EXPECT_EQ(suggested(R"({"per_tensor": {}, "suggested_atol": 0.5})"), std::pair(0.5, 0.0));
  EXPECT_EQ(suggested(R"({"bitwise_expected": true, "suggested_atol": 0.0})"), std::pair(0.0, 3e-7));
  EXPECT_EQ(suggested(R"("text")"), std::pair(1e-5 * 4, 0.0));
}

TEST_F(GoldenCaseTest, ReadsJsonWithInfinities) {
  const nlohmann::json json = parse_json(R"({"a \" NaN": [-Infinity, 1, Infinity, NaN], "b": "NaN"})");
  EXPECT_EQ(json.dump(), R"({"a \" NaN":[null,1,null,null],"b":"NaN"})");
}

TEST_F(GoldenCaseTest, PassesOnlyWithinTheTolerance) {
  GoldenCase golden = open();
  golden.check("out.y", right() + 0.009);
  golden.check_item("out.y", 1, right().slice(0, 1, 2));
  golden.check("out.count", at::scalar_tensor(7, at::kLong));
  EXPECT_NONFATAL_FAILURE(golden.check("out.count", at::scalar_tensor(8, at::kLong)), "out.count");
  at::Tensor wrong = right();
  wrong[1][0] = -3;
  EXPECT_NONFATAL_FAILURE(golden.check("out.y", wrong), "largest difference 6 at [1, 0]: got -3, expected 3");
  wrong[1][0] = NAN;
  EXPECT_NONFATAL_FAILURE(golden.check("out.y", wrong), "got nan, expected 3");
  EXPECT_NONFATAL_FAILURE(golden.check("out.y", right().flatten()), "shape [4], expected [2, 2]");
  EXPECT_NONFATAL_FAILURE(golden.check("in.x", right().slice(0, 0, 1).flatten()), "complex on one side only");
}

TEST_F(GoldenCaseTest, NamesWhatIsMissing) {
  GoldenCase golden = open();
  try {
    golden.check("out.z", right());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kInput);
    EXPECT_STREQ(error.what(), "case: tensor 'out.z' is not recorded");
  }
  golden.check_if_recorded("out.z", right());
  EXPECT_THROW(golden.weights("b."), Error);
}

TEST_F(GoldenCaseTest, FailsOnWhatWasNotUsed) {
  GoldenCase golden = open();
  golden.input("x");
  golden.check("out.y", right());
  golden.check("out.count", at::scalar_tensor(7, at::kLong));
  golden.noise().normal({"", "", 0}, {2});
  EXPECT_NONFATAL_FAILURE(golden.finish(), "1 of 2 draws were used");
  golden.rewind_noise();
  golden.noise().normal({"", "", 0}, {2});
  golden.noise().normal({"", "", 0}, {2});
  golden.finish();
  GoldenCase unread = open();
  unread.draws();
  unread.check("out.y", right());
  unread.check("out.count", at::scalar_tensor(7, at::kLong));
  EXPECT_NONFATAL_FAILURE(unread.finish(), "tensor 'in.x.ri' was not used");
}

TEST_F(GoldenCaseTest, TakesTheFolderBeforeTheRepositoryAsSystem) {
  const nlohmann::json json = {{"official", {{"repo", "sp-uhh/sgmse"}}}};
  EXPECT_EQ(system_of("/data/rddm/case.json", json), "rddm");
  EXPECT_EQ(system_of("/data/other/case.json", json), "sgmse");
  EXPECT_EQ(system_of("/data/other/case.json", nlohmann::json::object()), "");
}

}  // namespace
}  // namespace reseda::golden
