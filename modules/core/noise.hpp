#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace reseda {

/// Names one draw. Equal keys give equal noise, whatever was drawn before.
struct DrawKey {
  std::string_view item;    ///< stable input id, e.g. the path relative to the input folder
  std::string_view stream;  ///< "prior", "predictor", "corrector", "crop", ...
  std::uint32_t step = 0;   ///< 0-based position in execution order
  std::uint64_t first = 0;  ///< index of the first element taken from this draw's infinite sequence
};

/// Four 32-bit words of Philox4x32 with 10 rounds, the counter-based generator of Salmon et al. 2011, "Parallel random
/// numbers: as easy as 1, 2, 3"; equal to Random123's known answers.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// The only source of randomness of the suite.
class NoiseSource {
 public:
  virtual ~NoiseSource() = default;
  /// Standard normal values on the CPU.
  /// @param dtype  kFloat: N(0, 1); kComplexFloat: real and imaginary part N(0, 1/2) each, total variance 1, taken from
  ///               the real sequence as (re, im) pairs (`first` then counts complex elements)
  /// @return       contiguous tensor of `shape`, element i = sequence element first + i
  virtual at::Tensor normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype = at::kFloat) = 0;
  /// Uniform values in [0, 1) as float32 on the CPU.
  virtual at::Tensor uniform(const DrawKey& key, at::IntArrayRef shape) = 0;
};

/// Philox keyed by (seed, item, stream, step), Box-Muller in double precision, rounded once to float32. Every element
/// depends on its key and index alone: the same for any batch, thread count, shard, restart or device.
/// Element pair i: counter {i low, i high, step, hash(stream)}, key = seed ^ hash(item), hash = 64- and 32-bit FNV-1a.
class CounterNoise final : public NoiseSource {
 public:
  explicit CounterNoise(std::uint64_t seed) : seed_(seed) {}
  at::Tensor normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype = at::kFloat) override;
  at::Tensor uniform(const DrawKey& key, at::IntArrayRef shape) override;
  std::uint64_t seed() const { return seed_; }

 private:
  std::uint64_t seed_;
};

/// ATen's CPU generator, drawn in call order: equals Python with the same seed, shapes and order of draws. Keys are
/// ignored, so results depend on that order.
class TorchNoise final : public NoiseSource {
 public:
  explicit TorchNoise(std::uint64_t seed);
  ~TorchNoise() override;
  at::Tensor normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype = at::kFloat) override;
  at::Tensor uniform(const DrawKey& key, at::IntArrayRef shape) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Replays recorded tensors in call order (golden cases). @throws Error{kInternal} when a draw is missing or its shape
/// or type differs.
class RecordedNoise final : public NoiseSource {
 public:
  explicit RecordedNoise(std::vector<at::Tensor> draws) : draws_(std::move(draws)) {}
  at::Tensor normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype = at::kFloat) override;
  at::Tensor uniform(const DrawKey& key, at::IntArrayRef shape) override;
  std::size_t used() const { return next_; }

 private:
  at::Tensor take(at::IntArrayRef shape, at::ScalarType dtype);
  std::vector<at::Tensor> draws_;
  std::size_t next_ = 0;
};

/// All zeros; uniform gives 0.5. For limits in which a sampler must become deterministic.
class ZeroNoise final : public NoiseSource {
 public:
  at::Tensor normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype = at::kFloat) override;
  at::Tensor uniform(const DrawKey& key, at::IntArrayRef shape) override;
};

/// Scalar draws from one key's uniform sequence, for choices made on the host (crops, mixing, augmentation).
class Chooser {
 public:
  Chooser(std::uint64_t seed, std::string_view item, std::string_view stream, std::uint32_t step);
  double uniform();                              ///< [0, 1)
  double uniform(double low, double high);       ///< [low, high)
  std::int64_t below(std::int64_t count);        ///< 0 .. count-1
  double normal();                               ///< N(0, 1)
  bool chance(double probability);

 private:
  std::array<std::uint32_t, 2> key_;
  std::uint32_t step_, stream_;
  std::uint64_t next_ = 0;
};

}  // namespace reseda
