#include "modules/signal/fftw_stft.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/core/noise.hpp"

namespace reseda::signal {
namespace {

at::Tensor noise(at::IntArrayRef shape, at::ScalarType type = at::kFloat) {
  return CounterNoise(1).normal({.item = "stft", .stream = "test"}, shape, type);
}

double relative(const at::Tensor& value, const at::Tensor& expected) {
  return (value - expected).abs().max().item<double>() / expected.abs().max().item<double>();
}

TEST(FftwStft, HandValues) {
  // n_fft 4, hop 2, Hann (0, 1/2, 1, 1/2); wave 1 2 3 4 reflected to 3 2 1 2 3 4 3 2. Frames: (0, 1, 1, 1), (0, 1, 3,
  // 2), (0, 2, 3, 1); X0 = sum, X1 = (w0 - w2) + i (w3 - w1), X2 = w0 - w1 + w2 - w3.
  const FftwStft stft({.n_fft = 4, .hop = 2});
  const at::Tensor x = at::view_as_real(stft.forward(at::tensor({1.0F, 2.0F, 3.0F, 4.0F})));
  const at::Tensor expected = at::tensor({3.0F, 0.0F, 6.0F, 0.0F, 6.0F, 0.0F,      // DC of the three frames
                                          -1.0F, 0.0F, -3.0F, 1.0F, -3.0F, -1.0F,  // bin 1
                                          -1.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F});   // Nyquist
  EXPECT_TRUE(at::allclose(x, expected.view({3, 3, 2}), 0, 1e-6)) << x;
}

TEST(FftwStft, SineHasItsPhase) {
  // cos(2 pi 3 n / 16 + 0.4) in a full frame: bin 3 = (sum w) / 2 e^{i 0.4} up to the frame's start, sum w = 8.
  const FftwStft stft({.n_fft = 16, .hop = 4});
  const at::Tensor n = at::arange(64, at::kFloat);
  const at::Tensor x = stft.forward(at::cos(2 * std::numbers::pi * 3 / 16 * n + 0.4));
  // Frame 2 starts at sample 0.
  const auto bin = static_cast<std::complex<float>>(x[3][2].item<c10::complex<float>>());
  EXPECT_NEAR(bin.real(), 4 * std::cos(0.4), 1e-5);
  EXPECT_NEAR(bin.imag(), 4 * std::sin(0.4), 1e-5);
}

class FftwAgainstAten
    : public testing::TestWithParam<std::tuple<std::int64_t, std::int64_t, const char*, std::int64_t>> {};

TEST_P(FftwAgainstAten, BothDirections) {
  const auto [n_fft, hop, window_name, length] = GetParam();
  const StftConfig config{.n_fft = n_fft, .hop = hop, .window = window_name};
  const FftwStft fftw(config);
  const at::Tensor wave = noise({2, length});
  const at::Tensor expected = stft(wave, config), spectrum = fftw.forward(wave);
  ASSERT_EQ(spectrum.sizes(), expected.sizes());
  EXPECT_LT(relative(spectrum, expected), 1e-6);
  EXPECT_LT(relative(fftw.inverse(spectrum, length), wave), 2e-6) << "round trip";

  // A spectrum that is no signal's transform, with imaginary parts at DC and Nyquist.
  const at::Tensor free = noise(expected.sizes(), at::kComplexFloat);
  EXPECT_LT(relative(fftw.inverse(free, length), istft(free, config, length)), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Grids, FftwAgainstAten,
                         testing::Values(std::tuple{510L, 128L, "hann", 256L}, std::tuple{510L, 128L, "hann", 8191L},
                                         std::tuple{510L, 128L, "hann", 8192L},
                                         std::tuple{510L, 128L, "sqrthann", 8193L},
                                         std::tuple{1534L, 384L, "hann", 768L}, std::tuple{1534L, 384L, "hann", 20000L},
                                         std::tuple{512L, 256L, "sqrthann", 5000L}, std::tuple{4L, 1L, "hann", 3L},
                                         std::tuple{64L, 17L, "hann", 1000L}));

TEST(FftwStft, RealBinsLoseTheirImaginaryPart) {
  const FftwStft fftw({.n_fft = 16, .hop = 4});
  const at::Tensor a = noise({9, 6}, at::kComplexFloat), b = a.clone();
  at::imag(b).index_put_({at::tensor({0L, 8L})}, 99.0);
  EXPECT_TRUE(fftw.inverse(a, 20).equal(fftw.inverse(b, 20)));
}

TEST(FftwStft, ShapesAndLengths) {
  const FftwStft fftw({.n_fft = 510, .hop = 128});
  EXPECT_EQ(fftw.forward(noise({1000})).sizes(), at::IntArrayRef({256, 8}));
  EXPECT_EQ(fftw.forward(noise({2, 3, 1000})).sizes(), at::IntArrayRef({2, 3, 256, 8}));
  EXPECT_EQ(fftw.forward(noise({0, 1000})).sizes(), at::IntArrayRef({0, 256, 8}));
  EXPECT_EQ(fftw.inverse(noise({2, 3, 256, 8}, at::kComplexFloat), 1000).sizes(), at::IntArrayRef({2, 3, 1000}));
  // A view with strides, as a transposed spectrum has.
  const at::Tensor spectrum = noise({8, 256}, at::kComplexFloat);
  EXPECT_TRUE(fftw.inverse(spectrum.t(), 900).equal(fftw.inverse(spectrum.t().contiguous(), 900)));
  EXPECT_TRUE(
      fftw.inverse(spectrum.t().conj(), 900).equal(fftw.inverse(spectrum.t().conj().resolve_conj().contiguous(), 900)));
  // Longer than the frames reach: zeros, as at::istft pads.
  const at::Tensor longer = fftw.inverse(spectrum.t(), 2000);
  EXPECT_EQ(longer.narrow(0, 510 + 7 * 128 - 255, 2000 - 1151).abs().max().item<float>(), 0.0F);
  EXPECT_TRUE(longer.narrow(0, 0, 900).equal(fftw.inverse(spectrum.t(), 900)));
  EXPECT_EQ(fftw.inverse(spectrum.t(), 0).numel(), 0);
}

TEST(FftwStft, ManyThreadsShareOneObjectAndMakeTheirOwn) {
  const StftConfig config{.n_fft = 510, .hop = 128};
  const FftwStft shared(config);
  const at::Tensor wave = noise({2, 20000});
  const at::Tensor spectrum = shared.forward(wave), back = shared.inverse(spectrum, 20000);
  std::vector<int> wrong(8, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (int round = 0; round < 20; ++round) {
        const FftwStft own({.n_fft = static_cast<std::int64_t>(16 + 2 * t), .hop = 4});
        own.forward(wave.narrow(1, 0, 500));
        if (!shared.forward(wave).equal(spectrum) || !shared.inverse(spectrum, 20000).equal(back)) ++wrong[t];
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(8, 0));
}

TEST(FftwStft, Errors) {
  const auto error = [](auto&& call) -> std::pair<Errc, std::string> {
    try {
      call();
    } catch (const Error& e) {
      return {e.code(), e.what()};
    }
    return {Errc::kInternal, "no error"};
  };
  const FftwStft fftw({.n_fft = 510, .hop = 128});
  EXPECT_EQ(error([&] { fftw.forward(at::zeros({255})); }),
            (std::pair{Errc::kInput, std::string("stft: 255 samples are too few, more than 255 are needed")}));
  EXPECT_EQ(error([&] { fftw.forward(at::zeros({500}, at::kDouble)); }).first, Errc::kInternal);
  EXPECT_EQ(error([&] { fftw.inverse(at::zeros({255, 4}, at::kComplexFloat), 100); }).first, Errc::kInternal);
  EXPECT_EQ(error([] { FftwStft({.n_fft = 511}); }).first, Errc::kUsage);
  // A Hann window is zero at its start: with hop = n_fft, sample n_fft/2 has no window.
  const auto gap = error([] { FftwStft({.n_fft = 8, .hop = 8}).inverse(at::ones({5, 4}, at::kComplexFloat), 20); });
  EXPECT_EQ(gap.first, Errc::kUsage);
  EXPECT_NE(gap.second.find("leaves sample 4 without a window"), std::string::npos) << gap.second;
}

}  // namespace
}  // namespace reseda::signal
