#include "modules/inverse/coil_maps.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <numbers>

#include "modules/core/error.hpp"
#include "modules/inverse/fourier.hpp"

namespace reseda::inverse {
namespace {

void require_coils(const at::Tensor& spectrum) {
  RESEDA_REQUIRE(spectrum.dim() == 4 && spectrum.is_complex() && spectrum.size(1) >= 1, Errc::kUsage,
                 "coil maps need complex spectra [B,coils,H,W], got ", spectrum.is_complex() ? "" : "real ",
                 spectrum.sizes());
}

/// x / |x| along axis 1, 0 where that is 0.
at::Tensor unit_coils(const at::Tensor& x) {
  const at::Tensor length = root_sum_of_squares(x, 1).unsqueeze(1);
  return at::where(length > 0, x / length, at::zeros_like(x));
}

/// Start and length of the middle part of an axis.
std::pair<std::int64_t, std::int64_t> middle(std::int64_t side, std::int64_t wanted) {
  const std::int64_t length = std::min(side, wanted);
  return {side / 2 - length / 2, length};
}

at::Tensor middle_square(const at::Tensor& spectrum, std::int64_t side) {
  const auto [row, rows] = middle(spectrum.size(2), side);
  const auto [column, columns] = middle(spectrum.size(3), side);
  return spectrum.slice(2, row, row + rows).slice(3, column, column + columns);
}

/// The middle square back in a spectrum of zeros.
at::Tensor embed(const at::Tensor& square, std::int64_t height, std::int64_t width) {
  at::Tensor out = at::zeros({square.size(0), square.size(1), height, width}, square.options());
  middle_square(out, std::max(square.size(2), square.size(3))).copy_(square);
  return out;
}

/// Hann window whose zeros lie one sample outside.
at::Tensor window(std::int64_t length, const at::Tensor& like) {
  const at::Tensor i = at::arange(1, length + 1, at::kDouble);
  return i.mul(std::numbers::pi / static_cast<double>(length + 1))
      .sin()
      .square()
      .to(like.device(), c10::toRealValueType(like.scalar_type()));
}

/// Kernels that span the row space of one item's calibration matrix, as spectra [kernels,coils,k,k].
at::Tensor kernels_of(const at::Tensor& calibration, const EspiritSettings& settings) {
  const std::int64_t k = settings.kernel, coils = calibration.size(0);
  const at::Tensor patches = calibration.unfold(1, k, 1).unfold(2, k, 1);  // [coils,i,j,k,k]
  const at::Tensor matrix = patches.permute({1, 2, 0, 3, 4}).reshape({-1, coils * k * k});
  const auto [u, s, vh] = at::linalg_svd(matrix, /*full_matrices=*/false);
  const std::int64_t kept = (s > settings.threshold * s[0]).sum().item<std::int64_t>();
  return vh.slice(0, 0, kept).reshape({kept, coils, k, k});
}

/// G(r) of each pixel, [H W,coils,coils].
at::Tensor reproduction(const at::Tensor& kernels, std::int64_t height, std::int64_t width) {
  const std::int64_t coils = kernels.size(1), side = kernels.size(2);
  at::Tensor g = at::zeros({height * width, coils, coils}, kernels.options());
  for (std::int64_t i = 0; i < kernels.size(0); ++i) {
    const at::Tensor image = centred_ifft2(embed(kernels.slice(0, i, i + 1), height, width));
    const at::Tensor columns = image.reshape({coils, -1}).t().unsqueeze(2);
    g.baddbmm_(columns, columns.transpose(1, 2).conj());
  }
  return g * (static_cast<double>(height * width) / static_cast<double>(side * side));
}

}  // namespace

at::Tensor root_sum_of_squares(const at::Tensor& coil_images, std::int64_t axis) {
  return coil_images.abs().square().sum(axis).sqrt();
}

at::Tensor combine_coils(const at::Tensor& coil_images, const at::Tensor& maps) {
  const at::Tensor weight = maps.abs().square().sum(1, /*keepdim=*/true);
  const at::Tensor sum = (maps.conj() * coil_images).sum(1, /*keepdim=*/true);
  return at::where(weight > 0, sum / weight, at::zeros_like(sum));
}

at::Tensor birdcage_maps(std::int64_t coils, std::int64_t height, std::int64_t width) {
  RESEDA_REQUIRE(coils >= 1 && height >= 1 && width >= 1, Errc::kUsage,
                 "simulated coils need coils, height, width >= 1");
  const auto axis = [](std::int64_t length) {
    const double half = static_cast<double>(length) / 2;
    return (at::arange(length, at::kDouble) + 0.5 - half) / half;
  };
  const at::Tensor down = axis(height).unsqueeze(1), across = axis(width).unsqueeze(0);
  std::vector<at::Tensor> maps;
  for (std::int64_t c = 0; c < coils; ++c) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(c) / static_cast<double>(coils);
    const at::Tensor y = down - 1.5 * std::sin(angle), x = across - 1.5 * std::cos(angle);
    const at::Tensor distance = (x.square() + y.square()).sqrt().clamp_min(0.5);
    maps.push_back(at::polar(distance.reciprocal(), at::atan2(y, x).expand_as(distance) - angle));
  }
  const at::Tensor all = at::stack(maps);
  return (all / root_sum_of_squares(all, 0)).to(at::kComplexFloat);
}

at::Tensor low_resolution_maps(const at::Tensor& spectrum, std::int64_t calibration) {
  require_coils(spectrum);
  RESEDA_REQUIRE(calibration >= 1, Errc::kUsage, "calibration must be >= 1 samples, got ", calibration);
  const at::Tensor square = middle_square(spectrum, calibration);
  const at::Tensor weight = window(square.size(2), square).unsqueeze(1) * window(square.size(3), square);
  return unit_coils(centred_ifft2(embed(square * weight, spectrum.size(2), spectrum.size(3))));
}

at::Tensor espirit_maps(const at::Tensor& spectrum, const EspiritSettings& settings) {
  require_coils(spectrum);
  const std::int64_t height = spectrum.size(2), width = spectrum.size(3);
  const at::Tensor square = middle_square(spectrum, settings.calibration);
  RESEDA_REQUIRE(settings.kernel >= 1 && settings.kernel <= std::min(square.size(2), square.size(3)), Errc::kUsage,
                 "ESPIRiT: the kernel, ", settings.kernel, " samples, must fit into the calibration square of ",
                 square.size(2), " x ", square.size(3));
  std::vector<at::Tensor> maps;
  for (std::int64_t item = 0; item < spectrum.size(0); ++item) {
    const at::Tensor g = reproduction(kernels_of(square[item], settings), height, width);
    at::Tensor vector = at::ones({g.size(0), g.size(1), 1}, g.options()), value;
    for (std::int64_t i = 0; i < settings.iterations; ++i) {
      vector = at::bmm(g, vector);
      value = root_sum_of_squares(vector, 1).unsqueeze(1);
      vector = at::where(value > 0, vector / value, at::zeros_like(vector));
    }
    const at::Tensor first = vector.slice(1, 0, 1);
    const at::Tensor aligned = vector * at::polar(at::ones_like(first.abs()), first.angle()).conj();
    maps.push_back(at::where(value > settings.crop, aligned, at::zeros_like(aligned)).squeeze(2).t());
  }
  return at::stack(maps).reshape({spectrum.size(0), spectrum.size(1), height, width});
}

}  // namespace reseda::inverse
