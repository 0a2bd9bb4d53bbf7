#include <algorithm>
#include <utility>
#include <vector>

#include "io/checkpoint/byte_reader.hpp"
#include "io/checkpoint/pickle_context.hpp"
#include "io/checkpoint/safetensors_header.hpp"
#include "io/checkpoint/torch_file.hpp"
#include "io/checkpoint/torch_storages.hpp"
#include "io/checkpoint/unpickler.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr const char* kMagic = "119547037146038801333356";  // 0x1950a86a20f9469cfc6c
constexpr std::int64_t kProtocol = 1001;

/// Reads the pickles of a file one after the other.
class Stream {
 public:
  Stream(Unpickler& unpickler, std::span<std::byte> bytes, const std::string& file)
      : unpickler_(unpickler), bytes_(bytes), file_(file) {}

  std::uint32_t next(const char* what) {
    std::size_t consumed = 0;
    const std::uint32_t cell =
        unpickler_.read(std::span<const std::byte>(bytes_).subspan(position_), file_ + ": " + what, consumed);
    position_ += consumed;
    return cell;
  }
  std::span<std::byte> rest() const { return bytes_.subspan(position_); }

 private:
  Unpickler& unpickler_;
  std::span<std::byte> bytes_;
  const std::string& file_;
  std::size_t position_ = 0;
};

void check_head(Stream& stream, const ValueArena& arena) {
  const std::string& file = arena.file;
  const std::uint32_t magic = stream.next("magic number");
  RESEDA_REQUIRE(arena.is(magic, CellKind::kBig) && arena.text_of(magic) == kMagic, Errc::kCheckpoint, file,
                 ": is a bare pickle, not a file of torch.save: it does not start with torch's magic number");
  const std::uint32_t protocol = stream.next("protocol");
  RESEDA_REQUIRE(arena.is(protocol, CellKind::kInteger) && arena.integer_of(protocol) == kProtocol, Errc::kCheckpoint,
                 file, ": legacy torch file of an unknown protocol, expected ", kProtocol);
  const std::uint32_t machine = stream.next("system information");
  RESEDA_REQUIRE(arena.is(machine, CellKind::kDict), Errc::kCheckpoint, file,
                 ": legacy torch file: system information must be a dict");
  const auto& links = arena.links_of(machine);
  for (std::size_t i = 0; i + 1 < links.size(); i += 2) {
    if (!arena.is(links[i], CellKind::kText) || arena.text_of(links[i]) != "little_endian") continue;
    RESEDA_REQUIRE(arena.is(links[i + 1], CellKind::kBool) && arena.cells[links[i + 1]].bits == 1, Errc::kCheckpoint,
                   file, ": legacy torch file of a big-endian machine: convert it there");
  }
}

/// After the pickles: per key the element count and the elements.
void bind_storages(Stream& stream, std::uint32_t keys, const StorageTable& table, ValueArena& arena) {
  RESEDA_REQUIRE(arena.is(keys, CellKind::kList), Errc::kCheckpoint, arena.file,
                 ": legacy torch file: storage keys must be a list");
  const std::span<std::byte> bytes = stream.rest();
  ByteReader in(bytes, arena.file + ": storages");
  std::vector<bool> bound(arena.storages.size());
  for (const std::uint32_t link : arena.links_of(keys)) {
    RESEDA_REQUIRE(arena.is(link, CellKind::kText), Errc::kCheckpoint, arena.file,
                   ": legacy torch file: a storage key must be a text");
    const std::string& key = arena.text_of(link);
    const auto index = table.find(key);
    RESEDA_REQUIRE(index && !bound[*index], Errc::kCheckpoint, arena.file, ": legacy torch file: storage key ",
                   quoted_name(key), index ? " is there twice" : " is not used by the object");
    Storage& storage = arena.storages[*index];
    const std::uint64_t count = in.number(8), element = c10::elementSize(storage.dtype);
    RESEDA_REQUIRE(count == storage.bytes / element, Errc::kCheckpoint, arena.file, ": storage ", quoted_name(key),
                   " should have ", storage.bytes / element, " elements, the file says ", count);
    const std::size_t begin = in.position();
    in.take(storage.bytes);
    storage.source.data = bytes.subspan(begin, static_cast<std::size_t>(storage.bytes));
    storage.source.size = storage.bytes;
    bound[*index] = true;
  }
  RESEDA_REQUIRE(std::find(bound.begin(), bound.end(), false) == bound.end(), Errc::kCheckpoint, arena.file,
                 ": legacy torch file: the object uses a storage that is not in the file");
  RESEDA_REQUIRE(in.left() == 0, Errc::kCheckpoint, arena.file, ": ", in.left(), " bytes after the last storage");
}

}  // namespace

Checkpoint read_torch_legacy(std::shared_ptr<const void> owner, std::span<std::byte> bytes, const std::string& name,
                             const CheckpointOptions& options) {
  auto arena = std::make_shared<ValueArena>(name);
  arena->owner = std::move(owner);
  StorageTable table;
  Unpickler unpickler(*arena, options.opaque, [&](PickleContext& context, std::uint32_t id) {
    return table.cell(context, read_storage_id(context, id));
  });
  Stream stream(unpickler, bytes, name);
  check_head(stream, *arena);
  const std::uint32_t value = stream.next("object");
  bind_storages(stream, stream.next("storage keys"), table, *arena);
  Checkpoint out;
  out.format = "torch legacy";
  out.root = Value(arena, value);
  out.globals = {unpickler.globals().begin(), unpickler.globals().end()};
  out.refused = {unpickler.refused().begin(), unpickler.refused().end()};
  out.file_bytes = bytes.size();
  return out;
}

}  // namespace reseda::io
