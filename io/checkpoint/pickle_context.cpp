#include "io/checkpoint/pickle_context.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "io/checkpoint/pickle_globals.hpp"
#include "io/checkpoint/safetensors_header.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {

std::string PickleContext::here() const { return where + ": byte " + std::to_string(position); }

std::uint32_t PickleContext::add(CellKind kind, std::uint32_t link, std::uint64_t bits) {
  RESEDA_REQUIRE(arena.cells.size() < kMaxPickleValues, Errc::kCheckpoint, here(), ": more than ", kMaxPickleValues,
                 " values");
  return arena.add(kind, link, bits);
}

void PickleContext::count_items(std::size_t count) {
  items_ += count;
  RESEDA_REQUIRE(items_ <= kMaxPickleValues, Errc::kCheckpoint, here(), ": containers with more than ",
                 kMaxPickleValues, " items in all");
}

std::uint32_t PickleContext::text(CellKind kind, std::string text) {
  RESEDA_REQUIRE(kind == CellKind::kBytes || text.size() <= kMaxPickleTextBytes, Errc::kCheckpoint, here(),
                 ": text of ", text.size(), " bytes, at most ", kMaxPickleTextBytes, " are allowed");
  text_bytes_ += text.size();
  RESEDA_REQUIRE(text_bytes_ <= kMaxPickleBytes, Errc::kCheckpoint, here(), ": more than ", kMaxPickleBytes,
                 " bytes of text");
  const std::uint32_t cell = add(kind, static_cast<std::uint32_t>(arena.texts.size()));
  arena.texts.push_back(std::move(text));
  return cell;
}

std::uint32_t PickleContext::container(CellKind kind, std::vector<std::uint32_t> children) {
  count_items(children.size());
  const std::uint32_t cell = add(kind);
  if (children.empty()) return cell;
  arena.cells[cell].link = static_cast<std::uint32_t>(arena.links.size());
  arena.links.push_back(std::move(children));
  return cell;
}

std::uint32_t PickleContext::tensor(TensorRef tensor) {
  RESEDA_REQUIRE(arena.tensors.size() < kMaxPickleTensors, Errc::kCheckpoint, here(), ": more than ", kMaxPickleTensors,
                 " tensors");
  const std::uint32_t cell = add(CellKind::kTensor, static_cast<std::uint32_t>(arena.tensors.size()));
  arena.tensors.push_back(std::move(tensor));
  return cell;
}

void PickleContext::append(std::uint32_t container, const std::uint32_t* first, std::size_t count) {
  count_items(count);
  if (count == 0) return;
  Cell& cell = arena.cells[container];
  if (cell.link == 0) {
    cell.link = static_cast<std::uint32_t>(arena.links.size());
    arena.links.emplace_back();
  }
  auto& links = arena.links[cell.link];
  links.insert(links.end(), first, first + count);
}

std::uint32_t PickleContext::object(std::uint32_t maker, std::uint32_t arguments) {
  const std::uint32_t global =
      arena.is(maker, CellKind::kObject) ? static_cast<std::uint32_t>(arena.cells[maker].bits) : maker;
  const std::uint32_t cell = container(CellKind::kObject, {arguments});
  arena.cells[cell].bits = global;
  return cell;
}

const char* cell_kind_name(CellKind kind) {
  switch (kind) {
    case CellKind::kNone:
      return "None";
    case CellKind::kBool:
      return "a bool";
    case CellKind::kInteger:
    case CellKind::kBig:
      return "an integer";
    case CellKind::kFloat:
      return "a float";
    case CellKind::kText:
      return "a text";
    case CellKind::kBytes:
      return "bytes";
    case CellKind::kList:
      return "a list";
    case CellKind::kTuple:
      return "a tuple";
    case CellKind::kSet:
      return "a set";
    case CellKind::kDict:
      return "a dict";
    case CellKind::kTensor:
      return "a tensor";
    case CellKind::kStorage:
      return "a storage";
    case CellKind::kGlobal:
      return "a name";
    case CellKind::kObject:
      return "an object";
  }
  return "a value";
}

namespace {

bool has_children(CellKind kind) {
  return kind == CellKind::kList || kind == CellKind::kTuple || kind == CellKind::kSet || kind == CellKind::kDict ||
         kind == CellKind::kObject;
}

void check_keys(const PickleContext& context, std::uint32_t dict) {
  std::vector<std::string_view> keys;  // sorted, not hashed: chosen keys cannot make it slow
  const auto& links = context.arena.links_of(dict);
  for (std::size_t i = 0; i < links.size(); i += 2) {
    if (context.arena.is(links[i], CellKind::kText)) keys.push_back(context.arena.text_of(links[i]));
  }
  std::sort(keys.begin(), keys.end());
  const auto twice = std::adjacent_find(keys.begin(), keys.end());
  RESEDA_REQUIRE(twice == keys.end(), Errc::kCheckpoint, context.where, ": a dict has the key ", quoted_name(*twice),
                 " twice");
}

}  // namespace

void check_values(const PickleContext& context, std::uint32_t root) {
  constexpr std::uint16_t kNew = 0, kOpen = 0xFFFF;
  struct Step {
    std::uint32_t cell;
    std::size_t next;
  };
  const ValueArena& arena = context.arena;
  std::vector<std::uint16_t> depth(arena.cells.size(), kNew);  // 1 + that of the deepest child, once closed
  std::vector<Step> path;
  const auto enter = [&](std::uint32_t cell) {
    RESEDA_REQUIRE(path.size() < kMaxPickleDepth, Errc::kCheckpoint, context.where, ": nested deeper than ",
                   kMaxPickleDepth, " levels");
    if (arena.is(cell, CellKind::kDict)) check_keys(context, cell);
    depth[cell] = kOpen;
    path.push_back({cell, 0});
  };
  if (has_children(arena.cells[root].kind)) enter(root);
  std::uint16_t below = 0;  // of what was closed last
  while (!path.empty()) {
    Step& step = path.back();
    const auto& links = arena.links_of(step.cell);
    if (step.next == links.size()) {
      below = 1;
      for (const std::uint32_t child : links)
        if (depth[child] != kOpen) below = std::max<std::uint16_t>(below, depth[child] + 1);
      depth[step.cell] = below;
      path.pop_back();
      continue;
    }
    const std::uint32_t child = links[step.next++];
    if (!has_children(arena.cells[child].kind)) continue;
    if (depth[child] == kNew) {
      enter(child);
    } else if (depth[child] != kOpen) {
      RESEDA_REQUIRE(path.size() + depth[child] <= kMaxPickleDepth, Errc::kCheckpoint, context.where,
                     ": nested deeper than ", kMaxPickleDepth, " levels");
    }
  }
}

}  // namespace reseda::io
