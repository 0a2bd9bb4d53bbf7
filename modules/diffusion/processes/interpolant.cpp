#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "modules/diffusion/process.hpp"
#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::diffusion {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kSigmoidSteepness = 10.0;

/// A value and its derivative in time.
struct Jet {
  double value, slope;
};
Jet operator*(const Jet& l, const Jet& r) { return {l.value * r.value, l.slope * r.value + l.value * r.slope}; }

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
Jet sigmoid_jet(double x, double rate) {
  const double s = sigmoid(x);
  return {s, rate * s * (1.0 - s)};
}

struct InterpolantConfig {
  std::string path = "linear";
  std::string noise = "brownian";
  double scale = 1.0;
  double gap = 1e-8;
  double t_end = 1e-3;
  template <class V>
  void fields(V& v) {
    v("path", path,
      "weights of x0 and y: linear, trigonometric, encoding_decoding, or one_sided_linear and one_sided_trigonometric, "
      "which start from noise alone");
    v("noise", noise, "shape of the noise between the ends: brownian, parabola, sine_squared or sigmoid");
    v("scale", scale, "factor on the noise of two-sided paths");
    v("gap", gap, "distance kept from the far end, where a two-sided path has no noise and the score is infinite");
    v("t_end", t_end, "time at which sampling stops");
  }
  void validate() const {
    require_choice("process.path", path,
                   {"linear", "trigonometric", "encoding_decoding", "one_sided_linear", "one_sided_trigonometric"});
    require_choice("process.noise", noise, {"brownian", "parabola", "sine_squared", "sigmoid"});
    RESEDA_REQUIRE(std::isfinite(scale) && scale > 0, Errc::kUsage, "process.scale must be > 0, got ", scale);
    // The largest value of brownian noise is 1/2, of the others at most 1.
    RESEDA_REQUIRE(path != "trigonometric" || scale < (noise == "brownian" ? 2.0 : 1.0), Errc::kUsage,
                   "process.scale must keep the noise of a trigonometric path below 1, got ", scale);
    RESEDA_REQUIRE(gap > 0 && gap <= 0.1, Errc::kUsage, "process.gap must be in (0, 0.1], got ", gap);
    RESEDA_REQUIRE(t_end > 0 && t_end < 1 - gap, Errc::kUsage, "process.t_end must be in (0, 1 - gap), got ", t_end);
  }
};

/// Stochastic interpolant between the clean signal (t = 0) and the measurement (t = 1), x_t = a x0 + b y + g eps:
///   linear             a = 1 - t, b = t
///   trigonometric      a = sqrt(1 - g^2) cos(pi t/2), b = sqrt(1 - g^2) sin(pi t/2)
///   encoding_decoding  a = cos^2(pi t) before t = 1/2, b = cos^2(pi t) after it, else 0
///   one_sided_*        the same a with g = t or sin(pi t/2), and b = 0
///   brownian  g = s sqrt(t (1-t))    parabola  s t (1-t)    sine_squared  s sin^2(pi t)
///   sigmoid   g = s [h(f (t - 1/2) + 1) - h(f (t - 1/2) - 1) - h(1 - f/2) + h(-1 - f/2)], h logistic, f = 10
/// The time of the source runs the other way. Between 1 - gap and 1 the process is that of 1 - gap.
/// Draws: none for two-sided paths, which start at y; (item, "prior", 0), the whole start, for one-sided ones.
/// Source: Albergo, Boffi, Vanden-Eijnden 2023, "Stochastic Interpolants: A Unifying Framework for Flows and
/// Diffusions", Secs. 2 and 4. Official: malbergo/stochastic-interpolants, interflow/fabrics.py.
class Interpolant final : public Process {
 public:
  explicit Interpolant(InterpolantConfig config) : config_(std::move(config)) {}

  Marginal at(double t) const override {
    const auto [a, b, c] = weights(t);
    return {a.value, b.value, c.value};
  }
  Rates rate(double t) const override {
    const auto [a, b, c] = weights(t);
    return {a.slope, b.slope, c.slope};
  }
  double t_end() const override { return config_.t_end; }
  at::Tensor prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const override {
    return one_sided() ? draw_like(noise, {item, "prior", 0}, y) : y;
  }

 private:
  struct Weights {
    Jet a, b, c;
  };

  bool one_sided() const { return config_.path.starts_with("one_sided"); }

  Weights weights(double t) const {
    RESEDA_REQUIRE(t >= 0 && t <= 1, Errc::kInternal, "interpolant: time must be in [0, 1], got ", t);
    t = std::min(t, 1.0 - config_.gap);
    const double cosine = std::cos(kPi * t / 2), sine = std::sin(kPi * t / 2);
    const Jet falling = {cosine, -kPi / 2 * sine}, rising = {sine, kPi / 2 * cosine};
    if (config_.path == "one_sided_linear") return {{1 - t, -1}, {0, 0}, {t, 1}};
    if (config_.path == "one_sided_trigonometric") return {falling, {0, 0}, rising};
    const Jet noise = gamma(t);
    if (config_.path == "linear") return {{1 - t, -1}, {t, 1}, noise};
    if (config_.path == "trigonometric") {
      const double rest = std::sqrt(1 - noise.value * noise.value);
      const Jet kept = {rest, -noise.value * noise.slope / rest};
      return {kept * falling, kept * rising, noise};
    }
    const double swing = std::cos(kPi * t);
    const Jet weight = {swing * swing, -kPi * std::sin(2 * kPi * t)}, none = {0, 0};
    return t < 0.5 ? Weights{weight, none, noise} : Weights{none, weight, noise};
  }

  Jet gamma(double t) const {
    const double s = config_.scale;
    if (config_.noise == "brownian") {
      const double root = std::sqrt(t * (1 - t));
      return {s * root, s * (1 - 2 * t) / (2 * root)};
    }
    if (config_.noise == "parabola") return {s * t * (1 - t), s * (1 - 2 * t)};
    if (config_.noise == "sine_squared") return {s * std::pow(std::sin(kPi * t), 2.0), s * kPi * std::sin(2 * kPi * t)};
    const double f = kSigmoidSteepness, middle = f * (t - 0.5);
    const Jet up = sigmoid_jet(middle + 1, f), down = sigmoid_jet(middle - 1, f);
    return {s * (up.value - down.value - sigmoid(1 - f / 2) + sigmoid(-1 - f / 2)), s * (up.slope - down.slope)};
  }

  InterpolantConfig config_;
};

}  // namespace

const ProcessEntry& process_entry_interpolant() {
  static const auto entry = make_component<Process, Interpolant, InterpolantConfig>(
      "interpolant", "stochastic interpolant between the clean signal and the measurement, or noise");
  return entry;
}

}  // namespace reseda::diffusion
