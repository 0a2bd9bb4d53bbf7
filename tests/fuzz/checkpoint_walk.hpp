#pragma once

#include <ATen/ATen.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "io/checkpoint/checkpoint.hpp"
#include "modules/core/error.hpp"

namespace reseda::fuzz {

/// A buffer of exactly the size of the bytes, so that a sanitizer sees a read beyond it.
struct ExactCopy {
  explicit ExactCopy(std::span<const std::uint8_t> bytes) : owner(new std::byte[bytes.size()]), size(bytes.size()) {
    if (size != 0) std::memcpy(owner.get(), bytes.data(), size);
  }
  std::span<std::byte> span() const { return {owner.get(), size}; }

  std::shared_ptr<std::byte[]> owner;
  std::size_t size;
};

/// Runs a reader, which may refuse the bytes but nothing else.
template <class Function>
void may_refuse(Function&& function, Errc code = Errc::kCheckpoint) {
  try {
    function();
  } catch (const Error& error) {
    if (error.code() != code || std::strchr(error.what(), '\n') != nullptr) std::abort();
  }
}

/// Asks for everything that a value holds; of tensors up to a mebibyte each, every element.
inline void walk(const io::Value& root) {
  constexpr std::int64_t kMaxBytes = 1 << 20;
  for (const auto& [path, value] : io::flatten(root)) {
    switch (value.kind()) {
      case io::ValueKind::kText:
      case io::ValueKind::kBytes:
      case io::ValueKind::kOpaque:
        if (value.text().size() > (std::size_t{1} << 28)) std::abort();
        break;
      case io::ValueKind::kTensor:
        may_refuse([&tensor = value] {
          if (static_cast<std::int64_t>(tensor.tensor().nbytes()) <= kMaxBytes)
            tensor.tensor().clone(at::MemoryFormat::Contiguous);
        });
        break;
      default:
        break;
    }
  }
}

}  // namespace reseda::fuzz
