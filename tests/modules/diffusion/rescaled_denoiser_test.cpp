#include "modules/diffusion/rescaled_denoiser.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace reseda::diffusion {
namespace {

/// The exact denoiser of x0 ~ N(0.5, 0.04) on any process with b = 0.
class ExactGaussian final : public Denoiser {
 public:
  explicit ExactGaussian(const Process& process) : process_(process) {}
  Estimates operator()(const at::Tensor& x, double t, const Condition&) const override {
    const double a = process_.at(t).a.scalar(), c = process_.at(t).c.scalar();
    const at::Tensor x0 = 0.5 + 0.04 * a / (0.04 * a * a + c * c) * (x - a * 0.5);
    return {x0, (x - a * x0) / c};
  }

 private:
  const Process& process_;
};

std::unique_ptr<Process> process_named(const char* name, const char* times) {
  ConfigNode node = ConfigNode::map();
  node["name"] = ConfigNode(name);
  if (times != nullptr) node["times"] = ConfigNode(times);
  return make_process(node);
}

TEST(RescaledDenoiserTest, AVariancePreservingPriorServesTheVarianceExplodingProcess) {
  const auto vp = process_named("ddpm", "any"), ve = process_named("ve", nullptr);
  const ExactGaussian inner(*vp), wanted(*ve);
  const RescaledDenoiser rescaled(inner, *vp, *ve);
  const at::Tensor x = at::tensor({-1.5, 0.0, 0.7, 2.5}, at::kDouble).reshape({1, 1, 2, 2});
  for (const double t : {0.2, 0.4, 0.6, 0.8}) {
    const Estimates got = rescaled(x, t, {}), exact = wanted(x, t, {});
    EXPECT_TRUE(at::allclose(got.x0, exact.x0, 1e-6, 1e-6)) << t;
    EXPECT_TRUE(at::allclose(got.eps, exact.eps, 1e-5, 1e-5)) << t;
  }
}

TEST(RescaledDenoiserTest, ATableIsAskedAtItsNearestTime) {
  const auto vp = process_named("ddpm", "table"), ve = process_named("ve", nullptr);
  const ExactGaussian inner(*vp);
  const RescaledDenoiser rescaled(inner, *vp, *ve);
  const at::Tensor x = at::full({1, 1, 1, 1}, 0.3, at::kDouble);
  const Estimates got = rescaled(x, 0.5, {});
  const double sigma = ve->at(0.5).c.scalar();
  EXPECT_TRUE(at::allclose(got.x0 + sigma * got.eps, x));
  EXPECT_NEAR(got.x0.item<double>(), ExactGaussian(*ve)(x, 0.5, {}).x0.item<double>(), 5e-3);
}

}  // namespace
}  // namespace reseda::diffusion
