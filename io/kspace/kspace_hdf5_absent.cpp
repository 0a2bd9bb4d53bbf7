#include "io/kspace/kspace_hdf5.hpp"
#include "io/kspace/sinogram_hdf5.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& file) {
  throw Error(Errc::kInput, file.string() + ": this build reads no HDF5 (it was made without libhdf5)");
}

}  // namespace

bool reads_hdf5() { return false; }

Kspace read_kspace_hdf5(const std::filesystem::path& file, const KspaceLimits& /*limits*/) { refuse(file); }

at::Tensor read_hdf5_numbers(const std::filesystem::path& file, const std::string& /*dataset*/, std::int64_t /*most*/) {
  refuse(file);
}

}  // namespace reseda::io
