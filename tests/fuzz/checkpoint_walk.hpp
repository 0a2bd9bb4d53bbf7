#pragma once

#include <ATen/ATen.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "io/checkpoint/checkpoint.hpp"
#include "modules/core/error.hpp"

namespace reseda::fuzz {

/// A buffer of exactly this size, so that a sanitizer sees a read beyond it.
inline std::pair<std::shared_ptr<std::byte[]>, std::span<std::byte>> exact_copy(std::span<const std::uint8_t> bytes) {
  std::shared_ptr<std::byte[]> copy(new std::byte[bytes.size()]);
  if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
  const std::span<std::byte> span{copy.get(), bytes.size()};
  return {std::move(copy), span};
}

/// Runs a reader, which may refuse the bytes but nothing else.
template <class Function>
void may_refuse(Function&& function) {
  try {
    function();
  } catch (const Error& error) {
    if (error.code() != Errc::kCheckpoint || std::strchr(error.what(), '\n') != nullptr) std::abort();
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
