#pragma once

#include <string>
#include <vector>

#include "modules/core/state_dict.hpp"
#include "pipelines/tools/tensor_difference.hpp"

namespace reseda::tools {

/// A tensor that both sides have.
struct ComparedTensor {
  std::string name;  ///< untrusted
  at::Tensor a, b;
  bool shapes_equal = true, dtypes_equal = true;
  TensorDifference difference;  ///< where the shapes are equal
  bool equal = true;            ///< shape, values within the tolerance and, when that is exact, the type
};

/// Two dictionaries of tensors beside each other.
struct Comparison {
  std::vector<ComparedTensor> both;  ///< in the order of A
  std::vector<std::string> only_a, only_b;
  bool equal() const;
};

/// Compares tensors of equal names.
Comparison compare_weights(const StateDict& a, const StateDict& b, const Tolerance& tolerance);

/// What is compared, in words for the heading.
struct ComparedSides {
  std::string file_a, file_b, what_a, what_b;
};

/// A page for people on standard output: what differs, largest first, at most `limit` rows of each kind.
void print_page(const ComparedSides& sides, const Comparison& comparison, std::size_t limit);

/// One JSON object on standard output with every tensor.
void print_json(const ComparedSides& sides, const Comparison& comparison);

}  // namespace reseda::tools
