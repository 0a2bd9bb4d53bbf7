#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace reseda::train {

struct SmoothingLossConfig {
  std::string form = "default";
  double lambda = 10;
  double eta = 0.5;
  std::int64_t copies = 2;
  template <class V>
  void fields(V& v) {
    v("form", form, "default (lambda KL + eta H), kl, xent or mse; the others have no entropy");
    v("lambda", lambda, "weight of the disagreement");
    v("eta", eta, "weight of the entropy of the mean");
    v("copies", copies, "noisy copies of each image");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// What makes a classifier agree with itself under noise. With p_i the softmax of copy i of m and p their mean,
///   default  lambda / m sum_i KL(p || p_i) + eta H(p)          kl    lambda / m sum_i KL(p || p_i)
///   xent     lambda / m sum_i -sum p ln p_i                    mse   lambda |p_0 - p_1|^2,
/// the mean over images; logarithms of p are taken of 1e-20 at least.
/// @param logits  [m B,K], the copies stacked: the first B rows are copy 0   @return zero-dimensional
/// @throws Error{kInternal} unless the copies divide the rows
/// Source: Jeong & Shin 2020, "Consistency Regularization for Certified Robustness of Smoothed Classifiers". Official:
/// jiachenlei/rRCM, rrcm_tune.py (consistency_loss).
at::Tensor smoothing_regulariser(const SmoothingLossConfig& config, const at::Tensor& logits);

/// The mean over images of -sum_k target_k ln softmax(logits)_k.
/// @param targets  [N] int64 classes or [N,K] float shares, for every row of the logits, or for one of stacked copies
at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& targets);

/// The mean over images of the entropy of softmax(logits), which rRCM's fine-tuning without noise adds to the cross
/// entropy with weight 1.
at::Tensor mean_entropy(const at::Tensor& logits);

}  // namespace reseda::train
