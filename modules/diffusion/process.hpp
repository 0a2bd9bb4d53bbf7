#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "modules/core/noise.hpp"
#include "modules/core/registry.hpp"

/// Every forward process of the suite degrades a clean x0 towards a measurement y along one affine bridge,
///     x_t = a_t x0 + b_t y + c_t eps,   eps ~ N(0, I).
/// Time t runs from t_end (clean) up to t_start (degraded); samplers walk it downwards.
namespace reseda::diffusion {

/// A coefficient of the bridge: float64, a scalar (zero-dimensional) or a map that broadcasts against [B,C,H,W].
struct Coef {
  at::Tensor value;
  Coef() = default;
  Coef(double scalar);  // NOLINT(google-explicit-constructor): a number is a coefficient
  explicit Coef(at::Tensor map);
  bool is_scalar() const { return value.dim() == 0; }
  /// The value of a scalar coefficient. @throws Error{kInternal} for a map
  double scalar() const;
  /// coefficient * x in the type of x (real or complex).
  at::Tensor operator*(const at::Tensor& x) const;
};

/// Coefficients of x_t = a x0 + b y + c eps at one time.
struct Marginal {
  Coef a, b, c;
  at::Tensor mean(const at::Tensor& x0, const at::Tensor& y) const;
  at::Tensor sample(const at::Tensor& x0, const at::Tensor& y, const at::Tensor& eps) const;
};

/// Time derivatives of the marginal's coefficients; the probability-flow velocity is a' x0 + b' y + c' eps.
struct Rates {
  Coef a, b, c;
  /// The weight w of Target::kResNoise where the process has one of its own, that of a discrete step; undefined where
  /// it is the ratio of the process's SDE.
  Coef resnoise = {};
};

/// A forward process. Deterministic, immutable, safe to share between threads.
class Process {
 public:
  virtual ~Process() = default;
  virtual Marginal at(double t) const = 0;
  virtual Rates rate(double t) const = 0;
  /// The degraded end, where sampling starts, and the clean end, where it stops.
  virtual double t_start() const { return 1.0; }
  virtual double t_end() const = 0;
  /// The state at t_start given y alone. Draws: (item, "prior", 0) where the process starts from noise.
  virtual at::Tensor prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const = 0;
  /// The time nearest to t that the process has: t itself, or one of its table where time is discrete.
  virtual double nearest_time(double t) const { return t; }
  /// The number the network is conditioned on at time t.
  virtual double network_time(double t) const { return t; }
  /// All the numbers the network is conditioned on, where it takes more than one.
  virtual std::vector<double> network_times(double t) const { return {network_time(t)}; }
  /// Factor on the state that the network is shown at time t.
  virtual double network_scale(double /*t*/) const { return 1.0; }
  /// Steps of a process that is defined at discrete times, where index i = 0 .. steps() - 1 stands for the time
  /// (i + 1) / steps() and 0 is clean; 0 for a process of continuous time.
  virtual std::int64_t steps() const { return 0; }
};

/// Marginal and rates of a batch of items with a time each, as maps [B,1,...,1] with `dimensions` axes.
/// @param times  [B] float64
Marginal marginals(const Process& process, const at::Tensor& times, std::int64_t dimensions);
Rates rates(const Process& process, const at::Tensor& times, std::int64_t dimensions);
/// network_times() of a batch: [B] float32, or [B,K] where the network takes K > 1 numbers.
at::Tensor network_input_times(const Process& process, const at::Tensor& times);
/// network_scale() x of a batch with a time for each item.
/// @param x  [B,...]   @param times  [B] float64
at::Tensor network_input_state(const Process& process, const at::Tensor& x, const at::Tensor& times);

/// The forward SDE dx = (f x + h y) dt + g dw that has this marginal: f = a'/a, h = b' - f b, g^2 = 2 c (c' - f c).
struct ForwardSde {
  Coef f, h, g;
};
ForwardSde forward_sde(const Marginal& marginal, const Rates& rates);

/// Draws standard normal noise of the shape and type of `like` (complex: total variance 1) and moves it to its device.
at::Tensor draw_like(NoiseSource& noise, const DrawKey& key, const at::Tensor& like);

using ProcessEntry = Component<Process>;
const std::vector<const ProcessEntry*>& process_entries();
std::unique_ptr<Process> make_process(const ConfigNode& node, const std::string& path = "process");

}  // namespace reseda::diffusion
