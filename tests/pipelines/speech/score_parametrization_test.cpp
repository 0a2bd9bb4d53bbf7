#include "pipelines/speech/score_parametrization.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/nets/network_module.hpp"

namespace reseda::speech {
namespace {

/// Remembers its inputs and returns 2 x + y, times a parameter that is 1.
class StandIn final : public nets::NetworkModule {
 public:
  StandIn() { gain = register_parameter("gain", at::ones({1})); }
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override {
    seen_x = x;
    seen_y = y;
    seen_t = t;
    return (2.0 * x + y) * gain;
  }
  at::Tensor gain, seen_x, seen_y, seen_t;
};

class ScoreParametrizationTest : public testing::Test {
 protected:
  static std::unique_ptr<diffusion::Process> make() {
    ConfigNode node = ConfigNode::map();
    node["name"] = ConfigNode("ou_ve");
    return diffusion::make_process(node);
  }

  /// The output for x = 3, y = 1 at the given time; F would be 7.
  double output(const ScoreParametrization& config, double t = 0.5) {
    const ParametrizedNetwork made = parametrize(config, network_, *process_);
    target_ = made.target;
    return made.call(number(3), number(1), at::full({1}, t, at::kFloat)).item<double>();
  }

  static at::Tensor number(double value) { return at::full({1, 1, 1, 1}, value, at::kFloat); }

  std::unique_ptr<diffusion::Process> process_ = make();
  StandIn network_;
  diffusion::Target target_ = diffusion::Target::kEps;
  double sigma_ = process_->at(0.5).c.scalar();
};

TEST_F(ScoreParametrizationTest, FirstVersionIsTheNegativeOutput) {
  EXPECT_EQ(output({.backbone = "v1"}), -7.0);
  EXPECT_EQ(target_, diffusion::Target::kScore);
  EXPECT_EQ(network_.seen_t.item<float>(), 0.5F);
}

TEST_F(ScoreParametrizationTest, DefaultIsAnEstimateOfTheSignal) {
  EXPECT_EQ(output({}), 7.0);
  EXPECT_EQ(target_, diffusion::Target::kX0);
}

TEST_F(ScoreParametrizationTest, ScoreMatchingKeepsTheSign) {
  EXPECT_EQ(output({.loss_type = "score_matching"}), 7.0);
  EXPECT_EQ(target_, diffusion::Target::kScore);
}

TEST_F(ScoreParametrizationTest, DenoiserOutputBecomesAScore) {
  EXPECT_NEAR(output({.loss_type = "denoiser"}), (7.0 - 3.0) / (sigma_ * sigma_), 1e-3);
  EXPECT_EQ(target_, diffusion::Target::kScore);
  // Its factors belong to the other loss types.
  EXPECT_NEAR(output({.loss_type = "denoiser", .c_out = "sigma", .c_skip = "edm"}), 4.0 / (sigma_ * sigma_), 1e-3);
}

TEST_F(ScoreParametrizationTest, ScalesTheOutput) {
  EXPECT_NEAR(output({.network_scaling = "1/sigma"}), 7.0 / sigma_, 1e-4);
  EXPECT_NEAR(output({.network_scaling = "1/t"}), 14.0, 1e-6);
  EXPECT_NEAR(output({.c_out = "sigma"}), 7.0 * sigma_, 1e-6);
  EXPECT_NEAR(output({.c_out = "1/sigma"}), 7.0 / sigma_, 1e-4);
  EXPECT_NEAR(output({.c_out = "edm", .sigma_data = 0.2}), 7.0 * sigma_ * 0.2 / std::hypot(sigma_, 0.2), 1e-6);
}

TEST_F(ScoreParametrizationTest, ScalesBothInputs) {
  const double norm = std::hypot(sigma_, 0.1);
  EXPECT_NEAR(output({.c_in = "edm"}), 7.0 / norm, 1e-4);
  EXPECT_NEAR(network_.seen_x.item<double>(), 3.0 / norm, 1e-5);
  EXPECT_NEAR(network_.seen_y.item<double>(), 1.0 / norm, 1e-5);
}

TEST_F(ScoreParametrizationTest, AddsTheState) {
  EXPECT_NEAR(output({.c_skip = "edm", .sigma_data = 0.2}), 7.0 + 3.0 * 0.04 / (sigma_ * sigma_ + 0.04), 1e-5);
}

TEST_F(ScoreParametrizationTest, TakesOneTimePerItemAndKeepsGradients) {
  const ParametrizedNetwork made = parametrize({.network_scaling = "1/sigma"}, network_, *process_);
  const at::Tensor t = at::tensor({0.1F, 0.9F});
  const at::Tensor out = made.call(at::ones({2, 1, 1, 1}), at::zeros({2, 1, 1, 1}), t);
  EXPECT_NEAR(out[0].item<double>(), 2.0 / process_->at(0.1).c.scalar(), 1e-3);
  EXPECT_NEAR(out[1].item<double>(), 2.0 / process_->at(0.9).c.scalar(), 1e-4);
  out.sum().backward();
  EXPECT_NEAR(network_.gain.grad().item<double>(), out.sum().item<double>(), 1e-3);
}

TEST_F(ScoreParametrizationTest, SaysWhatIsWrong) {
  const struct {
    ScoreParametrization config;
    const char* message;
  } cases[] = {{{.backbone = "v3"}, "parametrization.backbone must be one of v1, v2, got 'v3'"},
               {{.loss_type = "mse"},
                "parametrization.loss_type must be one of score_matching, denoiser, data_prediction, got 'mse'"},
               {{.network_scaling = "t"}, "parametrization.network_scaling must be one of none, 1/sigma, 1/t, got 't'"},
               {{.c_in = "0"}, "parametrization.c_in must be one of 1, edm, got '0'"},
               {{.c_out = "0"}, "parametrization.c_out must be one of 1, sigma, 1/sigma, edm, got '0'"},
               {{.c_skip = "1"}, "parametrization.c_skip must be one of 0, edm, got '1'"},
               {{.sigma_data = 0}, "parametrization.sigma_data must be > 0, got 0"}};
  for (const auto& one : cases) {
    try {
      parametrize(one.config, network_, *process_);
      ADD_FAILURE() << one.message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::kUsage);
      EXPECT_STREQ(error.what(), one.message);
    }
  }
}

}  // namespace
}  // namespace reseda::speech
