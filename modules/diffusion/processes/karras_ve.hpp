#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "modules/diffusion/process.hpp"

namespace reseda::diffusion {

struct KarrasVeConfig {
  std::int64_t scales = 81;
  double sigma_min = 0.002;
  double sigma_max = 80;
  double sigma_data = 0.5;
  double rho = 7;
  std::string time = "nearest_grid";
  template <class V>
  void fields(V& v) {
    v("scales", scales, "noise scales N of the grid");
    v("sigma_min", sigma_min, "smallest noise scale");
    v("sigma_max", sigma_max, "largest noise scale");
    v("sigma_data", sigma_data, "standard deviation of the images");
    v("rho", rho, "power by which small scales lie denser");
    v("time", time, "what the network is told: nearest_grid, the scale of the grid nearest to t; exact, t itself");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Variance exploding process whose time is the noise scale itself, x_t = x0 + t eps:   a = 1, b = 0, c = t
/// On the grid, from the noisiest scale down,
///   sigma_i = (sigma_max^(1/rho) + i / (N - 1) (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho,   i = 0 .. N - 1.
/// The network is shown x / sqrt(s^2 + sigma_data^2) and told 250 ln s, where s is the grid's scale nearest to t (the
/// noisier on a tie): it has seen no other. A measurement gives the state its shape and nothing else.
/// Draws: (item, "prior", 0): sigma_max z.
/// Source: Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models", Eq. 5. Official:
/// jiachenlei/rRCM, rrcm/rrcm_denoiser.py (RepresentationKarrasDenoiser); rrcm_tune.py (find_nearest). Quirk: the
/// official grid is evaluated in float32, which moves a scale by 2e-6 of it at most.
class KarrasVe final : public Process {
 public:
  explicit KarrasVe(KarrasVeConfig config);
  Marginal at(double t) const override { return {1.0, 0.0, t}; }
  Rates rate(double /*t*/) const override { return {0.0, 0.0, 1.0}; }
  double t_start() const override { return config_.sigma_max; }
  double t_end() const override { return config_.sigma_min; }
  at::Tensor prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const override;
  double network_time(double t) const override;
  double network_scale(double t) const override;

  /// sigma_0 > sigma_1 > ... > sigma_{N-1}
  const std::vector<double>& grid() const { return grid_; }
  /// Index of the scale nearest to t.
  std::size_t nearest(double t) const;

 private:
  double told(double t) const;

  KarrasVeConfig config_;
  std::vector<double> grid_;
};

}  // namespace reseda::diffusion
