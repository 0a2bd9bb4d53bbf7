#pragma once

#include <cstdint>
#include <string>

#include "modules/core/error.hpp"

namespace reseda {

/// While it lives, what this thread allocates for tensors on the CPU may add up to at most `bytes`, freed ones counted
/// too. For building what an untrusted file describes: a network that is far too large ends in one clear error and
/// takes no memory. Nested limits: the inner one alone counts. Other threads are not limited.
class AllocationLimit {
 public:
  /// @param message  of the Error{code} that an allocation beyond the limit throws
  AllocationLimit(std::uint64_t bytes, Errc code, std::string message);
  ~AllocationLimit();
  AllocationLimit(const AllocationLimit&) = delete;
  AllocationLimit& operator=(const AllocationLimit&) = delete;

  std::uint64_t left() const { return left_; }
  /// @throws Error{code} if fewer bytes are left
  void take(std::uint64_t bytes);

 private:
  std::uint64_t left_;
  Errc code_;
  std::string message_;
  AllocationLimit* outer_;
};

}  // namespace reseda
