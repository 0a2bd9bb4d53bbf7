#include "modules/nn/vector_quantizer.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace reseda::nn {
namespace {

constexpr std::int64_t kDistancesAtATime = std::int64_t{1} << 20;  // what fits a processor's cache

}  // namespace

VectorQuantizer::VectorQuantizer(std::int64_t codes, std::int64_t channels) {
  const double bound = 1 / static_cast<double>(codes);
  const auto embedding = register_module("embedding", std::make_shared<torch::nn::Module>("Embedding"));
  table_ = embedding->register_parameter("weight", at::empty({codes, channels}, at::kFloat).uniform_(-bound, bound));
}

at::Tensor VectorQuantizer::nearest(const at::Tensor& pixels) const {
  const at::NoGradGuard no_grad;
  const at::Tensor transposed = table_.t(), lengths = table_.square().sum(1);
  const std::int64_t count = pixels.size(0), most = std::max<std::int64_t>(1, kDistancesAtATime / table_.size(0));
  // Results that were kept one by one would keep the freed distances between them from being used again.
  const at::Tensor found = at::empty({count}, pixels.options().dtype(at::kLong));
  for (std::int64_t start = 0; start < count; start += most) {
    const at::Tensor some = pixels.slice(0, start, start + most);
    at::Tensor distance = some.square().sum(1, /*keepdim=*/true) + lengths;
    found.slice(0, start, start + most).copy_(distance.sub_(at::mm(some, transposed), /*alpha=*/2).argmin(1));
  }
  return found;
}

at::Tensor VectorQuantizer::codes(const at::Tensor& indices) const {
  return at::embedding(table_, indices).permute({0, 3, 1, 2});
}

Quantised VectorQuantizer::forward(const at::Tensor& z) const {
  const at::Tensor pixels = z.permute({0, 2, 3, 1}).reshape({-1, z.size(1)});
  const at::Tensor indices = nearest(pixels).view({z.size(0), z.size(2), z.size(3)});
  return {z + (codes(indices) - z).detach(), indices};
}

}  // namespace reseda::nn
