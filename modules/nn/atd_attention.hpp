#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>

#include "modules/nn/plain_layers.hpp"

namespace reseda::nn {

/// Attention of pixels to a dictionary of M learned tokens,
///   S = softmax_m(cos(q, k_m) (1 + clip(scale_m, 0, 1) ln M)),   out = S v,   q = wq(x),  k = wk(td),  v = wv(td)
/// Names: scale [M], wq.*, wk.*, wv.*.
/// Source: Zhang et al. 2024, "Transcending the Limit of Local Window: Advanced Super-Resolution Transformer with
/// Adaptive Token Dictionary", Sec. 3. Official: LabShuHangGU/UPSR, basicsr/archs/atd_real_arch.py, ATD_CA.
class TokenDictionaryAttention : public torch::nn::Module {
 public:
  /// @param reduced  features of q and k
  TokenDictionaryAttention(std::int64_t channels, std::int64_t tokens, std::int64_t reduced);
  struct Result {
    at::Tensor mixed;       ///< [B,N,C]
    at::Tensor similarity;  ///< S, [B,N,M]
  };
  /// @param x  [B,N,C]   @param dictionary  [B,M,C]
  Result forward(const at::Tensor& x, const at::Tensor& dictionary) const;

 private:
  at::Tensor scale_;
  std::shared_ptr<PlainLinear> wq_, wk_, wv_;
};

/// Attention among pixels that are most similar to the same token of a dictionary: the pixels are sorted by their
/// token, cut into groups of `category_size` (the last one filled up with the last pixels in reverse order), and
///   out = proj(softmax(exp(min(logit_scale, ln 100)) q k^T) v)   within each group and head,
/// without the factor 1 / sqrt(C / heads). Names: logit_scale [1,1], proj.*.
/// Source and official file: as TokenDictionaryAttention; AC_MSA.
/// Quirk: the official sort is not stable, so that pixels of one token (all are tied) fall into groups by the sort's
/// implementation; here the sort is stable.
class CategoryAttention : public torch::nn::Module {
 public:
  /// @throws Error{kUsage} unless the heads divide the channels
  CategoryAttention(std::int64_t channels, std::int64_t heads, std::int64_t category_size);
  /// @param qkv         [B,N,3C]
  /// @param categories  [B,N] int64, the token of each pixel   @return [B,N,C]
  at::Tensor forward(const at::Tensor& qkv, const at::Tensor& categories) const;

 private:
  std::int64_t heads_, category_size_;
  at::Tensor logit_scale_;
  std::shared_ptr<PlainLinear> proj_;
};

}  // namespace reseda::nn
