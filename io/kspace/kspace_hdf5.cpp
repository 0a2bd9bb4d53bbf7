#include "io/kspace/kspace_hdf5.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "io/kspace/hdf5_file.hpp"
#include "io/kspace/ismrmrd.hpp"
#include "io/kspace/sinogram_hdf5.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr const char* kFastMri = "kspace";
constexpr const char* kIsmrmrd = "dataset/data";

/// A tensor on the handed memory, which it keeps.
at::Tensor tensor_of(const std::shared_ptr<Handover>& handover, const HandedArray& array, at::ScalarType type) {
  return at::from_blob(
      array.bytes.data(), array.shape, [handover](void*) {}, at::TensorOptions(type));
}

void hand_over(const std::filesystem::path& file, HandoverWriter& writer) {
  const detail::Hdf5File hdf5(file);
  if (hdf5.has(kFastMri)) {
    if (hdf5.has("ismrmrd_header")) hdf5.hand_text("ismrmrd_header", writer);
    if (hdf5.has("mask")) hdf5.hand_floats("mask", writer);
    hdf5.hand_complex(kFastMri, writer);
    return;
  }
  RESEDA_REQUIRE(hdf5.has("dataset") && hdf5.has(kIsmrmrd), Errc::kInput, file.string(),
                 ": has neither a dataset 'kspace' (fastMRI) nor 'dataset/data' (ISMRMRD)");
  hdf5.hand_text("dataset/xml", writer);
  hdf5.hand_acquisitions(kIsmrmrd, writer);
}

Kspace fastmri_slices(const std::shared_ptr<Handover>& handover, const std::string& name) {
  const HandedArray* values = handover->find("values");
  RESEDA_INVARIANT(values != nullptr);
  at::Tensor samples = tensor_of(handover, *values, at::kComplexFloat);
  RESEDA_REQUIRE(samples.dim() == 3 || samples.dim() == 4, Errc::kInput, name,
                 ": 'kspace' must be [slices,H,W] or [slices,coils,H,W], it is ", samples.sizes());
  Kspace out;
  out.samples = samples.dim() == 3 ? samples.unsqueeze(1) : samples;
  out.format = "fastMRI";
  if (const HandedArray* mask = handover->find("numbers")) {
    const at::Tensor lines = tensor_of(handover, *mask, at::kFloat).flatten();
    RESEDA_REQUIRE(lines.numel() == samples.size(-1), Errc::kInput, name, ": 'mask' has ", lines.numel(),
                   " lines, 'kspace' ", samples.size(-1));
    const at::Tensor taken = lines.ne(0).to(at::kFloat);
    out.samples = out.samples * taken;
    out.mask = taken.expand({out.samples.size(0), out.samples.size(2), out.samples.size(3)}).contiguous();
  }
  const std::string xml = handover->text("header");
  if (xml.empty()) return out;
  const EncodingHeader header = parse_encoding_header(xml, name);
  // fastMRI keeps the readout along the height.
  out.shown = {header.shown_x, header.shown_y};
  if (header.shown_mm[0] > 0 && header.shown_mm[1] > 0)
    out.spacing_mm = {header.shown_mm[1] / static_cast<double>(header.shown_y),
                      header.shown_mm[0] / static_cast<double>(header.shown_x), std::max(header.shown_mm[2], 1.0)};
  return out;
}

Kspace ismrmrd_slices(const std::shared_ptr<Handover>& handover, const std::string& name, const KspaceLimits& limits) {
  const HandedArray* heads = handover->find("heads");
  const HandedArray* samples = handover->find("samples");
  RESEDA_INVARIANT(heads != nullptr && samples != nullptr);
  const auto* begin = reinterpret_cast<const Acquisition*>(heads->bytes.data());
  const std::vector<Acquisition> acquisitions(begin, begin + heads->shape[0]);
  return assemble_slices(acquisitions, tensor_of(handover, *samples, at::kComplexFloat),
                         parse_encoding_header(handover->text("header"), name), name, limits);
}

/// Most processor time of the child: 10 s and 4 s for each MB of the file, many times what sound ones take, also where
/// deflate packs a thousand times.
std::uint64_t seconds_for(const std::filesystem::path& file) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(file, error);
  return 10 + (error ? 0 : bytes >> 18);
}

void require_file(const std::filesystem::path& file) {
  std::error_code error;
  RESEDA_REQUIRE(std::filesystem::is_regular_file(file, error), Errc::kInput, file.string(),
                 ": is no file that can be read");
}

}  // namespace

at::Tensor read_hdf5_numbers(const std::filesystem::path& file, const std::string& dataset, std::int64_t most) {
  require_file(file);
  const auto handover =
      run_isolated([&](HandoverWriter& writer) { detail::Hdf5File(file).hand_floats(dataset, writer); }, file.string(),
                   {.handed_bytes = 4 * static_cast<std::uint64_t>(most), .cpu_seconds = seconds_for(file)});
  const HandedArray* values = handover->find("numbers");
  RESEDA_INVARIANT(values != nullptr);
  return tensor_of(handover, *values, at::kFloat);
}

bool reads_hdf5() { return true; }

Kspace read_kspace_hdf5(const std::filesystem::path& file, const KspaceLimits& limits) {
  const std::string name = file.string();
  require_file(file);
  const auto handover =
      run_isolated([&](HandoverWriter& writer) { hand_over(file, writer); }, name,
                   {.handed_bytes = 8 * static_cast<std::uint64_t>(limits.samples), .cpu_seconds = seconds_for(file)});
  return handover->find("heads") != nullptr ? ismrmrd_slices(handover, name, limits) : fastmri_slices(handover, name);
}

}  // namespace reseda::io
