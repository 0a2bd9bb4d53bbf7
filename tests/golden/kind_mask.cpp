// Masks of RED-diff's inpainting tasks: an archive with the bits `m` and their `shape`.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "io/array/npy.hpp"
#include "io/record/sha256.hpp"
#include "modules/inverse/operators/mask.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {
namespace {

std::vector<std::int64_t> numbers(const at::Tensor& values) {
  const at::Tensor whole = values.to(at::kLong).contiguous();
  return {whole.data_ptr<std::int64_t>(), whole.data_ptr<std::int64_t>() + whole.numel()};
}

}  // namespace

void run_mask(GoldenCase& golden) {
  const auto arrays = io::read_npz(golden.sibling(golden.name() + ".npz"));
  const at::Tensor masks = inverse::unpack_masks(arrays.at("m"), numbers(arrays.at("shape")));
  const nlohmann::json& json = golden.json();
  EXPECT_EQ(masks.sizes().vec(), json.at("shape").get<std::vector<std::int64_t>>());
  EXPECT_EQ(numbers(masks.sum(1)), json.at("sum_per_mask").get<std::vector<std::int64_t>>());
  EXPECT_EQ(numbers(masks[0].slice(0, 0, 16)), json.at("first_16_of_mask_0").get<std::vector<std::int64_t>>());
  const std::string bytes(reinterpret_cast<const char*>(masks.data_ptr()), masks.nbytes());
  EXPECT_EQ(io::sha256(bytes), json.at("sha256_of_unpacked_uint8_bytes"));
  golden.count_check();
}

}  // namespace reseda::golden
