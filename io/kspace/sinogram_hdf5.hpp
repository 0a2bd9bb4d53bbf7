#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace reseda::io {

/// A dataset of real numbers of an HDF5 file, as float32; the file may be damaged or hostile.
/// @param dataset  names with '/' between  @param most  values at most
/// @throws Error{kInput} naming file and rule, also where reseda was built without HDF5
at::Tensor read_hdf5_numbers(const std::filesystem::path& file, const std::string& dataset,
                             std::int64_t most = std::int64_t{1} << 31);

}  // namespace reseda::io
