#include "pipelines/medical/reconstruction_output.hpp"

#include <ATen/ATen.h>
#include <fcntl.h>

#include <algorithm>

#include "io/array/npy_writer.hpp"
#include "io/record/atomic_file.hpp"
#include "io/record/png.hpp"

namespace reseda::medical {

void write_reconstruction(const std::filesystem::path& staged, const std::filesystem::path& target,
                          const io::Volume& volume, const std::string& provenance) {
  const std::string name = target.filename();
  std::string bytes;
  if (name.ends_with(".npy")) {
    bytes = io::npy_bytes(volume.voxels);
  } else {
    // The volume writer goes by names.
    const std::string end = name.ends_with(".nii.gz") ? ".nii.gz" : target.extension().string();
    const std::filesystem::path beside = staged.string() + end;
    io::write_volume(beside, volume, {.provenance = provenance});
    bytes = io::read_file(beside, std::size_t{1} << 40, Errc::kOutput);
    std::filesystem::remove(beside);
  }
  const io::Descriptor file(::open(staged.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  RESEDA_REQUIRE(file.valid(), Errc::kOutput, target.string(), ": cannot be written");
  io::write_bytes(file.get(), bytes, target.string());
}

std::string reconstruction_picture(const at::Tensor& voxels) {
  const at::Tensor slice = voxels[voxels.size(0) / 2];
  const at::Tensor sorted = std::get<0>(slice.flatten().sort());
  const auto index = static_cast<std::int64_t>(0.995 * static_cast<double>(sorted.numel() - 1));
  const double white = sorted[index].item<double>(), black = std::min(0.0, sorted[0].item<double>());
  const double scale = 255.0 / std::max(white - black, 1e-30);
  const at::Tensor pixels = ((slice - black) * scale).round().clamp(0, 255).to(at::kByte).contiguous();
  return io::encode_png({pixels.const_data_ptr<std::uint8_t>(), static_cast<std::size_t>(pixels.numel())},
                        static_cast<std::size_t>(slice.size(1)), static_cast<std::size_t>(slice.size(0)),
                        io::PngColor::kGray);
}

void write_further(const std::filesystem::path& file, const std::string& bytes, bool overwrite) {
  if (!file.empty()) io::write_file(file, bytes, overwrite ? io::Existing::kReplace : io::Existing::kRefuse);
}

}  // namespace reseda::medical
