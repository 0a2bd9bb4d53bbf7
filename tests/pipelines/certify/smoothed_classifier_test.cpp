#include "pipelines/certify/smoothed_classifier.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

using namespace certify;

const at::Tensor kImage = at::full({1, 2, 2}, 0.5F);
constexpr double kWeight = 0.5;  // each of four: a norm of 1

/// sign(w x + b) with |w| = 1, as logits (w x + b, 0): its true radius is |w x + b| at every sigma.
Classifier half_space(double offset) {
  return [offset](const at::Tensor& x) {
    const at::Tensor score = kWeight * x.flatten(1).sum(1) + offset;
    return at::stack({score, at::zeros_like(score)}, 1);
  };
}

SmoothedClassifier make(NoiseSource& noise, const Classifier& classifier, std::int64_t batch, std::int64_t n = 2000) {
  return {
      classifier, gaussian_smoother(noise, 0.5), 2, {.sigma = 0.5, .n0 = 50, .n = n, .alpha = 0.001, .batch = batch}};
}

TEST(SmoothedClassifier, CountsTheSameInEveryBatchAndShard) {
  CounterNoise noise(3);
  const auto all = make(noise, half_space(-0.8), 200).votes(kImage, {"a", "estimation", 0, 500});
  EXPECT_EQ(std::accumulate(all.begin(), all.end(), std::int64_t{0}), 500);
  EXPECT_EQ(all.size(), 3U);
  for (const std::int64_t batch : {1, 7, 1024})
    EXPECT_EQ(make(noise, half_space(-0.8), batch).votes(kImage, {"a", "estimation", 0, 500}), all) << batch;
  auto sum = make(noise, half_space(-0.8), 64).votes(kImage, {"a", "estimation", 0, 123});
  const auto rest = make(noise, half_space(-0.8), 64).votes(kImage, {"a", "estimation", 123, 377});
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += rest[i];
  EXPECT_EQ(sum, all);
  EXPECT_NE(make(noise, half_space(-0.8), 200).votes(kImage, {"b", "estimation", 0, 500}), all);
  EXPECT_NE(make(noise, half_space(-0.8), 200).votes(kImage, {"a", "selection", 0, 500}), all);
}

TEST(SmoothedClassifier, CertifiesAHalfSpaceBelowItsDistance) {
  CounterNoise noise(5);
  const auto smoothed = make(noise, half_space(-0.3), 500, 20000);  // w x = 1: distance 0.7
  const stats::Certificate made = smoothed.certify(kImage, "a");
  EXPECT_EQ(made.label, 0);
  EXPECT_LT(made.radius, 0.7);
  EXPECT_GT(made.radius, 0.62);
  EXPECT_EQ(smoothed.predict(kImage, "a"), 0);
  EXPECT_EQ(make(noise, half_space(-1.0), 500).certify(kImage, "a").label, stats::kAbstain);
  EXPECT_EQ(make(noise, half_space(-1.0), 500).predict(kImage, "a"), stats::kAbstain);
}

TEST(SmoothedClassifier, StopsEarlyAtRadii) {
  CounterNoise noise(5);
  const RaceResult result = make(noise, half_space(-0.3), 50, 100000).certify_at(kImage, "a", {0.25, 0.5, 1.5});
  EXPECT_EQ(result.certificate.label, 0);
  EXPECT_EQ(result.verdicts[0], stats::Verdict::kCertified);
  EXPECT_EQ(result.verdicts[1], stats::Verdict::kCertified);
  EXPECT_EQ(result.verdicts[2], stats::Verdict::kOutOfReach);
  EXPECT_LT(result.certificate.trials, 5000);
  EXPECT_LT(result.certificate.radius, 0.7);
}

TEST(SmoothedClassifier, TakesTheSameIntegersEverywhere) {
  const at::Tensor image = at::full({1, 2, 2}, 128, at::kByte);
  const auto votes = [&](std::int64_t batch) {
    return SmoothedClassifier(half_space(-0.9), integer_smoother(9, 0.5), 2, {.sigma = 0.5, .batch = batch})
        .votes(image, {"a", "estimation", 0, 2000});
  };
  EXPECT_EQ(votes(400), votes(33));
  // P[N(0, 0.5) > 0.9 - 4 * 0.5 * 128 / 255] = Phi(0.2078)
  EXPECT_NEAR(static_cast<double>(votes(400)[0]) / 2000, 0.5823, 0.04);
}

TEST(SmoothedClassifier, CountsLogitsThatAreNotFiniteAgainstEveryClass) {
  CounterNoise noise(3);
  const Classifier broken = [](const at::Tensor& x) { return at::full({x.size(0), 2}, std::nan("")); };
  const auto smoothed = make(noise, broken, 100);
  EXPECT_EQ(smoothed.votes(kImage, {"a", "estimation", 0, 100}), (std::vector<std::int64_t>{0, 0, 100}));
  EXPECT_EQ(smoothed.certify(kImage, "a").label, stats::kAbstain);
  EXPECT_EQ(smoothed.predict(kImage, "a"), stats::kAbstain);
  const Classifier narrow = [](const at::Tensor& x) { return at::zeros({x.size(0), 1}); };
  expect_error(Errc::kInternal, "the classifier gave logits of [100, 1], expected 100 x 2",
               [&] { make(noise, narrow, 100).predict(kImage, "a"); });
  expect_error(Errc::kUsage, "smoothing.batch", [&] { make(noise, narrow, 0); });
}

}  // namespace
}  // namespace reseda::tests
