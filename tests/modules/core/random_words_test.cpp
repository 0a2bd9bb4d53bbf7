#include "modules/core/random_words.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "modules/core/philox_stream.hpp"

namespace reseda::tests {
namespace {

TEST(RandomWords, AreTheHalvesOfPhiloxBlocks) {
  const PhiloxStream stream = philox_stream(42, "a", "selection", 3);
  const at::Tensor words = random_words(42, {"a", "selection", 3}, {4});
  for (std::uint64_t i = 0; i < 4; ++i) {
    const auto block = stream.block(i / 2);
    const std::uint64_t expected = static_cast<std::uint64_t>(block[2 * (i % 2) + 1]) << 32 | block[2 * (i % 2)];
    EXPECT_EQ(static_cast<std::uint64_t>(words[static_cast<std::int64_t>(i)].item<std::int64_t>()), expected);
  }
}

TEST(RandomWords, AreOneSequenceWhereverItIsCut) {
  const at::Tensor all = random_words(1, {"a", "selection"}, {50000});
  const at::Tensor tail = random_words(1, {"a", "selection", 0, 12345}, {1000});
  EXPECT_TRUE(at::equal(tail, all.slice(0, 12345, 13345)));
  EXPECT_FALSE(at::equal(random_words(2, {"a", "selection"}, {100}), all.slice(0, 0, 100)));
}

}  // namespace
}  // namespace reseda::tests
