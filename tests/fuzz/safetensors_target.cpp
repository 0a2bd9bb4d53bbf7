#include <ATen/ATen.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "io/checkpoint/safetensors.hpp"
#include "modules/core/error.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace reseda::fuzz {

void safetensors(std::span<const std::uint8_t> bytes) {
  // A buffer of exactly this size, so that a sanitizer sees a read beyond it.
  const std::shared_ptr<std::byte[]> copy(new std::byte[bytes.size()]);
  if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
  try {
    const StateDict dict = io::view_safetensors(copy, {copy.get(), bytes.size()}, "fuzz");
    std::vector<char> sink;
    for (const auto& [name, tensor] : dict) {
      sink.resize(tensor.nbytes());
      if (!sink.empty()) std::memcpy(sink.data(), tensor.data_ptr(), sink.size());
    }
  } catch (const Error& error) {
    if (error.code() != Errc::kCheckpoint) std::abort();
  }
}

}  // namespace reseda::fuzz
