#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modules/core/noise.hpp"

namespace reseda {

/// 64 random bits per element, int64 on the CPU: words 2i and 2i + 1 are the halves of block i of the draw's Philox
/// sequence, so that every element depends on its key and index alone. A draw of words must not share its name with
/// another of normal or uniform values.
at::Tensor random_words(std::uint64_t seed, const DrawKey& key, at::IntArrayRef shape);

}  // namespace reseda
