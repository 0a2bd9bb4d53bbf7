#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "io/checkpoint/pickle_context.hpp"
#include "io/checkpoint/pickle_globals.hpp"
#include "io/checkpoint/safetensors_header.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

using Links = std::vector<std::uint32_t>;

GlobalRole role_of(const ValueArena& arena, std::uint32_t global) {
  return static_cast<GlobalRole>(arena.cells[global].bits & 0xFF);
}

bool is_sequence(CellKind kind) {
  return kind == CellKind::kList || kind == CellKind::kTuple || kind == CellKind::kSet;
}

std::string called(const PickleContext& context, std::uint32_t global) {
  return quoted_name(context.arena.text_of(global));
}

/// dict(), dict(other) or dict([(key, value), ...])
std::uint32_t call_dict(PickleContext& context, const Links& arguments, const std::string& name) {
  if (arguments.empty()) return context.container(CellKind::kDict, {});
  const ValueArena& arena = context.arena;
  const std::uint32_t from = arguments[0];
  const bool pairs = is_sequence(arena.cells[from].kind);
  RESEDA_REQUIRE(arguments.size() == 1 && (pairs || arena.is(from, CellKind::kDict)), Errc::kCheckpoint, context.here(),
                 ": ", name, " needs a dict or pairs");
  if (!pairs) return context.container(CellKind::kDict, arena.links_of(from));
  Links entries;
  for (const std::uint32_t pair : arena.links_of(from)) {
    RESEDA_REQUIRE(is_sequence(arena.cells[pair].kind) && arena.links_of(pair).size() == 2, Errc::kCheckpoint,
                   context.here(), ": ", name, " needs pairs");
    entries.insert(entries.end(), arena.links_of(pair).begin(), arena.links_of(pair).end());
  }
  return context.container(CellKind::kDict, std::move(entries));
}

/// set(items), list(items), tuple(items)
std::uint32_t call_sequence(PickleContext& context, const Links& arguments, CellKind kind, const std::string& name) {
  if (arguments.empty()) return context.container(kind, {});
  const std::uint32_t from = arguments[0];
  RESEDA_REQUIRE(arguments.size() == 1 && is_sequence(context.arena.cells[from].kind), Errc::kCheckpoint,
                 context.here(), ": ", name, " needs a list or tuple");
  return context.container(kind, context.arena.links_of(from));
}

/// Text whose characters are bytes (Latin-1), as Python 3 writes bytes for protocols up to 2.
std::uint32_t call_encode(PickleContext& context, const Links& arguments, const std::string& name) {
  const ValueArena& arena = context.arena;
  const auto is_text = [&](std::uint32_t cell) { return arena.is(cell, CellKind::kText); };
  RESEDA_REQUIRE(arguments.size() == 2 && std::all_of(arguments.begin(), arguments.end(), is_text) &&
                     (arena.text_of(arguments[1]) == "latin1" || arena.text_of(arguments[1]) == "latin-1"),
                 Errc::kCheckpoint, context.here(), ": ", name, " needs a text and 'latin1'");
  const std::string& text = arena.text_of(arguments[0]);
  std::string bytes;
  bytes.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      bytes += text[i];
      continue;
    }
    // Valid UTF-8: 0xC2 or 0xC3 starts the characters 0x80 to 0xFF.
    RESEDA_REQUIRE(c == 0xC2 || c == 0xC3, Errc::kCheckpoint, context.here(), ": ", name, ": not Latin-1");
    bytes += static_cast<char>(((c & 3) << 6) | (static_cast<unsigned char>(text[++i]) & 0x3F));
  }
  return context.text(CellKind::kBytes, std::move(bytes));
}

/// "f8", "i4", ... of a dtype object of NumPy in native byte order.
std::optional<std::string> numpy_dtype(const ValueArena& arena, std::uint32_t cell) {
  if (!arena.is(cell, CellKind::kObject)) return std::nullopt;
  if (role_of(arena, static_cast<std::uint32_t>(arena.cells[cell].bits)) != GlobalRole::kNumpyDtype)
    return std::nullopt;
  const Links& parts = arena.links_of(cell);
  const Links& arguments = arena.links_of(parts[0]);
  if (arguments.empty() || !arena.is(arguments[0], CellKind::kText)) return std::nullopt;
  for (std::size_t i = 1; i < parts.size(); ++i) {  // states: (version, byte order, ...)
    if (!arena.is(parts[i], CellKind::kTuple)) return std::nullopt;
    const Links& state = arena.links_of(parts[i]);
    if (state.size() < 2 || !arena.is(state[1], CellKind::kText) || arena.text_of(state[1]) == ">") return std::nullopt;
  }
  return arena.text_of(arguments[0]);
}

/// A number of NumPy as a plain one; nothing for types that are no plain numbers.
std::optional<std::uint32_t> number_of_numpy(PickleContext& context, const std::string& dtype, const std::string& raw) {
  if (dtype.size() != 2 || raw.size() != static_cast<std::size_t>(dtype[1] - '0') || raw.size() > 8)
    return std::nullopt;
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < raw.size(); ++i)
    bits |= static_cast<std::uint64_t>(static_cast<unsigned char>(raw[i])) << (8 * i);
  if (dtype == "b1" && bits <= 1) return context.add(CellKind::kBool, 0, bits);
  if (dtype == "f8") return context.add(CellKind::kFloat, 0, bits);
  if (dtype == "f4") {
    const auto value = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    return context.add(CellKind::kFloat, 0, std::bit_cast<std::uint64_t>(value));
  }
  if (dtype[0] == 'i') {
    const int unused = 64 - 8 * static_cast<int>(raw.size());
    const std::int64_t value = static_cast<std::int64_t>(bits << unused) >> unused;
    return context.add(CellKind::kInteger, 0, static_cast<std::uint64_t>(value));
  }
  if (dtype[0] == 'u' && bits >> 63 == 0) return context.add(CellKind::kInteger, 0, bits);
  return std::nullopt;
}

std::uint32_t call_numpy_scalar(PickleContext& context, std::uint32_t callable, std::uint32_t tuple) {
  const ValueArena& arena = context.arena;
  const Links& arguments = arena.links_of(tuple);
  if (arguments.size() == 2 && (arena.is(arguments[1], CellKind::kBytes) || arena.is(arguments[1], CellKind::kText))) {
    const auto dtype = numpy_dtype(arena, arguments[0]);
    const auto number =
        dtype ? number_of_numpy(context, *dtype, arena.text_of(arguments[1])) : std::optional<std::uint32_t>();
    if (number) return *number;
  }
  return context.object(callable, tuple);
}

/// A parameter is its tensor; a subclass of tensor that is only a Parameter is what its rebuild function makes.
std::uint32_t call_wrapped(PickleContext& context, std::uint32_t callable, std::uint32_t tuple) {
  const ValueArena& arena = context.arena;
  const Links arguments = arena.links_of(tuple);
  const std::string name = called(context, callable);
  if (role_of(arena, callable) == GlobalRole::kParameter) {
    RESEDA_REQUIRE(!arguments.empty(), Errc::kCheckpoint, context.here(), ": ", name, " needs a tensor");
    if (arena.is(arguments[0], CellKind::kObject)) return arguments[0];
    RESEDA_REQUIRE(arena.is(arguments[0], CellKind::kTensor), Errc::kCheckpoint, context.here(), ": ", name,
                   " needs a tensor, got ", cell_kind_name(arena.cells[arguments[0]].kind));
    return arguments[0];
  }
  RESEDA_REQUIRE(arguments.size() == 4 && arena.is(arguments[0], CellKind::kGlobal) &&
                     arena.is(arguments[1], CellKind::kGlobal) && arena.is(arguments[2], CellKind::kTuple),
                 Errc::kCheckpoint, context.here(), ": ", name, " needs a function, a class, arguments and a state");
  const std::string& type = arena.text_of(arguments[1]);
  const GlobalRole inner = role_of(arena, arguments[0]);
  const bool known = inner == GlobalRole::kTensor || inner == GlobalRole::kTensorWithDtype;
  if (!known || (type != "torch.Tensor" && type != "torch.nn.parameter.Parameter"))
    return context.object(callable, tuple);
  return call_tensor(context, Links(arena.links_of(arguments[2])), inner == GlobalRole::kTensorWithDtype);
}

}  // namespace

std::uint32_t call_global(PickleContext& context, std::uint32_t callable, std::uint32_t arguments) {
  const ValueArena& arena = context.arena;
  RESEDA_REQUIRE(arena.is(arguments, CellKind::kTuple), Errc::kCheckpoint, context.here(),
                 ": arguments must be a tuple, got ", cell_kind_name(arena.cells[arguments].kind));
  if (arena.is(callable, CellKind::kObject)) return context.object(callable, arguments);
  RESEDA_REQUIRE(arena.is(callable, CellKind::kGlobal), Errc::kCheckpoint, context.here(), ": calls ",
                 cell_kind_name(arena.cells[callable].kind));
  // A copy: the arena may grow while the value is made.
  const Links given = arena.links_of(arguments);
  const std::string name = called(context, callable);
  switch (role_of(arena, callable)) {
    case GlobalRole::kUnknown:
    case GlobalRole::kPlain:
    case GlobalRole::kNumpyDtype:
      return context.object(callable, arguments);
    case GlobalRole::kDict:
      return call_dict(context, given, name);
    case GlobalRole::kDefaultDict:
      return call_dict(context, given.empty() ? given : Links(given.begin() + 1, given.end()), name);
    case GlobalRole::kSet:
      return call_sequence(context, given, CellKind::kSet, name);
    case GlobalRole::kList:
      return call_sequence(context, given, CellKind::kList, name);
    case GlobalRole::kTuple:
      return call_sequence(context, given, CellKind::kTuple, name);
    case GlobalRole::kEncode:
      return call_encode(context, given, name);
    case GlobalRole::kTensor:
      return call_tensor(context, given, false);
    case GlobalRole::kTensorWithDtype:
      return call_tensor(context, given, true);
    case GlobalRole::kParameter:
    case GlobalRole::kTensorSubclass:
      return call_wrapped(context, callable, arguments);
    case GlobalRole::kNumpyScalar:
      return call_numpy_scalar(context, callable, arguments);
    case GlobalRole::kStorage:
    case GlobalRole::kUntypedStorage:
    case GlobalRole::kDtype:
      break;
  }
  detail::raise(Errc::kCheckpoint, context.here(), ": ", name, " cannot be called");
}

void build_state(PickleContext& context, std::uint32_t value, std::uint32_t state) {
  const CellKind kind = context.arena.cells[value].kind;
  if (kind == CellKind::kObject) return context.append(value, &state, 1);
  RESEDA_REQUIRE(kind == CellKind::kDict || kind == CellKind::kTensor, Errc::kCheckpoint, context.here(), ": ",
                 cell_kind_name(kind), " cannot be given a state");
}

}  // namespace reseda::io
