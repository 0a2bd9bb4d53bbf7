#include "io/kspace/kspace.hpp"

#include <ATen/ATen.h>

#include "io/array/npy.hpp"
#include "io/kspace/kspace_hdf5.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::int64_t kMostCoils = 1024;

Kspace from_array(const at::Tensor& values, const std::string& name, const KspaceLimits& limits) {
  RESEDA_REQUIRE(values.is_complex() && (values.dim() == 3 || values.dim() == 4), Errc::kInput, name,
                 ": k-space must be complex [coils,H,W] or [slices,coils,H,W], it is ",
                 values.is_complex() ? "" : "real ", values.sizes());
  RESEDA_REQUIRE(values.numel() <= limits.samples, Errc::kInput, name, ": ", values.numel(),
                 " samples are more than the limit of ", limits.samples);
  Kspace out;
  out.samples = (values.dim() == 3 ? values.unsqueeze(0) : values).to(at::kComplexFloat);
  out.format = "NumPy";
  return out;
}

}  // namespace

at::Tensor measured(const at::Tensor& samples) { return samples.abs().amax(1).gt(0).to(at::kFloat); }

Kspace read_kspace(const std::filesystem::path& file, const KspaceLimits& limits) {
  const std::string name = file.string();
  Kspace out = file.extension() == ".npy" ? from_array(read_npy(file), name, limits) : read_kspace_hdf5(file, limits);
  const auto sizes = out.samples.sizes();
  RESEDA_REQUIRE(sizes[0] >= 1 && sizes[1] >= 1 && sizes[2] >= 16 && sizes[3] >= 16, Errc::kInput, name,
                 ": k-space needs at least one slice, one coil and 16 x 16 samples, it is ", sizes);
  RESEDA_REQUIRE(sizes[1] <= kMostCoils, Errc::kInput, name, ": ", sizes[1], " coils are more than ", kMostCoils);
  RESEDA_REQUIRE(at::view_as_real(out.samples).abs().amax().isfinite().item<bool>(), Errc::kInput, name,
                 ": holds samples that are not finite numbers");
  if (!out.mask.defined()) out.mask = measured(out.samples);
  return out;
}

void apply_mask(Kspace& kspace, const std::filesystem::path& file) {
  at::Tensor mask = read_npy(file);
  const auto sizes = kspace.mask.sizes();
  const bool fits = (mask.dim() == 1 && mask.size(0) == sizes[2]) ||
                    (mask.dim() == 2 && mask.size(0) == sizes[1] && mask.size(1) == sizes[2]) || mask.sizes() == sizes;
  RESEDA_REQUIRE(fits, Errc::kInput, file.string(), ": a mask for this k-space is [", sizes[2], "], [", sizes[1], ",",
                 sizes[2], "] or ", sizes, ", it is ", mask.sizes());
  RESEDA_REQUIRE(!mask.is_complex() && mask.eq(0).logical_or(mask.eq(1)).all().item<bool>(), Errc::kInput,
                 file.string(), ": a mask holds 0 and 1 only");
  kspace.mask = mask.to(at::kFloat).expand(sizes).contiguous();
  kspace.samples = kspace.samples * kspace.mask.unsqueeze(1);
}

}  // namespace reseda::io
