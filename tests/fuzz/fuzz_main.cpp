#include "tests/fuzz/fuzz_targets.hpp"

// RESEDA_FUZZ_TARGET is one function of fuzz_targets.hpp; libFuzzer brings main().
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  reseda::fuzz::RESEDA_FUZZ_TARGET({data, size});
  return 0;
}
