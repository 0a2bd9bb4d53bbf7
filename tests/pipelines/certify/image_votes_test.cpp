#include "pipelines/certify/image_votes.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "modules/stats/discrete_gaussian.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

using namespace certify;

const at::Tensor kImage = at::full({1, 2, 2}, 0.5F);

/// sign(0.5 sum x - 0.7): at distance 0.3 from the image, its class is 0.
Classifier half_space() {
  return [](const at::Tensor& x) {
    const at::Tensor score = 0.5 * x.flatten(1).sum(1) - 0.7;
    return at::stack({score, at::zeros_like(score)}, 1);
  };
}

struct Voting {
  RunSettings settings;
  CounterNoise noise{3};
  SmoothedClassifier smoothed;
  ImageVotes votes;

  explicit Voting(const RunSettings& wanted, std::int64_t batch = 40, const Classifier& classifier = half_space())
      : settings(wanted),
        smoothed(classifier,
                 wanted.noise == "integer" ? integer_smoother(3, wanted.sigma) : gaussian_smoother(noise, wanted.sigma),
                 2, {.sigma = wanted.sigma, .n0 = wanted.n0, .n = wanted.n, .alpha = wanted.alpha, .batch = batch}),
        votes(smoothed, settings, 2) {}

  stats::Certificate whole(VoteState& state, const at::Tensor& image = kImage) const {
    state = votes.start();
    return votes.certify(image, "a", state, [](const VoteState&) {});
  }
};

RunSettings fixed() { return {.sigma = 0.25, .n0 = 30, .n = 500}; }
RunSettings sequential() {
  return {.sigma = 0.25, .n0 = 30, .n = 20000, .bound = "sequential", .target_radii = {0.1, 0.2}};
}

TEST(ImageVotes, EqualsTheSmoothedClassifier) {
  const Voting voting(fixed());
  VoteState state;
  const stats::Certificate got = voting.whole(state), expected = voting.smoothed.certify(kImage, "a");
  EXPECT_EQ(got.label, 0);
  EXPECT_EQ(got.hits, expected.hits);
  EXPECT_EQ(got.radius, expected.radius);
  EXPECT_GT(got.radius, 0.15);
  EXPECT_LT(got.radius, 0.3);
  EXPECT_EQ(state.selected(), 30);
  EXPECT_EQ(state.estimated(), 500);
}

TEST(ImageVotes, StopsAtTheSameVoteInEveryBatch) {
  VoteState small, large, one;
  const stats::Certificate a = Voting(sequential(), 7).whole(small), b = Voting(sequential(), 512).whole(large);
  EXPECT_EQ(a.trials, b.trials);
  EXPECT_EQ(a.trials % ImageVotes::kLook, 0);
  EXPECT_LT(a.trials, 5000);
  EXPECT_EQ(a.hits, b.hits);
  EXPECT_EQ(a.radius, b.radius);
  EXPECT_EQ(small.estimation, large.estimation);
  EXPECT_EQ(small.looks, large.looks);
  EXPECT_GE(a.radius, 0.2);
  EXPECT_LT(a.radius, 0.3);
}

TEST(ImageVotes, GoesOnFromAnyBatch) {
  for (const RunSettings& settings : {fixed(), sequential()}) {
    const Voting voting(settings, 33);
    VoteState whole;
    const stats::Certificate expected = voting.whole(whole);
    for (const int stop : {1, 2, 3, 8}) {
      VoteState state = voting.votes.start();
      int batches = 0;
      const auto interrupt = [&](const VoteState& now) {
        EXPECT_TRUE(voting.votes.fits(now));
        RESEDA_REQUIRE(++batches != stop, Errc::kInterrupted, "stop");
      };
      expect_error(Errc::kInterrupted, "stop", [&] { voting.votes.certify(kImage, "a", state, interrupt); });
      const Voting other(settings, 50);
      const stats::Certificate got = other.votes.certify(kImage, "a", state, [](const VoteState&) {});
      EXPECT_EQ(got.hits, expected.hits) << settings.bound << " " << stop;
      EXPECT_EQ(got.trials, expected.trials);
      EXPECT_EQ(got.radius, expected.radius);
      EXPECT_EQ(state.estimation, whole.estimation);
    }
  }
}

TEST(ImageVotes, IntegerNoiseLosesWhatItsSamplingDiffers) {
  RunSettings settings = fixed();
  settings.noise = "integer";
  const Voting voting(settings);
  VoteState state;
  const at::Tensor levels = at::full({1, 2, 2}, 128, at::kByte);
  const stats::Certificate got = voting.whole(state, levels), plain = voting.smoothed.certify(levels, "a");
  EXPECT_EQ(got.label, 0);
  EXPECT_EQ(got.hits, plain.hits);
  EXPECT_LE(got.probability.p, plain.probability.p);
  EXPECT_GE(got.probability.q, plain.probability.q + 0.5 * stats::DiscreteGaussian(0.25).truncation_loss(4));
  EXPECT_LE(got.radius, plain.radius);
  EXPECT_NEAR(got.radius, plain.radius, 1e-9);
}

TEST(ImageVotes, RefusesLogitsThatAreNotFinite) {
  const auto nowhere = [](const at::Tensor& x) {
    return at::full({x.size(0), 2}, std::numeric_limits<float>::quiet_NaN());
  };
  const Voting broken(fixed(), 40, nowhere);
  VoteState state;
  expect_error(Errc::kNumeric, "image a: the classifier's logits are not finite, in all of 30",
               [&] { broken.whole(state); });
  // Not finite now and then: such votes count against every class.
  const auto sometimes = [](const at::Tensor& x) {
    at::Tensor logits = half_space()(x);
    return logits.masked_fill((x.flatten(1).select(1, 0) > 0.8).unsqueeze(1), std::numeric_limits<float>::infinity());
  };
  const Voting voting(fixed(), 40, sometimes);
  const stats::Certificate got = voting.whole(state);
  EXPECT_GT(state.estimation.back(), 20);
  EXPECT_EQ(got.hits, state.estimation[0]);
  EXPECT_EQ(state.estimated(), 500);
}

TEST(ImageVotes, KnowsStatesThatAreNotItsOwn) {
  const Voting own(fixed()), race(sequential());
  EXPECT_TRUE(own.votes.fits({{10, 0, 0}, {0, 0, 0}, {}}));
  EXPECT_TRUE(own.votes.fits({{29, 0, 1}, {400, 50, 50}, {}}));
  EXPECT_FALSE(own.votes.fits({{29, 0}, {0, 0, 0}, {}})) << "other classes";
  EXPECT_FALSE(own.votes.fits({{31, 0, 0}, {0, 0, 0}, {}})) << "too many";
  EXPECT_FALSE(own.votes.fits({{-1, 1, 0}, {0, 0, 0}, {}})) << "negative";
  EXPECT_FALSE(own.votes.fits({{29, 0, 0}, {1, 0, 0}, {}})) << "estimation before selection is over";
  EXPECT_TRUE(race.votes.fits({{30, 0, 0}, {60, 0, 0}, {50}}));
  EXPECT_FALSE(race.votes.fits({{30, 0, 0}, {60, 0, 0}, {}})) << "a look is missing";
  EXPECT_FALSE(race.votes.fits({{30, 0, 0}, {60, 0, 0}, {51}}));
}

TEST(ImageVotes, LargestRadiusOfEachBound) {
  // Phi^-1(0.001^(1/1000)) = 2.46326261478; the sequential bound at t = 1000 is 2.2947.
  EXPECT_NEAR(largest_radius({.sigma = 0.5, .n = 1000}), 0.5 * 2.46326261478, 1e-9);
  EXPECT_NEAR(largest_radius({.sigma = 0.5, .n = 1000, .bound = "sequential"}), 0.5 * 2.2947, 1e-4);
  EXPECT_LE(largest_radius({.sigma = 0.5, .n = 5}), 0);
}

}  // namespace
}  // namespace reseda::tests
