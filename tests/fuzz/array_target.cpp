#include "io/array/idx.hpp"
#include "io/array/npy.hpp"
#include "tests/fuzz/checkpoint_walk.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace reseda::fuzz {

void array(std::span<const std::uint8_t> bytes) {
  const ExactCopy copy(bytes);
  may_refuse([&] { io::parse_npy(copy.span(), "fuzz"); }, Errc::kInput);
  may_refuse([&] { io::parse_npz(copy.span(), "fuzz"); }, Errc::kInput);
  const std::string_view text(reinterpret_cast<const char*>(copy.span().data()), copy.size);
  may_refuse([&] { io::parse_idx(text, "fuzz"); }, Errc::kInput);
}

}  // namespace reseda::fuzz
