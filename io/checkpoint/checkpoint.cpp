#include "io/checkpoint/checkpoint.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "io/checkpoint/content.hpp"
#include "io/record/mapped_file.hpp"
#include "io/checkpoint/safetensors.hpp"
#include "io/checkpoint/safetensors_header.hpp"
#include "io/checkpoint/shard_index.hpp"
#include "io/checkpoint/torch_file.hpp"
#include "io/checkpoint/value_arena.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{64} << 30;

/// A dict of tensors that exist already.
Value dict_of(const StateDict& tensors, const std::string& name) {
  auto arena = std::make_shared<ValueArena>(name);
  std::vector<std::uint32_t> links;
  for (const auto& [key, tensor] : tensors) {
    links.push_back(arena->add_text(CellKind::kText, key));
    links.push_back(arena->add_ready_tensor(tensor));
  }
  const std::uint32_t root = arena->add_links(CellKind::kDict, std::move(links));
  return {std::move(arena), root};
}

Checkpoint read_single(std::shared_ptr<const void> owner, std::span<std::byte> bytes, const std::string& name) {
  StateDict tensors = view_safetensors(std::move(owner), bytes, name);
  Checkpoint out;
  out.format = "safetensors";
  out.root = dict_of(tensors, name);
  out.metadata = std::move(tensors.metadata);
  out.file_bytes = bytes.size();
  return out;
}

/// Every tensor of the index from its shard; a shard that holds others is not the one that is meant.
Checkpoint read_shards(std::span<const std::byte> bytes, const std::filesystem::path& path) {
  ShardIndex index = parse_shard_index(bytes, path.string());
  std::map<std::string, std::set<std::string>> by_file;
  for (const auto& [tensor, file] : index.tensors) by_file[file].insert(tensor);
  RESEDA_REQUIRE(by_file.size() <= kMaxShards, Errc::kCheckpoint, path.string(), ": more than ", kMaxShards, " shards");
  Checkpoint out;
  out.format = "safetensors shards";
  out.file_bytes = bytes.size();
  std::map<std::string, StateDict> shards;
  for (const auto& [file, names] : by_file) {
    const std::filesystem::path shard = path.parent_path() / file;
    const StateDict& held = shards[file] = read_safetensors(shard);
    for (const auto& [name, tensor] : held)
      RESEDA_REQUIRE(names.contains(name), Errc::kCheckpoint, shard.string(), ": holds tensor ", quoted_name(name),
                     ", which the index ", path.filename().string(), " does not expect there");
    for (const std::string& name : names)
      RESEDA_REQUIRE(held.contains(name), Errc::kCheckpoint, shard.string(), ": lacks tensor ", quoted_name(name),
                     ", which the index ", path.filename().string(), " expects there");
    out.file_bytes += std::filesystem::file_size(shard);
  }
  StateDict all;
  for (const auto& [tensor, file] : index.tensors) all.add(tensor, shards[file].at(tensor));
  out.root = dict_of(all, path.string());
  out.metadata = std::move(index.metadata);
  return out;
}

}  // namespace

Checkpoint read_checkpoint(const std::filesystem::path& path, const CheckpointOptions& options) {
  const std::string name = path.string();
  auto file = std::make_shared<const MappedFile>(path);
  const std::span<std::byte> bytes = file->bytes();
  RESEDA_REQUIRE(bytes.size() <= kMaxFileBytes, Errc::kCheckpoint, name, ": ", bytes.size(), " bytes, at most ",
                 kMaxFileBytes, " are allowed");
  switch (content_of(bytes)) {
    case Content::kZip:
      return read_torch_zip(std::move(file), bytes, name, options);
    case Content::kPickle:
      return read_torch_legacy(std::move(file), bytes, name, options);
    case Content::kSafetensors:
      return read_single(std::move(file), bytes, name);
    case Content::kJson:
      return read_shards(bytes, path);
    case Content::kOther:
      break;
  }
  if (path.extension() == ".safetensors" && !bytes.empty()) return read_single(std::move(file), bytes, name);
  detail::raise(Errc::kCheckpoint, name, ": ", describe_other(bytes),
                ", expected a torch checkpoint (.pt, .pth, .ckpt) or a safetensors file");
}

}  // namespace reseda::io
