#include <ATen/ATen.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "io/kspace/kspace.hpp"
#include "modules/core/error.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace reseda::fuzz {
namespace {

/// HDF5 reads files by name; the folder goes with the process.
class Place {
 public:
  Place() {
    const std::filesystem::path memory = "/dev/shm";
    std::string name =
        (std::filesystem::exists(memory) ? memory : std::filesystem::temp_directory_path()) / "reseda-fuzz-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    folder_ = name;
  }
  ~Place() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  std::filesystem::path file() const { return folder_ / "k.h5"; }

 private:
  std::filesystem::path folder_;
};

}  // namespace

void kspace(std::span<const std::uint8_t> bytes) {
  static const Place place;
  std::ofstream(place.file(), std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  try {
    io::read_kspace(place.file(), {.samples = 1 << 20});
  } catch (const Error& error) {
    if (error.code() != Errc::kInput) std::abort();
  }
}

}  // namespace reseda::fuzz
