#include <algorithm>
#include <utility>

#include "io/checkpoint/pickle_context.hpp"
#include "io/checkpoint/pickle_globals.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::size_t kMaxDims = 64;
/// Tensors may repeat elements of their storage (stride 0) up to this size.
constexpr std::uint64_t kMaxRepeatedBytes = std::uint64_t{64} << 20;

std::int64_t integer(const PickleContext& context, std::uint32_t cell, const char* what) {
  RESEDA_REQUIRE(context.arena.is(cell, CellKind::kInteger), Errc::kCheckpoint, context.here(), ": tensor: ", what,
                 " must be a 64-bit integer, got ", cell_kind_name(context.arena.cells[cell].kind));
  const std::int64_t value = context.arena.integer_of(cell);
  RESEDA_REQUIRE(value >= 0, Errc::kCheckpoint, context.here(), ": tensor: ", what, " is negative: ", value);
  return value;
}

std::vector<std::int64_t> integers(const PickleContext& context, std::uint32_t cell, const char* what) {
  const ValueArena& arena = context.arena;
  RESEDA_REQUIRE(arena.is(cell, CellKind::kTuple) || arena.is(cell, CellKind::kList), Errc::kCheckpoint, context.here(),
                 ": tensor: ", what, " must be a tuple, got ", cell_kind_name(arena.cells[cell].kind));
  const auto& links = arena.links_of(cell);
  RESEDA_REQUIRE(links.size() <= kMaxDims, Errc::kCheckpoint, context.here(), ": tensor with more than ", kMaxDims,
                 " dimensions");
  std::vector<std::int64_t> out;
  for (const std::uint32_t link : links) out.push_back(integer(context, link, what));
  return out;
}

/// offset + sum (size - 1) stride must be an element of the view, and product(size) x element size fit 63 bits.
void check_extent(const PickleContext& context, const TensorRef& tensor) {
  const auto element = static_cast<std::int64_t>(c10::elementSize(tensor.dtype));
  const std::uint64_t held = tensor.view.bytes / static_cast<std::uint64_t>(element);
  std::int64_t bytes = element, last = tensor.offset;
  bool empty = false, overflow = false;
  for (std::size_t i = 0; i < tensor.sizes.size(); ++i) {
    std::int64_t reach = 0;
    empty = empty || tensor.sizes[i] == 0;
    overflow = overflow || __builtin_mul_overflow(bytes, std::max<std::int64_t>(tensor.sizes[i], 1), &bytes);
    overflow = overflow ||
               __builtin_mul_overflow(std::max<std::int64_t>(tensor.sizes[i], 1) - 1, tensor.strides[i], &reach) ||
               __builtin_add_overflow(last, reach, &last);
  }
  RESEDA_REQUIRE(!overflow, Errc::kCheckpoint, context.here(), ": tensor: sizes or strides are too large");
  const bool inside =
      empty ? static_cast<std::uint64_t>(tensor.offset) <= held : static_cast<std::uint64_t>(last) < held;
  RESEDA_REQUIRE(inside, Errc::kCheckpoint, context.here(), ": tensor needs element ", empty ? tensor.offset : last,
                 " of a storage that has ", held);
  RESEDA_REQUIRE(empty || static_cast<std::uint64_t>(bytes) <= std::max(tensor.view.bytes, kMaxRepeatedBytes),
                 Errc::kCheckpoint, context.here(), ": tensor of ", bytes, " bytes repeats a storage of ",
                 tensor.view.bytes);
}

/// {"conj": True, "neg": True}, both optional.
void read_metadata(const PickleContext& context, std::uint32_t cell, TensorRef& tensor) {
  const ValueArena& arena = context.arena;
  if (arena.is(cell, CellKind::kNone)) return;
  RESEDA_REQUIRE(arena.is(cell, CellKind::kDict), Errc::kCheckpoint, context.here(),
                 ": tensor: metadata must be a dict, got ", cell_kind_name(arena.cells[cell].kind));
  const auto& links = arena.links_of(cell);
  for (std::size_t i = 0; i + 1 < links.size(); i += 2) {
    const bool text = arena.is(links[i], CellKind::kText);
    const bool conj = text && arena.text_of(links[i]) == "conj", neg = text && arena.text_of(links[i]) == "neg";
    RESEDA_REQUIRE((conj || neg) && arena.is(links[i + 1], CellKind::kBool), Errc::kCheckpoint, context.here(),
                   ": tensor: metadata may only hold the bools 'conj' and 'neg'");
    (conj ? tensor.conjugate : tensor.negative) = arena.cells[links[i + 1]].bits != 0;
  }
  RESEDA_REQUIRE(!tensor.conjugate || c10::isComplexType(tensor.dtype), Errc::kCheckpoint, context.here(),
                 ": tensor: only complex numbers can be conjugate");
  RESEDA_REQUIRE(!tensor.negative || tensor.dtype != c10::ScalarType::Bool, Errc::kCheckpoint, context.here(),
                 ": tensor: a bool cannot be negative");
}

}  // namespace

std::uint32_t call_tensor(PickleContext& context, const std::vector<std::uint32_t>& arguments, bool with_dtype) {
  const ValueArena& arena = context.arena;
  const std::size_t least = with_dtype ? 7 : 4, most = with_dtype ? 8 : 7;
  RESEDA_REQUIRE(arguments.size() >= least && arguments.size() <= most, Errc::kCheckpoint, context.here(),
                 ": tensor from ", arguments.size(), " arguments, expected ", least, " to ", most);
  RESEDA_REQUIRE(arena.is(arguments[0], CellKind::kStorage), Errc::kCheckpoint, context.here(),
                 ": tensor needs a storage, got ", cell_kind_name(arena.cells[arguments[0]].kind));
  TensorRef tensor;
  tensor.view = arena.views[arena.cells[arguments[0]].link];
  const Storage& storage = arena.storages[tensor.view.storage];
  tensor.dtype = storage.dtype;
  if (with_dtype) {
    const Cell& dtype = arena.cells[arguments[6]];
    RESEDA_REQUIRE(dtype.kind == CellKind::kGlobal && static_cast<GlobalRole>(dtype.bits & 0xFF) == GlobalRole::kDtype,
                   Errc::kCheckpoint, context.here(), ": tensor needs a dtype, got ", cell_kind_name(dtype.kind));
    tensor.dtype = static_cast<c10::ScalarType>(dtype.bits >> 8);
    RESEDA_REQUIRE(storage.untyped || storage.dtype == tensor.dtype, Errc::kCheckpoint, context.here(), ": tensor of ",
                   c10::toString(tensor.dtype), " over a storage of ", c10::toString(storage.dtype));
  }
  tensor.offset = integer(context, arguments[1], "offset");
  tensor.sizes = integers(context, arguments[2], "size");
  tensor.strides = integers(context, arguments[3], "stride");
  RESEDA_REQUIRE(tensor.sizes.size() == tensor.strides.size(), Errc::kCheckpoint, context.here(), ": tensor with ",
                 tensor.sizes.size(), " sizes and ", tensor.strides.size(), " strides");
  check_extent(context, tensor);
  if (arguments.size() == most) read_metadata(context, arguments[most - 1], tensor);
  return context.tensor(std::move(tensor));
}

}  // namespace reseda::io
