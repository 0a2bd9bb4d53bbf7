#include "io/checkpoint/unpickler.hpp"

#include <bit>
#include <charconv>
#include <utility>

#include "io/checkpoint/pickle_globals.hpp"
#include "io/checkpoint/pickle_text.hpp"
#include "io/checkpoint/safetensors_header.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::size_t kMaxMarks = 4 * kMaxPickleDepth;
constexpr std::size_t kMaxNumberBytes = 512;  // of a number written in decimal
constexpr std::size_t kMaxProtocol = 5;

std::string hexadecimal(std::uint8_t code) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  return std::string("0x") + kDigits[code >> 4] + kDigits[code & 15];
}

}  // namespace

Unpickler::Unpickler(ValueArena& arena, bool opaque, PersistentLoad persistent_load)
    : context_(arena),
      opaque_(opaque),
      persistent_load_(std::move(persistent_load)),
      true_(arena.add(CellKind::kBool, 0, 1)),
      false_(arena.add(CellKind::kBool, 0, 0)),
      empty_tuple_(arena.add(CellKind::kTuple)) {}

std::uint32_t Unpickler::read(std::span<const std::byte> bytes, const std::string& where, std::size_t& consumed) {
  constexpr std::uint8_t kStop = '.';
  context_.where = where;
  stack_.clear();
  marks_.clear();
  memo_.clear();
  far_memo_.clear();
  filled_ = 0;
  ByteReader in(bytes.first(std::min(bytes.size(), kMaxPickleBytes)), where);
  while (true) {
    context_.position = in.position();
    RESEDA_REQUIRE(in.left() > 0, Errc::kCheckpoint, context_.here(), ": the pickle does not end",
                   bytes.size() > kMaxPickleBytes ? " within its limit of 256 MiB" : " (truncated?)");
    const auto code = static_cast<std::uint8_t>(in.number(1));
    if (code == kStop) break;
    const bool known = run_number(code, in) || run_text(code, in) || run_container(code) || run_stack(code, in) ||
                       run_object(code, in);
    if (!known) refuse(code, in);
  }
  const std::uint32_t root = pop();
  RESEDA_REQUIRE(stack_.empty() && marks_.empty(), Errc::kCheckpoint, context_.here(),
                 ": the pickle ends with values left over");
  check_values(context_, root);
  consumed = in.position();
  return root;
}

bool Unpickler::run_number(std::uint8_t code, ByteReader& in) {
  const auto integer = [this](std::int64_t value) {
    push(context_.add(CellKind::kInteger, 0, static_cast<std::uint64_t>(value)));
  };
  switch (code) {
    case 'N':
      push(0);
      return true;  // NONE
    case 0x88:
      push(true_);
      return true;  // NEWTRUE
    case 0x89:
      push(false_);
      return true;  // NEWFALSE
    case 'K':
      integer(static_cast<std::int64_t>(in.number(1)));
      return true;  // BININT1
    case 'M':
      integer(static_cast<std::int64_t>(in.number(2)));
      return true;  // BININT2
    case 'J':
      integer(static_cast<std::int32_t>(static_cast<std::uint32_t>(in.number(4))));
      return true;  // BININT
    case 0x8a:
      push_big_integer(in.take(in.number(1)));
      return true;  // LONG1
    case 0x8b:
      push_big_integer(in.take(in.number(4)));
      return true;  // LONG4
    case 'I': {     // INT
      const std::string_view line = in.line(kMaxNumberBytes);
      if (line == "00" || line == "01") {
        push(line == "01" ? true_ : false_);
      } else {
        push_integer_text(line);
      }
      return true;
    }
    case 'L': {  // LONG
      std::string_view line = in.line(kMaxNumberBytes);
      if (line.ends_with('L')) line.remove_suffix(1);
      push_integer_text(line);
      return true;
    }
    case 'F': {  // FLOAT
      const std::string_view line = in.line(kMaxNumberBytes);
      double value = 0;
      const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), value);
      RESEDA_REQUIRE(error == std::errc() && stop == line.data() + line.size(), Errc::kCheckpoint, context_.here(),
                     ": not a number: ", quoted_name(line));
      push(context_.add(CellKind::kFloat, 0, std::bit_cast<std::uint64_t>(value)));
      return true;
    }
    case 'G':  // BINFLOAT, big endian
      push(context_.add(CellKind::kFloat, 0, __builtin_bswap64(in.number(8))));
      return true;
    default:
      return false;
  }
}

bool Unpickler::run_text(std::uint8_t code, ByteReader& in) {
  const auto text = [&](std::size_t width) { push_text(in.text(in.number(width))); };
  const auto bytes = [&](std::size_t width) {
    push(context_.text(CellKind::kBytes, std::string(in.text(in.number(width)))));
  };
  switch (code) {
    case 0x8c:
      text(1);
      return true;  // SHORT_BINUNICODE
    case 'X':
      text(4);
      return true;  // BINUNICODE
    case 0x8d:
      text(8);
      return true;  // BINUNICODE8
    case 'C':
      bytes(1);
      return true;  // SHORT_BINBYTES
    case 'B':
      bytes(4);
      return true;  // BINBYTES
    case 0x8e:      // BINBYTES8
    case 0x96:
      bytes(8);
      return true;  // BYTEARRAY8
    case 'U':
      push_string(std::string(in.text(in.number(1))));
      return true;  // SHORT_BINSTRING
    case 'T':
      push_string(std::string(in.text(in.number(4))));
      return true;  // BINSTRING
    case 'S':       // STRING
    case 'V': {     // UNICODE
      const std::string_view line = in.line(kMaxPickleTextBytes);
      auto value = code == 'S' ? unquote(line) : raw_unicode(line);
      RESEDA_REQUIRE(value.has_value(), Errc::kCheckpoint, context_.here(), ": text with broken quotes or escapes");
      push_string(std::move(*value));
      return true;
    }
    default:
      return false;
  }
}

bool Unpickler::run_container(std::uint8_t code) {
  const auto tuple = [this](std::size_t count) { push(context_.container(CellKind::kTuple, pop_count(count))); };
  switch (code) {
    case ')':
      push(empty_tuple_);
      return true;  // EMPTY_TUPLE
    case 0x85:
      tuple(1);
      return true;  // TUPLE1
    case 0x86:
      tuple(2);
      return true;  // TUPLE2
    case 0x87:
      tuple(3);
      return true;  // TUPLE3
    case 't':
      push(context_.container(CellKind::kTuple, pop_to_mark()));
      return true;  // TUPLE
    case ']':
      push(context_.add(CellKind::kList));
      return true;  // EMPTY_LIST
    case 'l':
      push(context_.container(CellKind::kList, pop_to_mark()));
      return true;  // LIST
    case '}':
      push(context_.add(CellKind::kDict));
      return true;  // EMPTY_DICT
    case 0x8f:
      push(context_.add(CellKind::kSet));
      return true;  // EMPTY_SET
    case 0x91:
      push(context_.container(CellKind::kSet, pop_to_mark()));
      return true;  // FROZENSET
    case 'd': {     // DICT
      const auto items = pop_to_mark();
      push(context_.add(CellKind::kDict));
      set_items(top(), items);
      return true;
    }
    case 'a': {  // APPEND
      const auto items = pop_count(1);
      append(top(), items, CellKind::kList);
      return true;
    }
    case 'e':     // APPENDS
    case 0x90: {  // ADDITEMS
      const auto items = pop_to_mark();
      append(top(), items, code == 'e' ? CellKind::kList : CellKind::kSet);
      return true;
    }
    case 's': {  // SETITEM
      const auto items = pop_count(2);
      set_items(top(), items);
      return true;
    }
    case 'u': {  // SETITEMS
      const auto items = pop_to_mark();
      set_items(top(), items);
      return true;
    }
    default:
      return false;
  }
}

bool Unpickler::run_stack(std::uint8_t code, ByteReader& in) {
  const auto slot_of_line = [&] {
    const std::string_view line = in.line(kMaxNumberBytes);
    std::uint64_t slot = 0;
    const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), slot);
    RESEDA_REQUIRE(error == std::errc() && stop == line.data() + line.size(), Errc::kCheckpoint, context_.here(),
                   ": not a memo slot: ", quoted_name(line));
    return slot;
  };
  switch (code) {
    case '(':  // MARK
      RESEDA_REQUIRE(marks_.size() < kMaxMarks, Errc::kCheckpoint, context_.here(), ": nested too deep (more than ",
                     kMaxMarks, " marks)");
      marks_.push_back(stack_.size());
      return true;
    case '0':  // POP, of a mark too
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return true;
    case '1':
      pop_to_mark();
      return true;  // POP_MARK
    case '2':
      push(top());
      return true;  // DUP
    case 'g':
      fetch(slot_of_line());
      return true;  // GET
    case 'h':
      fetch(in.number(1));
      return true;  // BINGET
    case 'j':
      fetch(in.number(4));
      return true;  // LONG_BINGET
    case 'p':
      store(slot_of_line());
      return true;  // PUT
    case 'q':
      store(in.number(1));
      return true;  // BINPUT
    case 'r':
      store(in.number(4));
      return true;  // LONG_BINPUT
    case 0x94:
      store(filled_);
      return true;  // MEMOIZE
    case 0x80: {    // PROTO
      const std::uint64_t protocol = in.number(1);
      RESEDA_REQUIRE(protocol <= kMaxProtocol, Errc::kCheckpoint, context_.here(), ": pickle protocol ", protocol,
                     ", expected at most ", kMaxProtocol);
      return true;
    }
    case 0x95: {  // FRAME
      const std::uint64_t length = in.number(8);
      RESEDA_REQUIRE(length <= in.left(), Errc::kCheckpoint, context_.here(), ": frame of ", length,
                     " bytes, there are ", in.left(), " (truncated?)");
      return true;
    }
    default:
      return false;
  }
}

bool Unpickler::run_object(std::uint8_t code, ByteReader& in) {
  switch (code) {
    case 'c': {  // GLOBAL
      const std::string_view module = in.line(kMaxPickleNameBytes), name = in.line(kMaxPickleNameBytes);
      push_global(module, name);
      return true;
    }
    case 0x93: {  // STACK_GLOBAL
      const auto names = pop_count(2);
      const ValueArena& arena = context_.arena;
      RESEDA_REQUIRE(arena.is(names[0], CellKind::kText) && arena.is(names[1], CellKind::kText), Errc::kCheckpoint,
                     context_.here(), ": a name must be two texts");
      const std::string module = arena.text_of(names[0]), name = arena.text_of(names[1]);
      push_global(module, name);
      return true;
    }
    case 'Q':
      push(persistent_load_(context_, pop()));
      return true;  // BINPERSID
    case 'R': {     // REDUCE
      const auto parts = pop_count(2);
      push(call_global(context_, parts[0], parts[1]));
      return true;
    }
    case 0x81:    // NEWOBJ
    case 0x92: {  // NEWOBJ_EX
      const auto parts = pop_count(code == 0x81 ? 2 : 3);
      const std::uint32_t made = call_global(context_, parts[0], parts[1]);
      if (parts.size() == 3) {
        RESEDA_REQUIRE(context_.arena.is(parts[2], CellKind::kDict), Errc::kCheckpoint, context_.here(),
                       ": named arguments must be a dict");
        if (context_.arena.is(made, CellKind::kObject)) build_state(context_, made, parts[2]);
      }
      push(made);
      return true;
    }
    case 'b': {  // BUILD
      const std::uint32_t state = pop();
      build_state(context_, top(), state);
      return true;
    }
    default:
      return false;
  }
}

void Unpickler::refuse(std::uint8_t code, ByteReader& in) const {
  const std::string here = context_.here();
  switch (code) {
    case 'i': {
      const std::string_view module = in.line(kMaxPickleNameBytes), name = in.line(kMaxPickleNameBytes);
      detail::raise(Errc::kCheckpoint, here, ": instruction INST would make ",
                    quoted_name(std::string(module) + "." + std::string(name)), ": refused, nothing was run");
    }
    case 'o':
      detail::raise(Errc::kCheckpoint, here, ": instruction OBJ would make an object: refused, nothing was run");
    case 0x82:
    case 0x83:
    case 0x84:
      detail::raise(Errc::kCheckpoint, here, ": instruction EXT names a registered extension: refused");
    case 'P':
      detail::raise(Errc::kCheckpoint, here, ": instruction PERSID is not used by torch files: refused");
    case 0x97:
    case 0x98:
      detail::raise(Errc::kCheckpoint, here, ": instruction for out-of-band buffers: refused");
    default:
      detail::raise(Errc::kCheckpoint, here, ": unknown pickle instruction ", hexadecimal(code));
  }
}

}  // namespace reseda::io
