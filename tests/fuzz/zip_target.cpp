#include <vector>

#include "io/checkpoint/torch_file.hpp"
#include "io/checkpoint/zip_archive.hpp"
#include "tests/fuzz/checkpoint_walk.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace reseda::fuzz {

void zip(std::span<const std::uint8_t> bytes) {
  constexpr std::uint64_t kMaxBytes = 1 << 20;
  const ExactCopy copy(bytes);
  may_refuse([&] {
    const io::ZipArchive archive(copy.span(), "fuzz");
    for (const io::ZipEntry& entry : archive.entries()) {
      if (entry.size > kMaxBytes) continue;
      std::vector<std::byte> content(static_cast<std::size_t>(entry.size));
      if (entry.deflated) may_refuse([&] { io::inflate_entry(entry, content, "fuzz"); });
      if (!entry.deflated && !content.empty()) std::memcpy(content.data(), entry.data.data(), content.size());
    }
  });
  for (const bool opaque : {false, true})
    may_refuse([&] { walk(io::read_torch_zip(copy.owner, copy.span(), "fuzz", {.opaque = opaque}).root); });
}

}  // namespace reseda::fuzz
