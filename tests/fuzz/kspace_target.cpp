#include <ATen/ATen.h>

#include <cstdlib>
#include <filesystem>

#include "io/kspace/kspace.hpp"
#include "modules/core/error.hpp"
#include "tests/fuzz/fuzz_folder.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace reseda::fuzz {
void kspace(std::span<const std::uint8_t> bytes) {
  static const FuzzFolder folder;
  const std::filesystem::path file = folder.write("k.h5", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  try {
    io::read_kspace(file, {.samples = 1 << 20});
  } catch (const Error& error) {
    if (error.code() != Errc::kInput) std::abort();
  }
}

}  // namespace reseda::fuzz
