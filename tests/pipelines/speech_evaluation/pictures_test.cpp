#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "pipelines/speech/evaluation/score_plots.hpp"
#include "pipelines/speech/evaluation/svg_text.hpp"
#include "pipelines/speech/spectrogram_picture.hpp"

namespace reseda::speech {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t hits = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++hits;
  return hits;
}

TEST(FixedText, Numbers) {
  EXPECT_EQ(fixed_text(1.005, 1), "1.0");
  EXPECT_EQ(fixed_text(-0.001, 2), "0.00");
  EXPECT_EQ(fixed_text(-0.5, 1), "-0.5");
  EXPECT_EQ(fixed_text(NAN, 2), "n/a");
  EXPECT_EQ(fixed_text(-INFINITY, 2), "-inf");
}

TEST(PowerPicture, ASineIsALineAtItsFrequency) {
  // 3 kHz of 8 kHz: 3/8 of the height from below.
  const PictureConfig config;
  const at::Tensor wave = at::sin(2 * M_PI * 3000.0 / 16000 * at::arange(32000, at::kDouble));
  const at::Tensor power = power_picture(wave, 16000, config);
  ASSERT_EQ(power.sizes(), at::IntArrayRef({config.rows, config.columns}));
  const auto loudest = power.narrow(1, 10, config.columns - 20).argmax(0);
  const auto expected = static_cast<std::int64_t>(static_cast<double>(config.rows) * (1 - 3.0 / 8));
  EXPECT_LE((loudest - expected).abs().max().item<std::int64_t>(), 1);
}

TEST(PowerPicture, TimeRunsFromLeftToRightAndStopsAtTheLimit) {
  PictureConfig config;
  config.seconds = 1.0;
  const at::Tensor wave = at::zeros({48000});
  wave[4000] = 1.0;     // at a quarter of the second that is shown
  wave[20000] = 100.0;  // beyond it
  const at::Tensor level = power_picture(wave, 16000, config).sum(0);
  EXPECT_NEAR(static_cast<double>(level.argmax().item<std::int64_t>()), 0.25 * static_cast<double>(config.columns),
              4.0);
  EXPECT_LT(level[-1].item<double>(), 1e-9);
}

TEST(PowerPicture, ShortWaves) {
  const PictureConfig config;
  for (const std::int64_t length : {1, 7, 300})
    EXPECT_EQ(power_picture(at::ones({length}), 16000, config).sizes(), at::IntArrayRef({config.rows, config.columns}));
}

TEST(MapColour, LightnessRises) {
  double before = -1;
  for (int i = 0; i <= 50; ++i) {
    const auto c = map_colour(i / 50.0);
    ASSERT_EQ(c.size(), 3U);
    const double luma = 0.2126 * std::pow(c[0] / 255.0, 2.2) + 0.7152 * std::pow(c[1] / 255.0, 2.2) +
                        0.0722 * std::pow(c[2] / 255.0, 2.2);
    EXPECT_GT(luma, before) << i;
    before = luma;
  }
  EXPECT_EQ(map_colour(-1), map_colour(0));
  EXPECT_EQ(map_colour(2), map_colour(1));
}

TEST(SpectrogramSvg, HasAxesAndAPicture) {
  const PictureConfig config;
  const at::Tensor power = power_picture(at::ones({16000}), 16000, config);
  const std::string svg = spectrogram_svg(power, 1.0, "a < b", 16000, 1.0, config);
  EXPECT_NE(svg.find("data:image/png;base64,iVBORw0KGgo"), std::string::npos);
  EXPECT_NE(svg.find("a &lt; b"), std::string::npos);
  EXPECT_NE(svg.find("frequency, kHz"), std::string::npos);
  EXPECT_NE(svg.find(">8<"), std::string::npos) << "8 kHz at the top";
  EXPECT_EQ(spectrogram_svg(at::zeros_like(power), 0.0, "silence", 16000, 1.0, config).find("nan"), std::string::npos);
}

TEST(Histogram, CountsBySide) {
  const HistogramConfig config{.title = "t", .unit = "dB"};
  const std::string svg = histogram_svg({-1.5, 0.5, 2.5, 2.6, NAN}, config);
  EXPECT_EQ(count(svg, "#E69F00"), 1U) << "one bar below zero";
  EXPECT_EQ(count(svg, "#0072B2"), 2U);
  EXPECT_EQ(count(svg, "stroke-dasharray"), 1U) << "zero is within";
  const HistogramConfig lower{.title = "t", .unit = "dB", .better = Better::kLower};
  EXPECT_EQ(count(histogram_svg({-1.5, 0.5, 2.5, 2.6}, lower), "#E69F00"), 2U);
}

TEST(Histogram, DegenerateValues) {
  const HistogramConfig config{.title = "t", .unit = "dB"};
  EXPECT_NE(histogram_svg({}, config).find("no finite values"), std::string::npos);
  EXPECT_NE(histogram_svg({NAN, INFINITY}, config).find("no finite values"), std::string::npos);
  for (const double value : {0.0, 7.0, -1e12, 1e-12}) {
    EXPECT_EQ(count(histogram_svg({value}, config), "<rect"), 1U) << value;
    EXPECT_GE(count(histogram_svg({value, value * (1 + 1e-15)}, config), "<rect"), 1U) << value;
  }
}

TEST(Scatter, DotsWithNames) {
  const ScatterConfig config{.title = "t", .unit = "dB"};
  const std::string svg = scatter_svg({1, 2, NAN}, {3, 1, 1}, {"a&b.wav", "c.wav", "d.wav"}, config);
  EXPECT_EQ(count(svg, "<circle"), 2U);
  EXPECT_EQ(count(svg, "#0072B2"), 1U);
  EXPECT_NE(svg.find("a&amp;b.wav: 1.00 to 3.00"), std::string::npos);
  EXPECT_NE(scatter_svg({}, {}, {}, config).find("no finite values"), std::string::npos);
  EXPECT_EQ(count(scatter_svg({5}, {5}, {"x"}, config), "<circle"), 1U);
}

}  // namespace
}  // namespace reseda::speech
