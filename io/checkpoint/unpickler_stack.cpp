#include <charconv>
#include <utility>

#include "io/checkpoint/pickle_globals.hpp"
#include "io/checkpoint/pickle_text.hpp"
#include "io/checkpoint/safetensors_header.hpp"
#include "io/checkpoint/unpickler.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::size_t kMaxIntegerBytes = 256;  // beyond 64 bits integers are kept as digits

}  // namespace

void Unpickler::push(std::uint32_t cell) {
  RESEDA_REQUIRE(stack_.size() < kMaxPickleSlots, Errc::kCheckpoint, context_.here(), ": more than ", kMaxPickleSlots,
                 " values on the stack");
  stack_.push_back(cell);
}

std::uint32_t Unpickler::pop() {
  const std::uint32_t cell = top();
  stack_.pop_back();
  return cell;
}

std::uint32_t Unpickler::top() const {
  RESEDA_REQUIRE(stack_.size() > (marks_.empty() ? 0 : marks_.back()), Errc::kCheckpoint, context_.here(),
                 ": the pickle takes a value from an empty stack");
  return stack_.back();
}

std::vector<std::uint32_t> Unpickler::pop_to_mark() {
  RESEDA_REQUIRE(!marks_.empty(), Errc::kCheckpoint, context_.here(),
                 ": the pickle goes back to a mark that is not there");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<std::uint32_t> out(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return out;
}

std::vector<std::uint32_t> Unpickler::pop_count(std::size_t count) {
  std::vector<std::uint32_t> out(count);
  for (std::size_t i = count; i-- > 0;) out[i] = pop();
  return out;
}

void Unpickler::push_big_integer(std::span<const std::byte> bytes) {
  RESEDA_REQUIRE(bytes.size() <= kMaxIntegerBytes, Errc::kCheckpoint, context_.here(), ": integer of ", bytes.size(),
                 " bytes, at most ", kMaxIntegerBytes, " are allowed");
  push_integer_text(decimal(bytes));
}

void Unpickler::push_integer_text(std::string_view digits) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = !digits.empty() && stop == digits.data() + digits.size();
  RESEDA_REQUIRE(whole && error != std::errc::invalid_argument, Errc::kCheckpoint, context_.here(),
                 ": not an integer: ", quoted_name(digits));
  if (error == std::errc()) {
    push(context_.add(CellKind::kInteger, 0, static_cast<std::uint64_t>(value)));
  } else {
    push(context_.text(CellKind::kBig, std::string(digits)));
  }
}

void Unpickler::push_string(std::string text) {
  const CellKind kind = is_utf8(text) ? CellKind::kText : CellKind::kBytes;
  push(context_.text(kind, std::move(text)));
}

void Unpickler::push_text(std::string_view text) {
  RESEDA_REQUIRE(text.size() <= kMaxPickleTextBytes, Errc::kCheckpoint, context_.here(), ": text of ", text.size(),
                 " bytes, at most ", kMaxPickleTextBytes, " are allowed");
  RESEDA_REQUIRE(is_utf8(text), Errc::kCheckpoint, context_.here(), ": text is not UTF-8");
  push(context_.text(CellKind::kText, std::string(text)));
}

void Unpickler::store(std::uint64_t slot) {
  constexpr std::size_t kMaxGap = 1024, kMaxFarSlots = 1 << 16;
  const std::uint32_t cell = top();
  if (slot < 2 * memo_.size() + kMaxGap) {
    RESEDA_REQUIRE(slot < kMaxPickleSlots, Errc::kCheckpoint, context_.here(), ": more than ", kMaxPickleSlots,
                   " memo entries");
    if (slot >= memo_.size()) memo_.resize(static_cast<std::size_t>(slot) + 1, kUnset);
    filled_ += memo_[slot] == kUnset ? 1 : 0;
    memo_[slot] = cell;
    return;
  }
  RESEDA_REQUIRE(far_memo_.size() < kMaxFarSlots, Errc::kCheckpoint, context_.here(), ": more than ", kMaxFarSlots,
                 " scattered memo entries");
  filled_ += far_memo_.insert_or_assign(slot, cell).second ? 1 : 0;
}

void Unpickler::fetch(std::uint64_t slot) {
  if (slot < memo_.size() && memo_[slot] != kUnset) return push(memo_[slot]);
  const auto found = far_memo_.find(slot);
  RESEDA_REQUIRE(found != far_memo_.end(), Errc::kCheckpoint, context_.here(), ": memo slot ", slot, " is not filled");
  push(found->second);
}

void Unpickler::push_global(std::string_view module, std::string_view name) {
  RESEDA_REQUIRE(
      module.size() <= kMaxPickleNameBytes && name.size() <= kMaxPickleNameBytes && is_utf8(module) && is_utf8(name),
      Errc::kCheckpoint, context_.here(), ": a name must be UTF-8 of at most ", kMaxPickleNameBytes, " bytes");
  const Global global = find_global(module, name);
  const std::string full = std::string(module) + "." + std::string(name);
  globals_.insert(full);
  if (global.role == GlobalRole::kUnknown) {
    RESEDA_REQUIRE(opaque_, Errc::kCheckpoint, context_.here(), ": names ", quoted_name(full),
                   ", which is not plain data: refused, nothing was run",
                   module.starts_with("torch.nn.modules")
                       ? "; the file holds a whole pickled module, expected its state_dict()"
                       : " (see --opaque)");
    refused_.insert(full);
  }
  RESEDA_REQUIRE(globals_.size() <= kMaxPickleGlobals, Errc::kCheckpoint, context_.here(), ": more than ",
                 kMaxPickleGlobals, " different names");
  const auto [known, fresh] = named_.try_emplace(std::string(module) + "\n" + std::string(name), 0);
  if (fresh) {
    const std::uint64_t bits = static_cast<std::uint64_t>(global.role) |
                               static_cast<std::uint64_t>(static_cast<std::uint8_t>(global.dtype)) << 8;
    known->second = context_.text(CellKind::kGlobal, full);
    context_.arena.cells[known->second].bits = bits;
  }
  push(known->second);
}

void Unpickler::append(std::uint32_t target, const std::vector<std::uint32_t>& items, CellKind kind) {
  const ValueArena& arena = context_.arena;
  if (arena.is(target, CellKind::kObject)) {
    std::uint32_t list = arena.links_of(target).back();
    if (arena.links_of(target).size() < 2 || !arena.is(list, kind)) {
      list = context_.add(kind);
      context_.append(target, &list, 1);
    }
    context_.append(list, items.data(), items.size());
    return;
  }
  RESEDA_REQUIRE(arena.is(target, kind), Errc::kCheckpoint, context_.here(), ": cannot append to ",
                 cell_kind_name(arena.cells[target].kind));
  context_.append(target, items.data(), items.size());
}

void Unpickler::set_items(std::uint32_t target, const std::vector<std::uint32_t>& items) {
  const ValueArena& arena = context_.arena;
  RESEDA_REQUIRE(items.size() % 2 == 0, Errc::kCheckpoint, context_.here(), ": a key without value");
  for (std::size_t i = 0; i < items.size(); i += 2) {
    const CellKind kind = arena.cells[items[i]].kind;
    RESEDA_REQUIRE(kind != CellKind::kList && kind != CellKind::kDict && kind != CellKind::kSet, Errc::kCheckpoint,
                   context_.here(), ": ", cell_kind_name(kind), " cannot be a key");
  }
  if (!arena.is(target, CellKind::kDict)) {
    RESEDA_REQUIRE(arena.is(target, CellKind::kObject), Errc::kCheckpoint, context_.here(), ": cannot set items of ",
                   cell_kind_name(arena.cells[target].kind));
    append(target, items, CellKind::kDict);
    return;
  }
  context_.append(target, items.data(), items.size());
}

}  // namespace reseda::io
