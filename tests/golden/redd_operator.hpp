#pragma once

#include <memory>
#include <string>

#include "modules/inverse/forward_operator.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {

/// The operator that RED-diff's name ("algo.deg") stands for, such as "sr4", "in2_free" or "sr2-in2_half".
struct ReddOperator {
  std::unique_ptr<inverse::ForwardOperator> op;
  /// The official H_pinv returns its argument (jpeg, quant, bdeblur).
  bool inverse_is_identity = false;

  /// H^+ of a measurement of our shape, as official code makes it.
  at::Tensor pseudo_inverse(const at::Tensor& y) const { return inverse_is_identity ? y : op->pseudo_inverse(y); }
};

/// What an operator takes from its case besides the name.
struct ReddOperatorInput {
  at::Tensor masks;   ///< [N,n] as recorded, undefined without a mask
  at::Tensor index;   ///< [B] which of the images each item is; item b has mask index[b] mod N
  std::string basis;  ///< prefix of recorded SVD factors, such as "mid.sr4."; used where they exist
  std::int64_t phase_pad = 64;
  bool straight_through = false;
};

/// @throws Error{kInput} for a name that is not known
ReddOperator make_redd_operator(GoldenCase& golden, const std::string& deg, at::IntArrayRef image,
                                const ReddOperatorInput& input);

}  // namespace reseda::golden
