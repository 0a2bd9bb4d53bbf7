#include "modules/nn/atd_attention.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::nn {
namespace {

constexpr double kSmallestNorm = 1e-12;
const double kLargestLogit = std::log(100.0);

at::Tensor unit_length(const at::Tensor& x) { return x / x.norm(2, -1, true).clamp_min(kSmallestNorm); }

/// Rows of [B,N,C] in the order of indices [B,N].
at::Tensor reordered(const at::Tensor& rows, const at::Tensor& indices) {
  return rows.gather(1, indices.unsqueeze(-1).expand({-1, -1, rows.size(2)}));
}

at::Tensor inverse_of(const at::Tensor& order) {
  return at::empty_like(order).scatter_(1, order, at::arange(order.size(1), order.options()).expand_as(order));
}

}  // namespace

TokenDictionaryAttention::TokenDictionaryAttention(std::int64_t channels, std::int64_t tokens, std::int64_t reduced) {
  scale_ = register_parameter("scale", at::full({tokens}, 0.5));
  wq_ = register_module("wq", std::make_shared<PlainLinear>(channels, reduced));
  wk_ = register_module("wk", std::make_shared<PlainLinear>(channels, reduced));
  wv_ = register_module("wv", std::make_shared<PlainLinear>(channels, channels));
}

TokenDictionaryAttention::Result TokenDictionaryAttention::forward(const at::Tensor& x,
                                                                   const at::Tensor& dictionary) const {
  const at::Tensor q = unit_length(wq_->forward(x)), k = unit_length(wk_->forward(dictionary));
  const double most = std::log(static_cast<double>(scale_.size(0)));
  const at::Tensor similarity = (at::matmul(q, k.transpose(1, 2)) * (scale_.clamp(0, 1) * most + 1)).softmax(-1);
  return {at::matmul(similarity, wv_->forward(dictionary)), similarity};
}

CategoryAttention::CategoryAttention(std::int64_t channels, std::int64_t heads, std::int64_t category_size)
    : heads_(heads), category_size_(category_size) {
  RESEDA_REQUIRE(heads >= 1 && channels % heads == 0, Errc::kUsage, "attention over ", channels,
                 " channels cannot have ", heads, " heads");
  logit_scale_ = register_parameter("logit_scale", at::full({1, 1}, std::log(10.0)));
  proj_ = register_module("proj", std::make_shared<PlainLinear>(channels, channels));
}

at::Tensor CategoryAttention::forward(const at::Tensor& qkv, const at::Tensor& categories) const {
  const std::int64_t batch = qkv.size(0), count = qkv.size(1), channels = qkv.size(2) / 3;
  const std::int64_t size = std::min(count, category_size_), groups = (count + size - 1) / size;
  const at::Tensor order = std::get<1>(at::sort(categories, /*stable=*/std::optional<bool>(true), 1, false));
  at::Tensor sorted = reordered(qkv, order);
  if (const std::int64_t missing = groups * size - count; missing > 0)
    sorted = at::cat({sorted, sorted.narrow(1, count - missing, missing).flip(1)}, 1);
  const at::Tensor parts = sorted.view({batch * groups, size, 3, heads_, channels / heads_}).permute({2, 0, 3, 1, 4});
  const at::Tensor scale = logit_scale_.clamp_max(kLargestLogit).exp();
  const at::Tensor mixed =
      at::scaled_dot_product_attention(parts[0] * scale, parts[1], parts[2], {}, 0.0, false, /*scale=*/1.0);
  const at::Tensor rows = mixed.transpose(1, 2).reshape({batch, groups * size, channels}).narrow(1, 0, count);
  return proj_->forward(reordered(rows, inverse_of(order)));
}

}  // namespace reseda::nn
