// PNG, SVG plots, HTML pages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include "io/record/html_report.hpp"
#include "io/record/png.hpp"
#include "io/record/svg_plot.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

using testing::HasSubstr;
using testing::Not;

std::uint32_t u32(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return value;
}

/// A decoder of what encode_png writes, by the specification's rules.
std::vector<std::uint8_t> decode(const std::string& png, std::size_t width, std::size_t height, std::size_t channels) {
  EXPECT_EQ(png.substr(0, 8), "\x89PNG\r\n\x1A\n");
  std::string data;
  for (std::size_t at = 8; at < png.size();) {
    const std::size_t length = u32(png, at);
    const std::string type = png.substr(at + 4, 4);
    const auto* covered = reinterpret_cast<const Bytef*>(png.data() + at + 4);
    EXPECT_EQ(u32(png, at + 8 + length), ::crc32(0, covered, static_cast<uInt>(length + 4)));
    if (type == "IHDR") {
      EXPECT_EQ(u32(png, at + 8), width);
      EXPECT_EQ(u32(png, at + 12), height);
      EXPECT_EQ(png[at + 16], 8);
      EXPECT_EQ(png[at + 17], channels == 3 ? 2 : 0);
    }
    if (type == "IDAT") data += png.substr(at + 8, length);
    at += 12 + length;
  }
  const std::size_t stride = width * channels;
  std::vector<std::uint8_t> raw((stride + 1) * height), out(stride * height);
  uLongf size = raw.size();
  EXPECT_EQ(::uncompress(raw.data(), &size, reinterpret_cast<const Bytef*>(data.data()), data.size()), Z_OK);
  EXPECT_EQ(size, raw.size());
  for (std::size_t y = 0; y < height; ++y)
    for (std::size_t x = 0; x < stride; ++x) {
      const int a = x < channels ? 0 : out[y * stride + x - channels], b = y == 0 ? 0 : out[(y - 1) * stride + x];
      const int c = x < channels || y == 0 ? 0 : out[(y - 1) * stride + x - channels];
      const int pa = std::abs(b - c), pb = std::abs(a - c), pc = std::abs(a + b - 2 * c);
      const int paeth = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
      const int predictor[] = {0, a, b, (a + b) / 2, paeth};
      out[y * stride + x] = static_cast<std::uint8_t>(raw[y * (stride + 1) + 1 + x] + predictor[raw[y * (stride + 1)]]);
    }
  return out;
}

TEST(Png, DecodesToTheSamePixels) {
  std::uint32_t state = 1;
  for (const PngColor color : {PngColor::kGray, PngColor::kRgb}) {
    const std::size_t width = 37, height = 23, channels = color == PngColor::kRgb ? 3 : 1;
    std::vector<std::uint8_t> pixels;
    for (std::size_t y = 0; y < height; ++y)
      for (std::size_t x = 0; x < width * channels; ++x) {
        state = state * 1664525 + 1013904223;
        pixels.push_back(static_cast<std::uint8_t>(y < 8 ? x * 3 + y : y < 16 ? y * y : state >> 24));
      }
    EXPECT_EQ(decode(encode_png(pixels, width, height, color), width, height, channels), pixels);
  }
}

TEST(Png, CompressesSmoothPicturesAndRefusesWrongSizes) {
  std::vector<std::uint8_t> ramp(256 * 256);
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<std::uint8_t>(i % 256 / 2 + i / 256 / 2);
  EXPECT_LT(encode_png(ramp, 256, 256, PngColor::kGray).size(), 2000U);
  EXPECT_THROW(encode_png(ramp, 256, 255, PngColor::kGray), Error);
  EXPECT_THROW(encode_png({}, 0, 0, PngColor::kGray), Error);
}

TEST(RoundTicks, AreRoundAndInside) {
  EXPECT_EQ(round_ticks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(round_ticks(-1, 1, 4), (std::vector<double>{-1, -0.5, 0, 0.5, 1}));
  EXPECT_EQ(round_ticks(0, 97, 5).back(), 80);
  EXPECT_LE(round_ticks(1e-9, 3e-9, 6).size(), 7U);
}

TEST(LinePlot, BreaksAtNaNAndEscapes) {
  const std::string svg = line_plot({"<T & \"q\">", "x", "y"},
                                    {{"a", {0, 1, 2, 3, 4}, {0, 1, std::nan(""), 1, 0}}, {"b<", {0, 4}, {1, 2}}});
  EXPECT_THAT(svg, HasSubstr("&lt;T &amp; &quot;q&quot;&gt;"));
  EXPECT_THAT(svg, Not(HasSubstr("<T")));
  EXPECT_THAT(svg, HasSubstr("b&lt;"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  std::size_t lines = 0;
  for (std::size_t at = svg.find("<polyline"); at != svg.npos; at = svg.find("<polyline", at + 1)) ++lines;
  EXPECT_EQ(lines, 3U);  // curve a in two pieces, curve b in one
}

TEST(LinePlot, UpIsUpAndRightIsRight) {
  const std::string svg = line_plot({"", "", ""}, {{"a", {0, 10}, {0, 10}}});
  const std::size_t at = svg.find("points=\"") + 8;
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  ASSERT_EQ(std::sscanf(svg.c_str() + at, "%lf,%lf %lf,%lf", &x0, &y0, &x1, &y1), 4);
  EXPECT_LT(x0, x1);
  EXPECT_GT(y0, y1);  // SVG counts y downwards
}

TEST(LinePlot, TakesEmptyConstantAndSinglePoints) {
  EXPECT_THAT(line_plot({"t", "", ""}, {}), HasSubstr("</svg>"));
  EXPECT_THAT(line_plot({"t", "", ""}, {{"a", {1}, {5}}}), HasSubstr("<circle"));
  EXPECT_THAT(line_plot({"t", "", ""}, {{"a", {1, 2}, {5, 5}}}), Not(HasSubstr("nan")));
  EXPECT_THAT(line_plot({"t", "", ""}, {{"a", {1, 2}, {1, 2}, {0, 1}, {2, 3}}}), HasSubstr("<polygon"));
  const double huge = std::numeric_limits<double>::infinity();
  EXPECT_THAT(line_plot({"t", "", ""}, {{"a", {1, 2}, {huge, -huge}}}), Not(HasSubstr("inf")));
}

TEST(LinePlot, ManyNamesStandBelowAndLaterCurvesAreDashed) {
  std::vector<Curve> curves;
  for (int i = 0; i < 9; ++i) curves.push_back({"a solver with a name " + std::to_string(i), {0, 1}, {0, 1.0 + i}});
  const std::string many = line_plot({"t", "", ""}, curves);
  EXPECT_THAT(many, HasSubstr("viewBox=\"0 0 640 368\""));  // three rows of 16
  EXPECT_THAT(many, HasSubstr("y=\"364\" text-anchor=\"start\">a solver with a name 8<"));
  EXPECT_THAT(many, HasSubstr("stroke-dasharray"));
  curves.resize(2);
  const std::string two = line_plot({"t", "", ""}, curves);
  EXPECT_THAT(two, HasSubstr("viewBox=\"0 0 640 320\""));
  EXPECT_THAT(two, Not(HasSubstr("stroke-dasharray")));
}

TEST(Plot, AFileOfItsOwnNamesTheFormatAndTheColoursOfItsLines) {
  const std::string plot = line_plot({"t", "x", "y"}, {{"a", {0, 1}, {0, 1}}}), file = svg_file(plot);
  EXPECT_THAT(file, testing::StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\" "));
  EXPECT_THAT(file, HasSubstr("viewBox=\"0 0 640 320\""));
  EXPECT_THAT(file, HasSubstr(".grid{stroke:"));
  EXPECT_EQ(file.substr(file.size() - 40), plot.substr(plot.size() - 40));
}

TEST(BarPlot, DrawsFromZeroInBothDirections) {
  const std::string svg = bar_plot({"t", "", "dB"}, {"noisy", "clean"}, {{"SI-SDR", {-3, 6}, {-4, 5}, {-2, 7}}});
  std::vector<std::pair<double, double>> bars;  // top, height
  for (std::size_t at = svg.find("<rect"); at != svg.npos; at = svg.find("<rect", at + 1)) {
    const char* y = svg.c_str() + svg.find(" y=\"", at) + 4;
    const char* h = svg.c_str() + svg.find("height=\"", at) + 8;
    bars.emplace_back(std::atof(y), std::atof(h));
  }
  ASSERT_EQ(bars.size(), 2U);
  EXPECT_NEAR(bars[0].first, bars[1].first + bars[1].second, 0.02);  // both end at zero
  EXPECT_NEAR(bars[1].second, 2 * bars[0].second, 0.05);
}

TEST(EscapeHtml, ReplacesMarkupControlAndBadBytes) {
  EXPECT_EQ(escape_html("<a href='x'>&\"</a>"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;");
  EXPECT_EQ(escape_html("a\nb\x01\\"), "a b \\");
  EXPECT_EQ(escape_html("\xff"), "\xef\xbf\xbd");
  EXPECT_EQ(escape_html("\xc3\xa9"), "\xc3\xa9");
}

TEST(Base64, EqualsRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe"), "//4=");
}

TEST(HtmlReport, IsSelfContainedAndEscaped) {
  HtmlReport report("Scores of <x>");
  report.heading("A & B").paragraph("<script>alert(1)</script>").facts({{"seed", "0"}, {"<k>", "<v>"}});
  report.table({"file", "dB"}, {{"<b>.wav", "-1.5"}, {"c.wav", "n/a"}}, "per file");
  report.plot(line_plot({"t", "", ""}, {{"a", {0, 1}, {0, 1}}}));
  report.pictures({{"PNGBYTES", "before \"x\""}});
  const std::string page = report.page();
  EXPECT_THAT(page, HasSubstr("<title>Scores of &lt;x&gt;</title>"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("http:")));
  EXPECT_THAT(page, Not(HasSubstr("https:")));
  EXPECT_THAT(page, HasSubstr("<td>&lt;b&gt;.wav</td><td class=\"n\">-1.5</td>"));
  EXPECT_THAT(page, HasSubstr("<td>n/a</td>"));
  EXPECT_THAT(page, HasSubstr("src=\"data:image/png;base64,UE5HQllURVM=\""));
  EXPECT_THAT(page, HasSubstr("alt=\"before &quot;x&quot;\""));
  EXPECT_THAT(page, HasSubstr("prefers-color-scheme:dark"));
  EXPECT_THAT(page, HasSubstr("width=device-width"));
  EXPECT_EQ(page, report.page());
}

}  // namespace
}  // namespace reseda::io
