#include "io/checkpoint/torch_storages.hpp"
#include "io/checkpoint/unpickler.hpp"
#include "tests/fuzz/checkpoint_walk.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace reseda::fuzz {

/// One pickle on its own: storages are named but have no bytes, so tensors are checked and not made.
void pickle(std::span<const std::uint8_t> bytes) {
  const ExactCopy copy(bytes);
  for (const bool opaque : {false, true}) {
    const auto arena = std::make_shared<io::ValueArena>("fuzz");
    io::StorageTable table;
    io::Unpickler unpickler(*arena, opaque, [&](io::PickleContext& context, std::uint32_t id) {
      return table.cell(context, io::read_storage_id(context, id));
    });
    may_refuse([&] {
      std::size_t consumed = 0;
      const std::uint32_t root = unpickler.read(copy.span(), "fuzz", consumed);
      if (consumed == 0 || consumed > copy.size) std::abort();
      for (const auto& [path, value] : io::flatten(io::Value(arena, root)))
        if (value.kind() == io::ValueKind::kOpaque) value.text();
    });
  }
}

}  // namespace reseda::fuzz
