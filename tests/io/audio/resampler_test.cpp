#include "io/audio/resampler.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "tests/io/audio/audio_fixture.hpp"

namespace reseda::io {
namespace {

using Rates = std::pair<std::int64_t, std::int64_t>;
const std::vector<Rates> kRates = {{48000, 16000},  {44100, 16000}, {8000, 16000},  {16000, 48000}, {16000, 44100},
                                   {192000, 16000}, {22050, 48000}, {16000, 16000}, {11025, 16000}};

TEST(Resampler, LengthIsTheCeiling) {
  EXPECT_EQ(resampled_length(0, 48000, 16000), 0);
  EXPECT_EQ(resampled_length(3, 48000, 16000), 1);
  EXPECT_EQ(resampled_length(4, 48000, 16000), 2);
  EXPECT_EQ(resampled_length(441, 44100, 16000), 160);
  EXPECT_EQ(resampled_length(442, 44100, 16000), 161);
  EXPECT_EQ(resampled_length(1, 16000, 44100), 3);
  EXPECT_EQ(
      resampled_length(std::int64_t{1} << 45, 768000, 767999),
      ((std::int64_t{1} << 45) / 768000) * 767999 + (((std::int64_t{1} << 45) % 768000) * 767999 + 767999) / 768000);
}

TEST(Resampler, WholeSignalHasThatLengthForShortAndLong) {
  for (const auto& [in, out] : kRates)
    for (const std::int64_t frames : {0, 1, 2, 5, 160, 1001, 40000}) {
      const at::Tensor y = resample(at::ones({2, frames}), in, out);
      EXPECT_EQ(y.sizes(), (at::IntArrayRef{2, resampled_length(frames, in, out)}))
          << in << " " << out << " " << frames;
      EXPECT_TRUE(at::isfinite(y).all().item<bool>());
    }
}

TEST(Resampler, PiecesGiveTheSameSamplesAsTheWhole) {
  const at::Tensor x = at::sin(at::arange(2 * 30011, at::kFloat).reshape({2, 30011}).square() * 1e-5);
  for (const auto& [in, out] : kRates) {
    const at::Tensor whole = resample(x, in, out);
    Resampler resampler(in, out, 2);
    for (int round = 0; round < 2; ++round) {
      std::vector<at::Tensor> parts;
      std::int64_t at = 0, step = 1;
      while (at < x.size(1)) {
        const std::int64_t count = std::min(step, x.size(1) - at);
        parts.push_back(resampler.process(x.narrow(1, at, count)));
        at += count;
        step = step * 3 % 7919;
      }
      parts.push_back(resampler.finish());
      EXPECT_TRUE(at::equal(at::cat(parts, 1), whole)) << in << " to " << out << ", round " << round;
    }
  }
}

TEST(Resampler, ImpulseStaysWhereItWas) {
  // One second is a whole number of samples at every rate.
  for (const auto& [in, out] : kRates) {
    at::Tensor x = at::zeros({1, 2 * in});
    x[0][in] = 1.0F;
    const at::Tensor y = resample(x, in, out)[0];
    EXPECT_EQ(y.argmax().item<std::int64_t>(), out) << in << " to " << out;
    const at::Tensor left = y.narrow(0, out - 20, 20).flip(0), right = y.narrow(0, out + 1, 20);
    EXPECT_LT((left - right).abs().max().item<double>(), 1e-5) << in << " to " << out;
  }
}

TEST(Resampler, KeepsConstantsAndTones) {
  for (const auto& [in, out] : kRates) {
    const at::Tensor y = resample(at::full({1, in}, 0.25F), in, out).narrow(1, out / 4, out / 2);
    EXPECT_LT((y - 0.25).abs().max().item<double>(), 1e-5) << in << " to " << out;
    const at::Tensor z = resample(tones(1, in, in), in, out).narrow(1, out / 4, out / 2);
    EXPECT_GT(snr_db(tones(1, out, out).narrow(1, out / 4, out / 2), z), 90) << in << " to " << out;
  }
}

TEST(Resampler, RemovesWhatTheLowerRateCannotHold) {
  const at::Tensor time = at::arange(48000, at::kDouble) / 48000.0;
  const at::Tensor high = at::sin(2 * std::numbers::pi * 10000.0 * time).to(at::kFloat).unsqueeze(0);
  EXPECT_LT(resample(high, 48000, 16000).narrow(1, 1000, 14000).abs().max().item<double>(), 1e-4);
}

TEST(Resampler, RoundTripGivesTheLengthAndTheSignal) {
  for (const std::int64_t frames : {44100, 44101, 44102, 50001}) {
    const at::Tensor x = tones(2, frames, 44100);
    const at::Tensor back = resample_to_length(resample(x, 44100, 16000), 16000, 44100, frames);
    ASSERT_EQ(back.sizes(), x.sizes());
    EXPECT_GT(snr_db(x.narrow(1, 2000, frames - 4000), back.narrow(1, 2000, frames - 4000)), 80);
  }
  EXPECT_EQ(resample_to_length(at::ones({1, 3}), 16000, 16000, 5).sum().item<double>(), 3);
  EXPECT_EQ(resample_to_length(at::ones({1, 3}), 16000, 16000, 2).size(1), 2);
}

TEST(Resampler, RefusesAbsurdRates) {
  expect_error(Errc::kInput, "sample rate is 0 Hz, expected 100 to 768000", [] { Resampler(0, 16000, 1); });
  expect_error(Errc::kInput, "sample rate is 768001 Hz", [] { Resampler(16000, 768001, 1); });
  expect_error(Errc::kInput, "resampling 65 channels, expected 1 to 64", [] { Resampler(16000, 8000, 65); });
}

}  // namespace
}  // namespace reseda::io
