#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace reseda::io {

/// Numbers or text as a child process handed them over.
struct HandedArray {
  std::string name;
  std::vector<std::int64_t> shape;
  std::size_t item_bytes = 1;
  std::span<std::byte> bytes;  ///< lives as long as the Handover
};

/// What a child process handed over.
class Handover {
 public:
  ~Handover();
  const HandedArray* find(const std::string& name) const;
  std::string text(const std::string& name) const;  ///< "" where absent

 private:
  friend std::shared_ptr<Handover> run_isolated(const std::function<void(class HandoverWriter&)>&, const std::string&,
                                                const struct IsolationLimits&);
  std::vector<HandedArray> arrays_;
  std::byte* begin_ = nullptr;
  std::size_t size_ = 0;
};

/// The child's end.
class HandoverWriter {
 public:
  HandoverWriter(int memory, int table, std::uint64_t most_bytes)
      : memory_(memory), table_(table), most_bytes_(most_bytes) {}
  ~HandoverWriter();
  /// Memory for an array, zeros, which the parent sees; filled in by the caller before the child ends.
  /// @throws Error{kInput} beyond the limit
  void* add(const std::string& name, const std::vector<std::int64_t>& shape, std::size_t item_bytes);
  void add_text(const std::string& name, const std::string& text);

 private:
  int memory_, table_;
  std::uint64_t most_bytes_, end_ = 0;
};

struct IsolationLimits {
  std::uint64_t handed_bytes = std::uint64_t{1} << 34;   ///< most that is handed over
  std::uint64_t working_bytes = std::uint64_t{1} << 30;  ///< memory of the child beside that and what it was born with
  std::uint64_t cpu_seconds = 600;
};

/// Runs `work` in a child process with bounded memory and time, for libraries that may crash, hang or ask for absurd
/// memory on damaged bytes: then only the child ends. `work` must not use ATen, threads or the terminal; an Error that
/// it throws is thrown here.
/// @param name  what messages call the bytes  @throws Error{kInput}, Error{kInterrupted}
std::shared_ptr<Handover> run_isolated(const std::function<void(HandoverWriter&)>& work, const std::string& name,
                                       const IsolationLimits& limits);

}  // namespace reseda::io
