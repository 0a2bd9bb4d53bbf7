#include "io/checkpoint/torch_storages.hpp"

#include <algorithm>

#include "io/checkpoint/pickle_globals.hpp"
#include "io/checkpoint/safetensors_header.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::size_t kMaxKeyBytes = 64;

std::uint64_t count_bytes(const PickleContext& context, std::uint32_t cell, std::uint64_t element, const char* what) {
  RESEDA_REQUIRE(context.arena.is(cell, CellKind::kInteger) && context.arena.integer_of(cell) >= 0, Errc::kCheckpoint,
                 context.here(), ": storage: ", what, " must be a 64-bit integer >= 0");
  std::int64_t bytes = 0;
  RESEDA_REQUIRE(!__builtin_mul_overflow(context.arena.integer_of(cell), static_cast<std::int64_t>(element), &bytes),
                 Errc::kCheckpoint, context.here(), ": storage: ", what,
                 " is too large: ", context.arena.integer_of(cell));
  return static_cast<std::uint64_t>(bytes);
}

/// Keys are numbers in all files; anything that could be a path is refused.
bool is_key(std::string_view key) {
  return !key.empty() && key.size() <= kMaxKeyBytes && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  });
}

/// (key of the view, offset, elements)
StorageView read_view(const PickleContext& context, std::uint32_t cell, std::uint64_t element, std::uint64_t held) {
  const ValueArena& arena = context.arena;
  RESEDA_REQUIRE(arena.is(cell, CellKind::kTuple) && arena.links_of(cell).size() == 3, Errc::kCheckpoint,
                 context.here(), ": storage: a view must be three values");
  const auto& links = arena.links_of(cell);
  StorageView view;
  view.begin = count_bytes(context, links[1], element, "view offset");
  view.bytes = count_bytes(context, links[2], element, "view size");
  RESEDA_REQUIRE(view.begin <= held && view.bytes <= held - view.begin, Errc::kCheckpoint, context.here(),
                 ": storage: a view leaves its ", held, " bytes");
  return view;
}

}  // namespace

StorageId read_storage_id(const PickleContext& context, std::uint32_t id) {
  const ValueArena& arena = context.arena;
  RESEDA_REQUIRE(
      arena.is(id, CellKind::kTuple) && !arena.links_of(id).empty() && arena.is(arena.links_of(id)[0], CellKind::kText),
      Errc::kCheckpoint, context.here(), ": a persistent id must be a tuple that starts with a text");
  const auto& links = arena.links_of(id);
  RESEDA_REQUIRE(arena.text_of(links[0]) != "module", Errc::kCheckpoint, context.here(),
                 ": the file holds a whole pickled module, expected a state dict");
  RESEDA_REQUIRE(arena.text_of(links[0]) == "storage" && (links.size() == 5 || links.size() == 6), Errc::kCheckpoint,
                 context.here(), ": a persistent id must be ('storage', class, key, location, elements)");
  const Cell& type = arena.cells[links[1]];
  const auto role = static_cast<GlobalRole>(type.bits & 0xFF);
  RESEDA_REQUIRE(
      type.kind == CellKind::kGlobal && (role == GlobalRole::kStorage || role == GlobalRole::kUntypedStorage),
      Errc::kCheckpoint, context.here(), ": storage: its class must be a storage class of torch, got ",
      type.kind == CellKind::kGlobal ? quoted_name(arena.text_of(links[1])) : cell_kind_name(type.kind));
  RESEDA_REQUIRE(arena.is(links[2], CellKind::kText) && is_key(arena.text_of(links[2])), Errc::kCheckpoint,
                 context.here(), ": storage: its key must be letters and digits, got ",
                 arena.is(links[2], CellKind::kText) ? quoted_name(arena.text_of(links[2])) : "no text");
  StorageId out;
  out.key = arena.text_of(links[2]);
  out.dtype = static_cast<c10::ScalarType>(type.bits >> 8);
  out.untyped = role == GlobalRole::kUntypedStorage;
  const std::uint64_t element = c10::elementSize(out.dtype);
  out.bytes = count_bytes(context, links[4], element, "its size");
  if (links.size() == 6 && !arena.is(links[5], CellKind::kNone))
    out.view = read_view(context, links[5], element, out.bytes);
  return out;
}

std::uint32_t StorageTable::cell(PickleContext& context, const StorageId& id) {
  ValueArena& arena = context.arena;
  RESEDA_REQUIRE(arena.views.size() < kMaxPickleTensors, Errc::kCheckpoint, context.here(), ": more than ",
                 kMaxPickleTensors, " storages");
  const auto [known, fresh] = storages_.try_emplace(id.key, static_cast<std::uint32_t>(arena.storages.size()));
  if (fresh) {
    Storage storage;
    storage.dtype = id.dtype;
    storage.untyped = id.untyped;
    storage.bytes = id.bytes;
    arena.storages.push_back(std::move(storage));
  }
  const Storage& storage = arena.storages[known->second];
  RESEDA_REQUIRE(storage.dtype == id.dtype && storage.untyped == id.untyped && storage.bytes == id.bytes,
                 Errc::kCheckpoint, context.here(), ": storage ", quoted_name(id.key),
                 " is named twice with different types or sizes");
  StorageView view = id.view.value_or(StorageView{.begin = 0, .bytes = id.bytes});
  view.storage = known->second;
  const std::string name = id.key + ":" + std::to_string(view.begin) + ":" + std::to_string(view.bytes);
  const auto [cell, unseen] = cells_.try_emplace(name, 0);
  if (unseen) {
    cell->second = context.add(CellKind::kStorage, static_cast<std::uint32_t>(arena.views.size()));
    arena.views.push_back(view);
  }
  return cell->second;
}

std::optional<std::uint32_t> StorageTable::find(const std::string& key) const {
  const auto found = storages_.find(key);
  return found == storages_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace reseda::io
