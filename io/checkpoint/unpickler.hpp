#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/checkpoint/byte_reader.hpp"
#include "io/checkpoint/pickle_context.hpp"

namespace reseda::io {

/// Reads pickles as plain data. The instructions of a pickle build values on a stack; those that would import, call or
/// change something of Python's are given a meaning from a fixed table (pickle_globals.hpp) or refused, so nothing in a
/// file can run. No recursion; memory is bounded by the limits of pickle_context.hpp and a small multiple of the
/// pickle. Source: the description of the instructions in Python's pickletools module, protocols 0 to 5.
class Unpickler {
 public:
  /// The value that stands for a persistent id: a storage, as the container defines it.
  using PersistentLoad = std::function<std::uint32_t(PickleContext&, std::uint32_t id)>;

  /// @param opaque  keep what names outside the table make as opaque values; off: such a name is an error
  Unpickler(ValueArena& arena, bool opaque, PersistentLoad persistent_load);

  /// Reads one pickle at the start of `bytes`.
  /// @param where     what messages call it, such as "a.pt: data.pkl"
  /// @param consumed  how many bytes it took
  /// @return the cell of its value
  /// @throws Error{kCheckpoint} with `where`, the byte and what is wrong there
  std::uint32_t read(std::span<const std::byte> bytes, const std::string& where, std::size_t& consumed);

  const std::set<std::string>& globals() const { return globals_; }  ///< every name met, as module.Name
  const std::set<std::string>& refused() const { return refused_; }  ///< those outside the table

 private:
  bool run_number(std::uint8_t code, ByteReader& in);
  bool run_text(std::uint8_t code, ByteReader& in);
  bool run_container(std::uint8_t code);
  bool run_stack(std::uint8_t code, ByteReader& in);
  bool run_object(std::uint8_t code, ByteReader& in);
  [[noreturn]] void refuse(std::uint8_t code, ByteReader& in) const;

  void push(std::uint32_t cell);
  std::uint32_t pop();
  std::uint32_t top() const;
  /// Everything above the last mark, which goes too.
  std::vector<std::uint32_t> pop_to_mark();
  std::vector<std::uint32_t> pop_count(std::size_t count);
  void push_big_integer(std::span<const std::byte> bytes);
  void push_integer_text(std::string_view digits);
  void push_string(std::string text);
  void push_text(std::string_view text);
  void store(std::uint64_t slot);
  void fetch(std::uint64_t slot);
  void push_global(std::string_view module, std::string_view name);
  void append(std::uint32_t target, const std::vector<std::uint32_t>& items, CellKind kind);
  void set_items(std::uint32_t target, const std::vector<std::uint32_t>& items);

  PickleContext context_;
  bool opaque_;
  PersistentLoad persistent_load_;
  std::uint32_t true_, false_, empty_tuple_;
  std::vector<std::uint32_t> stack_;
  std::vector<std::size_t> marks_;
  static constexpr std::uint32_t kUnset = 0xFFFFFFFF;
  std::vector<std::uint32_t> memo_;                  ///< by slot
  std::map<std::uint64_t, std::uint32_t> far_memo_;  ///< slots far beyond the others
  std::size_t filled_ = 0;                           ///< slots of both
  std::map<std::string, std::uint32_t> named_;       // cells of globals
  std::set<std::string> globals_, refused_;
};

}  // namespace reseda::io
