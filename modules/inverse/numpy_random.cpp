#include "modules/inverse/numpy_random.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

constexpr std::size_t kWords = std::mt19937::state_size;

/// The state that the reference implementation's init_by_array makes of a key, in the form of a seed sequence.
class KeyedState {
 public:
  using result_type = std::uint32_t;

  explicit KeyedState(std::span<const std::uint32_t> key) {
    // The state of a fresh engine with this seed.
    state_[0] = 19650218U;
    for (std::size_t i = 1; i < kWords; ++i) state_[i] = 1812433253U * mixed(i - 1) + static_cast<std::uint32_t>(i);
    std::size_t i = 1, j = 0;
    for (std::size_t k = std::max(kWords, key.size()); k > 0; --k) {
      state_[i] = (state_[i] ^ (mixed(i - 1) * 1664525U)) + key[j] + static_cast<std::uint32_t>(j);
      advance(i);
      j = (j + 1) % key.size();
    }
    for (std::size_t k = kWords - 1; k > 0; --k) {
      state_[i] = (state_[i] ^ (mixed(i - 1) * 1566083941U)) - static_cast<std::uint32_t>(i);
      advance(i);
    }
    state_[0] = 0x80000000U;
  }

  template <class Iterator>
  void generate(Iterator begin, Iterator end) const {
    std::copy_n(state_.begin(), end - begin, begin);
  }

 private:
  std::uint32_t mixed(std::size_t i) const { return state_[i] ^ (state_[i] >> 30); }
  void advance(std::size_t& i) {
    if (++i < kWords) return;
    state_[0] = state_[kWords - 1];
    i = 1;
  }

  std::array<std::uint32_t, kWords> state_{};
};

std::mt19937 engine_of(std::span<const std::uint32_t> key) {
  RESEDA_REQUIRE(!key.empty(), Errc::kUsage, "a seed given as a sequence needs at least one number");
  KeyedState state(key);
  return std::mt19937(state);
}

}  // namespace

NumpyRandom::NumpyRandom(std::span<const std::uint32_t> key) : words_(engine_of(key)) {}

double NumpyRandom::uniform() {
  const std::uint32_t high = static_cast<std::uint32_t>(words_()) >> 5, low = static_cast<std::uint32_t>(words_()) >> 6;
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

double NumpyRandom::normal() {
  if (has_kept_) {
    has_kept_ = false;
    return kept_;
  }
  double x = 0, y = 0, square = 0;
  do {
    x = 2.0 * uniform() - 1.0;
    y = 2.0 * uniform() - 1.0;
    square = x * x + y * y;
  } while (square >= 1.0 || square == 0.0);
  const double factor = std::sqrt(-2.0 * std::log(square) / square);
  kept_ = factor * x;
  has_kept_ = true;
  return factor * y;
}

std::int64_t NumpyRandom::below(std::int64_t count) {
  RESEDA_REQUIRE(count >= 1 && count <= (std::int64_t{1} << 32), Errc::kInternal, "count must be 1 .. 2^32, got ",
                 count);
  const auto largest = static_cast<std::uint64_t>(count - 1);
  if (largest == 0) return 0;
  const std::uint64_t mask = std::bit_ceil(largest + 1) - 1;
  std::uint64_t value = 0;
  do {
    value = static_cast<std::uint64_t>(words_()) & mask;
  } while (value > largest);
  return static_cast<std::int64_t>(value);
}

}  // namespace reseda::inverse
