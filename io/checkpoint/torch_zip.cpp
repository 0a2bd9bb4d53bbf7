#include <algorithm>
#include <string_view>
#include <utility>

#include "io/checkpoint/pickle_context.hpp"
#include "io/checkpoint/safetensors_header.hpp"
#include "io/checkpoint/torch_file.hpp"
#include "io/checkpoint/torch_storages.hpp"
#include "io/checkpoint/unpickler.hpp"
#include "io/checkpoint/zip_archive.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::string_view kPickleName = "/data.pkl";

/// The content of a small entry.
std::vector<std::byte> content_of_entry(const ZipEntry& entry, std::uint64_t most, const std::string& file) {
  RESEDA_REQUIRE(entry.size <= most, Errc::kCheckpoint, file, ": zip entry ", quoted_name(entry.name), ": ", entry.size,
                 " bytes, at most ", most, " are allowed");
  if (!entry.deflated) return {entry.data.begin(), entry.data.end()};
  std::vector<std::byte> out(static_cast<std::size_t>(entry.size));
  inflate_entry(entry, out, file);
  return out;
}

/// What an archive without a pickle of torch's seems to be.
std::string describe_archive(const ZipArchive& archive) {
  const auto any = [&](std::string_view end) {
    return std::any_of(archive.entries().begin(), archive.entries().end(),
                       [&](const ZipEntry& entry) { return std::string_view(entry.name).ends_with(end); });
  };
  if (archive.entries().empty()) return "is an empty zip archive";
  if (any(".npy")) return "is a NumPy .npz archive";
  if (any("[Content_Types].xml")) return "is an office document";
  if (any(".pt") || any(".pth") || any(".ckpt") || any(".safetensors"))
    return "is a zip archive that holds checkpoint files: unpack it first";
  return "is a zip archive without a data.pkl inside a folder";
}

/// "<root>" of the one entry "<root>/data.pkl".
std::string find_root(const ZipArchive& archive, const std::string& file) {
  std::string root;
  for (const ZipEntry& entry : archive.entries()) {
    const std::string_view name = entry.name;
    if (!name.ends_with(kPickleName)) continue;
    const std::string_view folder = name.substr(0, name.size() - kPickleName.size());
    if (folder.empty() || folder.find('/') != std::string_view::npos) continue;
    RESEDA_REQUIRE(root.empty(), Errc::kCheckpoint, file, ": has two roots, ", quoted_name(root), " and ",
                   quoted_name(folder));
    root = std::string(folder);
  }
  RESEDA_REQUIRE(!root.empty(), Errc::kCheckpoint, file, ": ", describe_archive(archive),
                 ", expected a torch checkpoint");
  RESEDA_REQUIRE(archive.find(root + "/constants.pkl") == nullptr, Errc::kCheckpoint, file,
                 ": is a TorchScript archive (a program), expected a checkpoint of plain weights; "
                 "save the state_dict() of the module instead");
  return root;
}

bool is_big_endian(const ZipArchive& archive, const std::string& root, const std::string& file) {
  const ZipEntry* entry = archive.find(root + "/byteorder");
  if (entry == nullptr) return false;
  const auto bytes = content_of_entry(*entry, 16, file);
  const std::string_view order(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  RESEDA_REQUIRE(order == "little" || order == "big", Errc::kCheckpoint, file,
                 ": byteorder must be 'little' or 'big', got ", quoted_name(order));
  return order == "big";
}

/// Gives a storage its entry the first time it is named.
void attach_entry(const PickleContext& context, const ZipArchive& archive, const std::string& name, bool big_endian,
                  Storage& storage) {
  const ZipEntry* entry = archive.find(name);
  RESEDA_REQUIRE(entry != nullptr, Errc::kCheckpoint, context.here(), ": storage ", quoted_name(name),
                 " is not in the archive");
  RESEDA_REQUIRE(entry->size == storage.bytes, Errc::kCheckpoint, context.here(), ": storage ", quoted_name(name),
                 " should have ", storage.bytes, " bytes, the archive holds ", entry->size);
  RESEDA_REQUIRE(!big_endian || !storage.untyped, Errc::kCheckpoint, context.here(), ": storage ", quoted_name(name),
                 " is untyped and big endian: cannot tell how to turn its bytes round");
  storage.source = *entry;
  storage.big_endian = big_endian && c10::elementSize(storage.dtype) > 1;
}

}  // namespace

Checkpoint read_torch_zip(std::shared_ptr<const void> owner, std::span<std::byte> bytes, const std::string& name,
                          const CheckpointOptions& options) {
  const ZipArchive archive(bytes, name);
  const std::string root = find_root(archive, name);
  const bool big_endian = is_big_endian(archive, root, name);
  const ZipEntry& pickle = *archive.find(root + std::string(kPickleName));
  const auto program = content_of_entry(pickle, kMaxPickleBytes, name);

  auto arena = std::make_shared<ValueArena>(name);
  arena->owner = std::move(owner);
  StorageTable table;
  const auto load = [&](PickleContext& context, std::uint32_t id) {
    const StorageId storage = read_storage_id(context, id);
    RESEDA_REQUIRE(!storage.view, Errc::kCheckpoint, context.here(), ": storage: views belong to legacy files only");
    const std::size_t known = table.size();
    const std::uint32_t cell = table.cell(context, storage);
    if (table.size() > known)
      attach_entry(context, archive, root + "/data/" + storage.key, big_endian, arena->storages.back());
    return cell;
  };
  Unpickler unpickler(*arena, options.opaque, load);
  std::size_t consumed = 0;
  Checkpoint out;
  const std::uint32_t value = unpickler.read(program, name + ": data.pkl", consumed);
  out.format = "torch zip";
  out.root = Value(arena, value);
  out.globals = {unpickler.globals().begin(), unpickler.globals().end()};
  out.refused = {unpickler.refused().begin(), unpickler.refused().end()};
  out.file_bytes = bytes.size();
  return out;
}

}  // namespace reseda::io
