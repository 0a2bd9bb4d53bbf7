#include "modules/inverse/operators/mri.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"
#include "modules/inverse/coil_maps.hpp"
#include "modules/inverse/fourier.hpp"

namespace reseda::inverse {
namespace {

constexpr std::int64_t kMostCoils = 1024;

/// The spectrum's samples at their mirror images, k -> -k, for an origin at n / 2.
at::Tensor mirrored(const at::Tensor& mask) {
  const auto step = [&](std::int64_t axis) { return mask.size(axis) % 2 == 0 ? std::int64_t{1} : std::int64_t{0}; };
  return mask.flip({-2, -1}).roll({step(-2), step(-1)}, {-2, -1});
}

at::Tensor with_batch(const at::Tensor& constant) { return constant.dim() == 3 ? constant.unsqueeze(0) : constant; }

at::Tensor simulated_maps(const MriConfig& config) {
  config.validate();
  const ImageShape shape(config.image);
  return config.coils > 1 ? birdcage_maps(config.coils, shape.height, shape.width) : at::Tensor();
}

at::Tensor configured_mask(const MriConfig& config) {
  const ImageShape shape(config.image);
  return kspace_mask(config.mask, shape.height, shape.width);
}

}  // namespace

void MriConfig::validate() const {
  diffusion::require_choice("operator.values", values, {"real", "complex", "pairs"});
  diffusion::require_choice("operator.origin", origin, {"centre", "corner"});
  diffusion::require_choice("operator.adjoint", adjoint, {"exact", "inverse"});
  RESEDA_REQUIRE(coils >= 1 && coils <= kMostCoils, Errc::kUsage, "operator.coils must be in 1 .. ", kMostCoils,
                 ", got ", coils);
}

Mri::Mri(const MriConfig& config) : Mri(config, configured_mask(config), simulated_maps(config)) {}

Mri::Mri(const MriConfig& config, const at::Tensor& mask, const at::Tensor& maps)
    : config_(config), shape_(config.image) {
  config_.validate();
  RESEDA_REQUIRE(config_.values != "pairs" || shape_.channels % 2 == 0, Errc::kUsage,
                 "operator.values = pairs needs an even number of channels, got ", shape_.channels);
  mask_ = (mask.dim() == 2 ? mask.unsqueeze(0).unsqueeze(0) : mask).to(at::kFloat);
  RESEDA_REQUIRE(
      mask_.dim() == 4 && mask_.size(1) == 1 && mask_.size(2) == shape_.height && mask_.size(3) == shape_.width,
      Errc::kUsage, "operator mri: the mask must be [", shape_.height, ",", shape_.width,
      "] or [B,1,height,width], got ", mask.sizes());
  RESEDA_REQUIRE(mask_.eq(0).logical_or(mask_.eq(1)).all().item<bool>(), Errc::kUsage,
                 "operator mri: the mask must hold 0 and 1 only");
  if (!maps.defined()) {
    order_ = mask_.slice(0, 0, 1).expand({1, spectra(), shape_.height, shape_.width}).flatten().argsort(true, 0, true);
    taken_ = spectra() * mask_.slice(0, 0, 1).sum().to(at::kLong).item<std::int64_t>();
    return;
  }
  maps_ = with_batch(maps).to(at::kComplexFloat);
  RESEDA_REQUIRE(maps_.dim() == 4 && maps_.size(2) == shape_.height && maps_.size(3) == shape_.width, Errc::kUsage,
                 "operator mri: the maps must be [coils,", shape_.height, ",", shape_.width,
                 "] or [B,coils,height,width], got ", maps.sizes());
  RESEDA_REQUIRE(shape_.channels == (config_.values == "pairs" ? 2 : 1), Errc::kUsage,
                 "operator mri: maps need images of one channel, or one pair, got ", shape_.channels, " channels");
}

std::int64_t Mri::spectra() const {
  return maps_.defined() ? maps_.size(1) : shape_.channels / (config_.values == "pairs" ? 2 : 1);
}

at::Tensor Mri::to_complex(const at::Tensor& x) const {
  const bool complex = config_.values == "complex";
  RESEDA_REQUIRE(x.dim() == 4 && x.size(0) >= 1 && x.size(1) == shape_.channels && x.size(2) == shape_.height &&
                     x.size(3) == shape_.width,
                 Errc::kUsage, "operator mri takes images [B,", shape_.channels, ",", shape_.height, ",", shape_.width,
                 "] with B >= 1, got ", x.sizes());
  RESEDA_REQUIRE(complex ? x.is_complex() : x.is_floating_point(), Errc::kUsage, "operator mri takes ",
                 complex ? "complex" : "real", " images, got ", x.toString());
  if (config_.values != "pairs") return x;
  const at::Tensor pairs = x.reshape({x.size(0), -1, 2, shape_.height, shape_.width});
  return at::complex(pairs.select(2, 0), pairs.select(2, 1));
}

at::Tensor Mri::from_complex(const at::Tensor& x) const {
  if (config_.values == "complex") return x;
  if (config_.values == "real") return at::real(x);
  return at::stack({at::real(x), at::imag(x)}, 2).reshape(shape_.batch(x.size(0)));
}

void Mri::require_spectrum(const at::Tensor& y) const {
  RESEDA_REQUIRE(y.dim() == 4 && y.is_complex() && y.size(1) == spectra() && y.size(2) == shape_.height &&
                     y.size(3) == shape_.width,
                 Errc::kUsage, "operator mri takes complex spectra [B,", spectra(), ",", shape_.height, ",",
                 shape_.width, "], got ", y.is_complex() ? "" : "real ", y.sizes());
}

at::Tensor Mri::transform(const at::Tensor& image) const {
  return config_.origin == "centre" ? centred_fft2(image) : corner_fft2(image);
}

at::Tensor Mri::inverse_transform(const at::Tensor& spectrum) const {
  return config_.origin == "centre" ? centred_ifft2(spectrum) : corner_ifft2(spectrum);
}

at::Tensor Mri::sample(const at::Tensor& images) const {
  const at::Tensor spectrum = transform(images);
  return spectrum * constant_like(mask_, at::real(spectrum));
}

at::Tensor Mri::zero_filled(const at::Tensor& y) const {
  return inverse_transform(y * constant_like(mask_, at::real(y)));
}

at::Tensor Mri::apply(const at::Tensor& x) const {
  const at::Tensor image = to_complex(x);
  if (!maps_.defined()) return sample(image);
  return sample(maps_.to(x.device(), c10::toComplexType(x.scalar_type())) * image);
}

at::Tensor Mri::back(const at::Tensor& y, double scale) const {
  require_spectrum(y);
  at::Tensor image = zero_filled(y);
  if (maps_.defined()) image = (maps_.to(y.device(), y.scalar_type()).conj() * image).sum(1, /*keepdim=*/true);
  return from_complex(scale == 1.0 ? image : scale * image);
}

at::Tensor Mri::adjoint(const at::Tensor& y) const {
  return back(y, config_.adjoint == "inverse" ? 1.0 : square_norm());
}

at::Tensor Mri::vjp(const at::Tensor&, const at::Tensor& v) const { return back(v, square_norm()); }

at::Tensor Mri::pseudo_inverse(const at::Tensor& y) const {
  const at::Tensor image = back(y, 1.0);
  if (maps_.defined() || config_.values != "real") return image;
  // F^{-1} (M + M') / 2 F is H^* H on real images, up to the norm of F; M' is the mask of the mirror images.
  const at::Tensor counts = constant_like((mask_ + mirrored(mask_)) / 2, image);
  const at::Tensor inverse = at::where(counts > 0, counts.reciprocal(), at::zeros_like(counts));
  return at::real(inverse_transform(inverse * transform(image)));
}

const SpectralForm* Mri::spectral() const {
  return config_.values == "pairs" && order_.defined() && mask_.size(0) == 1 ? this : nullptr;
}

at::Tensor Mri::vt(const at::Tensor& x) const {
  const at::Tensor spectrum = (transform(to_complex(x)) / std::sqrt(square_norm())).flatten(1);
  const at::Tensor sorted = spectrum.index_select(1, order_.to(x.device()));
  const at::Tensor taken = sorted.slice(1, 0, taken_), rest = sorted.slice(1, taken_);
  return at::cat({at::real(taken), at::imag(taken), at::real(rest), at::imag(rest)}, 1);
}

at::Tensor Mri::v(const at::Tensor& coefficients) const {
  const std::int64_t left = order_.size(0) - taken_;
  const auto parts = coefficients.split_with_sizes({taken_, taken_, left, left}, 1);
  const at::Tensor sorted = at::cat({at::complex(parts[0], parts[1]), at::complex(parts[2], parts[3])}, 1);
  const at::Tensor spectrum = at::zeros_like(sorted).index_copy(1, order_.to(sorted.device()), sorted);
  const at::Tensor grid = spectrum.reshape({-1, spectra(), shape_.height, shape_.width});
  return from_complex(std::sqrt(square_norm()) * inverse_transform(grid));
}

at::Tensor Mri::u(const at::Tensor& coefficients) const {
  const auto parts = coefficients.split_with_sizes({taken_, taken_}, 1);
  const at::Tensor sorted = at::complex(parts[0], parts[1]);
  const at::Tensor places = order_.slice(0, 0, taken_).to(sorted.device());
  return at::zeros({sorted.size(0), order_.size(0)}, sorted.options())
      .index_copy(1, places, sorted)
      .reshape({-1, spectra(), shape_.height, shape_.width});
}

at::Tensor Mri::ut(const at::Tensor& y) const {
  require_spectrum(y);
  const at::Tensor taken = y.flatten(1).index_select(1, order_.slice(0, 0, taken_).to(y.device()));
  return at::cat({at::real(taken), at::imag(taken)}, 1);
}

at::Tensor Mri::singulars() const { return at::full({2 * taken_}, std::sqrt(square_norm()), at::kDouble); }

const OperatorEntry& operator_entry_mri() {
  static const auto entry = make_component<ForwardOperator, Mri, MriConfig>(
      "mri", "Cartesian magnetic resonance: masked Fourier transform, with one or many coils");
  return entry;
}

}  // namespace reseda::inverse
