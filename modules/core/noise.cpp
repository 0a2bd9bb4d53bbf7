#include "modules/core/noise.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <numbers>

#include "modules/core/error.hpp"
#include "modules/core/parallel.hpp"
#include "modules/core/philox_stream.hpp"

namespace reseda {
namespace {

/// 53 random bits as a double in [0, 1).
double unit(std::uint32_t low, std::uint32_t high) {
  return static_cast<double>(((static_cast<std::uint64_t>(high) << 32) | low) >> 11) * 0x1.0p-53;
}

/// Two independent N(0, 1) values (Box and Muller 1958).
std::array<double, 2> normal_pair(const std::array<std::uint32_t, 4>& block) {
  const double u = 1.0 - unit(block[0], block[1]), v = unit(block[2], block[3]);
  const double radius = std::sqrt(-2.0 * std::log(u)), angle = 2.0 * std::numbers::pi * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

void require_dtype(at::ScalarType dtype) { RESEDA_INVARIANT(dtype == at::kFloat || dtype == at::kComplexFloat); }

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = 0xD2511F53ULL * c[0], p1 = 0xCD9E8D57ULL * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ key[0], static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return c;
}

at::Tensor CounterNoise::normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype) {
  require_dtype(dtype);
  at::Tensor out = at::empty(shape, at::TensorOptions().dtype(dtype));
  const bool complex = dtype == at::kComplexFloat;
  const std::int64_t count = out.numel() * (complex ? 2 : 1);
  const std::uint64_t first = key.first * (complex ? 2 : 1);
  auto* values = static_cast<float*>(out.data_ptr());
  const PhiloxStream stream = philox_stream(seed_, key.item, key.stream, key.step);
  const double scale = complex ? std::sqrt(0.5) : 1.0;
  parallel_for(0, count, 1 << 14, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end;) {
      const std::uint64_t index = first + static_cast<std::uint64_t>(i);
      const auto pair = normal_pair(stream.block(index / 2));
      std::uint64_t lane = index % 2;
      for (; lane < 2 && i < end; ++lane, ++i) values[i] = static_cast<float>(scale * pair[lane]);
    }
  });
  return out;
}

at::Tensor CounterNoise::uniform(const DrawKey& key, at::IntArrayRef shape) {
  at::Tensor out = at::empty(shape, at::TensorOptions().dtype(at::kFloat));
  auto* values = out.data_ptr<float>();
  const PhiloxStream stream = philox_stream(seed_, key.item, key.stream, key.step);
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    const std::uint64_t index = key.first + static_cast<std::uint64_t>(i);
    // 24 bits are what float32 holds below 1.
    values[i] = static_cast<float>(stream.block(index / 4)[index % 4] >> 8) * 0x1.0p-24F;
  }
  return out;
}

struct TorchNoise::State {
  at::Generator generator;
};

TorchNoise::TorchNoise(std::uint64_t seed)
    : state_(std::make_unique<State>(State{at::make_generator<at::CPUGeneratorImpl>(seed)})) {}
TorchNoise::~TorchNoise() = default;

at::Tensor TorchNoise::normal(const DrawKey&, at::IntArrayRef shape, at::ScalarType dtype) {
  require_dtype(dtype);
  return at::randn(shape, state_->generator, at::TensorOptions().dtype(dtype));
}

at::Tensor TorchNoise::uniform(const DrawKey&, at::IntArrayRef shape) {
  return at::rand(shape, state_->generator, at::TensorOptions().dtype(at::kFloat));
}

at::Tensor RecordedNoise::take(at::IntArrayRef shape, at::ScalarType dtype) {
  RESEDA_REQUIRE(next_ < draws_.size(), Errc::kInternal, "recorded noise: draw ", next_, " was asked for, only ",
                 draws_.size(), " are recorded");
  const at::Tensor& draw = draws_[next_++];
  RESEDA_REQUIRE(draw.sizes() == shape && draw.scalar_type() == dtype, Errc::kInternal, "recorded noise: draw ",
                 next_ - 1, " is ", draw.toString(), " ", draw.sizes(), ", asked for ", shape);
  return draw;
}

at::Tensor RecordedNoise::normal(const DrawKey&, at::IntArrayRef shape, at::ScalarType dtype) {
  return take(shape, dtype);
}
at::Tensor RecordedNoise::uniform(const DrawKey&, at::IntArrayRef shape) { return take(shape, at::kFloat); }

at::Tensor ZeroNoise::normal(const DrawKey&, at::IntArrayRef shape, at::ScalarType dtype) {
  return at::zeros(shape, at::TensorOptions().dtype(dtype));
}
at::Tensor ZeroNoise::uniform(const DrawKey&, at::IntArrayRef shape) {
  return at::full(shape, 0.5, at::TensorOptions().dtype(at::kFloat));
}

Chooser::Chooser(std::uint64_t seed, std::string_view item, std::string_view stream, std::uint32_t step)
    : key_(philox_stream(seed, item, stream, step).key), step_(step), stream_(fnv1a_32(stream)) {}

double Chooser::uniform() {
  const auto block = PhiloxStream{key_, step_, stream_}.block(next_ / 2);
  const std::size_t lane = 2 * (next_++ % 2);
  return unit(block[lane], block[lane + 1]);
}

double Chooser::uniform(double low, double high) { return low + (high - low) * uniform(); }

std::int64_t Chooser::below(std::int64_t count) {
  RESEDA_INVARIANT(count > 0);
  return std::min<std::int64_t>(count - 1, static_cast<std::int64_t>(uniform() * static_cast<double>(count)));
}

double Chooser::normal() {
  const double u = 1.0 - uniform(), v = uniform();
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

bool Chooser::chance(double probability) { return uniform() < probability; }

}  // namespace reseda
