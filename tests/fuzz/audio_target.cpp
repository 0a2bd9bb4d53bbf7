#include <ATen/ATen.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "io/audio/audio_reader.hpp"
#include "modules/core/error.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace reseda::fuzz {
namespace {

// A few bytes can stand for hours of silence: what is decoded is bounded here, as a caller's blocks bound its memory.
constexpr std::int64_t kMaxFrames = 1 << 18;
constexpr std::int64_t kBlockFrames = 1 << 12;

}  // namespace

void audio(std::span<const std::uint8_t> bytes) {
  const int file = ::memfd_create("fuzz", MFD_CLOEXEC);
  if (file < 0 || ::write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
  try {
    io::AudioReader reader("/proc/self/fd/" + std::to_string(file), io::NonFinite::kKeep);
    while (reader.position() < kMaxFrames && reader.read(kBlockFrames).size(1) > 0) {
    }
    reader.rewind();
    reader.read(kBlockFrames);
  } catch (const Error& error) {
    if (error.code() != Errc::kInput) std::abort();
  }
  ::close(file);
}

}  // namespace reseda::fuzz
