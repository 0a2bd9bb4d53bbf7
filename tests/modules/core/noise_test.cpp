#include "modules/core/noise.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <set>

#include "tests/support/expect_error.hpp"

namespace reseda {
namespace {

using Words = std::array<std::uint32_t, 4>;
using tests::expect_error;

// Known answers of Random123 for philox4x32 with 10 rounds (Salmon et al. 2011): counter, key, result.
TEST(Philox, EqualsRandom123KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

/// FNV-1a as published (Fowler, Noll, Vo), written here a second time to pin the key derivation.
std::uint64_t fnv64(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}
std::uint32_t fnv32(std::string_view text) {
  std::uint32_t hash = 2166136261U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

TEST(CounterNoise, FollowsTheDocumentedFormula) {
  const std::uint64_t key = 42 ^ fnv64("a.wav");
  const Words block =
      philox4x32({1, 0, 3, fnv32("prior")}, {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)});
  const auto unit = [](std::uint32_t low, std::uint32_t high) {
    return static_cast<double>((static_cast<std::uint64_t>(high) << 32 | low) >> 11) / 9007199254740992.0;
  };
  const double u = 1.0 - unit(block[0], block[1]), v = unit(block[2], block[3]), r = std::sqrt(-2.0 * std::log(u));
  const at::Tensor got = CounterNoise(42).normal({"a.wav", "prior", 3}, {4});
  EXPECT_EQ(got[2].item<float>(), static_cast<float>(r * std::cos(2 * std::numbers::pi * v)));
  EXPECT_EQ(got[3].item<float>(), static_cast<float>(r * std::sin(2 * std::numbers::pi * v)));
}

TEST(CounterNoise, DependsOnEveryPartOfTheKey) {
  CounterNoise noise(0), other(1);
  std::set<float> firsts;
  for (const DrawKey& key : {DrawKey{"a", "s"}, DrawKey{"b", "s"}, DrawKey{"a", "t"}, DrawKey{"a", "s", 1}})
    firsts.insert(noise.normal(key, {1}).item<float>());
  firsts.insert(other.normal({"a", "s"}, {1}).item<float>());
  EXPECT_EQ(firsts.size(), 5U);
}

TEST(CounterNoise, IsOneSequenceWhateverShapePrefixOrStart) {
  CounterNoise noise(7);
  const at::Tensor whole = noise.normal({"i", "s"}, {40000});
  EXPECT_TRUE(at::equal(noise.normal({"i", "s"}, {200, 200}).flatten(), whole));
  EXPECT_TRUE(at::equal(noise.normal({"i", "s"}, {17}), whole.slice(0, 0, 17)));
  for (const std::int64_t first : {1, 2, 33, 16385})
    EXPECT_TRUE(at::equal(noise.normal({"i", "s", 0, static_cast<std::uint64_t>(first)}, {101}),
                          whole.slice(0, first, first + 101)));
  const at::Tensor uniform = noise.uniform({"i", "s"}, {50});
  EXPECT_TRUE(at::equal(noise.uniform({"i", "s", 0, 13}, {20}), uniform.slice(0, 13, 33)));
}

TEST(CounterNoise, ComplexPairsHaveTotalVarianceOne) {
  CounterNoise noise(7);
  const at::Tensor real = noise.normal({"i", "s"}, {40000});
  const at::Tensor complex = noise.normal({"i", "s"}, {20000}, at::kComplexFloat);
  EXPECT_TRUE(at::allclose(at::view_as_real(complex).flatten(), real * std::sqrt(0.5), 1e-6, 1e-7));
  EXPECT_TRUE(at::equal(at::view_as_real(noise.normal({"i", "s", 0, 5}, {9}, at::kComplexFloat)),
                        at::view_as_real(complex.slice(0, 5, 14))));
}

TEST(CounterNoise, HasTheMomentsOfAStandardNormal) {
  const at::Tensor x = CounterNoise(3).normal({"i", "s"}, {400000}).to(at::kDouble);
  EXPECT_NEAR(x.mean().item<double>(), 0.0, 5.0 / std::sqrt(400000.0));
  EXPECT_NEAR(x.pow(2).mean().item<double>(), 1.0, 5.0 * std::sqrt(2.0 / 400000.0));
  EXPECT_NEAR(x.pow(3).mean().item<double>(), 0.0, 5.0 * std::sqrt(15.0 / 400000.0));
  EXPECT_NEAR(x.pow(4).mean().item<double>(), 3.0, 5.0 * std::sqrt(96.0 / 400000.0));
  const at::Tensor u = CounterNoise(3).uniform({"i", "s"}, {100000});
  EXPECT_GE(u.min().item<float>(), 0.0F);
  EXPECT_LT(u.max().item<float>(), 1.0F);
  EXPECT_NEAR(u.mean().item<double>(), 0.5, 5.0 * std::sqrt(1.0 / 12.0 / 100000.0));
}

// Python: torch.manual_seed(0); torch.randn(2) / torch.randn(20), the values of ecosystem.md's table.
TEST(TorchNoise, EqualsTheSequentialGeneratorOfAten) {
  const at::Tensor few = TorchNoise(0).normal({"", ""}, {2});
  EXPECT_NEAR(few[0].item<float>(), 1.5410F, 5e-5);
  EXPECT_NEAR(few[1].item<float>(), -0.2934F, 5e-5);
  const at::Tensor many = TorchNoise(0).normal({"", ""}, {20});
  EXPECT_NEAR(many[0].item<float>(), -1.1258F, 5e-5);
  EXPECT_NEAR(many[1].item<float>(), -1.1524F, 5e-5);
  TorchNoise sequential(0);
  sequential.normal({"", ""}, {2});
  EXPECT_FALSE(at::equal(sequential.normal({"", ""}, {2}), few));
}

TEST(RecordedNoise, ReplaysInOrderAndRefusesWhatDiffers) {
  RecordedNoise noise({at::ones({2}), at::zeros({3})});
  EXPECT_TRUE(at::equal(noise.normal({"", ""}, {2}), at::ones({2})));
  expect_error(Errc::kInternal, "recorded noise: draw 1 is", [&] { noise.normal({"", ""}, {4}); });
  expect_error(Errc::kInternal, "only 2 are recorded", [&] { noise.normal({"", ""}, {1}); });
  EXPECT_EQ(noise.used(), 2U);
}

TEST(ZeroNoise, IsZeroAndOneHalf) {
  ZeroNoise noise;
  EXPECT_TRUE(at::equal(noise.normal({"", ""}, {3}), at::zeros({3})));
  EXPECT_EQ(noise.normal({"", ""}, {3}, at::kComplexFloat).scalar_type(), at::kComplexFloat);
  EXPECT_TRUE(at::equal(noise.uniform({"", ""}, {3}), at::full({3}, 0.5F)));
}

TEST(Chooser, DrawsFromItsKeyAlone) {
  Chooser a(1, "item", "crop", 0), b(1, "item", "crop", 0), c(1, "item", "crop", 1);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(a.uniform(), b.uniform());
  EXPECT_NE(Chooser(1, "item", "crop", 0).uniform(), c.uniform());
  Chooser d(2, "item", "mix", 0);
  std::set<std::int64_t> seen;
  double sum = 0, squares = 0;
  for (int i = 0; i < 2000; ++i) {
    const double x = d.uniform(-2, 3);
    EXPECT_GE(x, -2);
    EXPECT_LT(x, 3);
    seen.insert(d.below(5));
    const double z = d.normal();
    sum += z;
    squares += z * z;
  }
  EXPECT_EQ(seen, (std::set<std::int64_t>{0, 1, 2, 3, 4}));
  EXPECT_NEAR(sum / 2000, 0, 0.12);
  EXPECT_NEAR(squares / 2000, 1, 0.16);
  EXPECT_FALSE(d.chance(0));
  EXPECT_TRUE(d.chance(1));
}

}  // namespace
}  // namespace reseda
