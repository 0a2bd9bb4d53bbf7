#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace reseda::test {

/// Linear congruential noise in [-1, 1): s <- (1103515245 s + 12345) mod 2^31, s / 2^30 - 1.
inline at::Tensor made_noise(std::int64_t length, std::uint64_t seed) {
  const at::Tensor out = at::empty({length}, at::kDouble);
  auto* v = out.data_ptr<double>();
  for (std::int64_t i = 0; i < length; ++i) {
    seed = (1103515245ULL * seed + 12345ULL) % 2147483648ULL;
    v[i] = static_cast<double>(seed) / 1073741824.0 - 1.0;
  }
  return out;
}

/// 24 harmonics of 140 Hz, modulated at 3 Hz, with pauses: what the recorded STOI values were computed from.
inline at::Tensor made_speech(std::int64_t length, double rate) {
  constexpr double kTwoPi = 6.283185307179586;
  const at::Tensor t = at::arange(length, at::kDouble) / rate;
  const at::Tensor envelope = 0.5 + 0.5 * at::sin(kTwoPi * 3.0 * t);
  at::Tensor x = at::zeros_like(t);
  for (int k = 1; k < 25; ++k) x = x + envelope.pow(1.0 + 0.1 * k) * at::sin(kTwoPi * 140.0 * k * t + 0.3 * k * k) / k;
  return 0.1 * x * (at::sin(kTwoPi * 0.7 * t) > -0.6).to(at::kDouble);
}

}  // namespace reseda::test
