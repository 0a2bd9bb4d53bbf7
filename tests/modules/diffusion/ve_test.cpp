#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/modules/diffusion/run_sampler.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::diffusion {
namespace {

TEST(Ve, GrowsGeometrically) {
  const auto process = make_process(component("ve", {{"sigma_min", "0.01"}, {"sigma_max", "400"}}));
  for (const auto& [t, sigma] : {std::pair{0.0, 0.01}, {0.5, 2.0}, {1.0, 400.0}}) {
    const Marginal marginal = process->at(t);
    EXPECT_EQ(marginal.a.scalar(), 1.0);
    EXPECT_EQ(marginal.b.scalar(), 0.0);
    EXPECT_NEAR(marginal.c.scalar(), sigma, 1e-12 * sigma);
    // d sigma / dt = sigma ln(40000), and the network is told sigma itself.
    EXPECT_NEAR(process->rate(t).c.scalar(), sigma * std::log(4e4), 1e-10 * sigma);
    EXPECT_EQ(process->network_time(t), marginal.c.scalar());
  }
}

TEST(Ve, StartsFromNoiseAlone) {
  const auto process = make_process(component("ve", {{"sigma_max", "400"}}));
  RecordedNoise noise({at::full({1, 1, 1, 2}, 0.5F)});
  const at::Tensor start = process->prior(at::full({1, 1, 1, 2}, 7.0F), noise, "item");
  EXPECT_TRUE(at::equal(start, at::full({1, 1, 1, 2}, 200.0F)));
}

TEST(Ve, SaysWhatItRefuses) {
  tests::expect_error(Errc::kUsage, "process.sigma_min", [] { make_process(component("ve", {{"sigma_min", "0"}})); });
  tests::expect_error(Errc::kUsage, "process.sigma_max", [] {
    make_process(component("ve", {{"sigma_max", "0.001"}}));
  });
  tests::expect_error(Errc::kUsage, "process.t_end", [] { make_process(component("ve", {{"t_end", "1"}})); });
}

}  // namespace
}  // namespace reseda::diffusion
