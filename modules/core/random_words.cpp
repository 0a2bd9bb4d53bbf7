#include "modules/core/random_words.hpp"

#include <ATen/ops/empty.h>

#include "modules/core/parallel.hpp"
#include "modules/core/philox_stream.hpp"

namespace reseda {

at::Tensor random_words(std::uint64_t seed, const DrawKey& key, at::IntArrayRef shape) {
  at::Tensor out = at::empty(shape, at::TensorOptions().dtype(at::kLong));
  auto* values = out.data_ptr<std::int64_t>();
  const PhiloxStream stream = philox_stream(seed, key.item, key.stream, key.step);
  parallel_for(0, out.numel(), 1 << 14, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end;) {
      const std::uint64_t index = key.first + static_cast<std::uint64_t>(i);
      const auto block = stream.block(index / 2);
      for (std::uint64_t lane = index % 2; lane < 2 && i < end; ++lane, ++i) {
        const std::uint64_t word = static_cast<std::uint64_t>(block[2 * lane + 1]) << 32 | block[2 * lane];
        values[i] = static_cast<std::int64_t>(word);
      }
    }
  });
  return out;
}

}  // namespace reseda
