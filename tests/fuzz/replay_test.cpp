#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "modules/core/noise.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace reseda::fuzz {
namespace {

namespace fs = std::filesystem;
using Target = void (*)(std::span<const std::uint8_t>);
using Bytes = std::vector<std::uint8_t>;

struct Budget {
  std::size_t cuts, flips;  ///< per corpus file
};

/// Gives a target every corpus file whole, cut at many places (at every one where the budget allows) and with one to
/// four bits flipped, half of the time near the start, where headers are. The choices are the same on every run.
void replay(const std::string& name, Target target, Budget budget) {
  const fs::path folder = fs::path(RESEDA_SOURCE_DIR) / "tests/fuzz/corpus" / name;
  std::vector<fs::path> files{fs::directory_iterator(folder), {}};
  std::sort(files.begin(), files.end());
  ASSERT_FALSE(files.empty());
  for (const fs::path& file : files) {
    SCOPED_TRACE(file.filename().string());
    std::ifstream in(file, std::ios::binary);
    const Bytes whole{std::istreambuf_iterator<char>(in), {}};
    ASSERT_LE(whole.size(), 16384u) << "keep the corpus small";
    target(whole);
    const std::size_t step = std::max<std::size_t>(1, whole.size() / budget.cuts);
    for (std::size_t size = 0; size < whole.size(); size += step) target(std::span(whole).first(size));
    if (whole.empty()) continue;
    Chooser chooser(0, file.filename().string(), "flips", 0);
    for (std::size_t i = 0; i < budget.flips; ++i) {
      Bytes bytes = whole;
      for (std::int64_t flips = 1 + chooser.below(4); flips > 0; --flips) {
        const auto size = static_cast<std::int64_t>(bytes.size());
        const std::int64_t reach = chooser.chance(0.5) ? std::min<std::int64_t>(size, 128) : size;
        bytes[static_cast<std::size_t>(chooser.below(reach))] ^= static_cast<std::uint8_t>(1 << chooser.below(8));
      }
      target(bytes);
    }
  }
}

TEST(FuzzReplay, Safetensors) { replay("safetensors", safetensors, {4096, 20000}); }
TEST(FuzzReplay, Zip) { replay("zip", zip, {2048, 2000}); }
TEST(FuzzReplay, Pickle) { replay("pickle", pickle, {2048, 2000}); }
TEST(FuzzReplay, TorchLegacy) { replay("torch_legacy", torch_legacy, {2048, 2000}); }
TEST(FuzzReplay, Array) { replay("array", array, {4096, 20000}); }

#ifdef RESEDA_FUZZ_AUDIO
TEST(FuzzReplay, Audio) { replay("audio", audio, {2048, 3000}); }
#endif
#ifdef RESEDA_FUZZ_IMAGE
TEST(FuzzReplay, Image) { replay("image", image, {1024, 1500}); }
#endif
#ifdef RESEDA_FUZZ_VOLUME
TEST(FuzzReplay, Volume) { replay("volume", volume, {512, 1000}); }
#endif
#ifdef RESEDA_FUZZ_KSPACE
TEST(FuzzReplay, Kspace) { replay("kspace", kspace, {40, 120}); }
#endif

}  // namespace
}  // namespace reseda::fuzz
