#include "io/checkpoint/torch_file.hpp"
#include "tests/fuzz/checkpoint_walk.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace reseda::fuzz {

void torch_legacy(std::span<const std::uint8_t> bytes) {
  const ExactCopy copy(bytes);
  for (const bool opaque : {false, true})
    may_refuse([&] { walk(io::read_torch_legacy(copy.owner, copy.span(), "fuzz", {.opaque = opaque}).root); });
}

}  // namespace reseda::fuzz
