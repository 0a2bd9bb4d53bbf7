#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "modules/signal/chopping.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {
namespace {

signal::Chop chop_of(const nlohmann::json& settings) {
  return {.size = settings.at("pch_size"), .stride = settings.at("stride")};
}

void check_variant(GoldenCase& golden, const nlohmann::json& settings, const std::string& out) {
  const signal::Chop chop = chop_of(settings);
  const std::int64_t scale = settings.at("sf"), height = settings.at("h"), width = settings.at("w");
  const auto rows = signal::chop_starts(height, chop), columns = signal::chop_starts(width, chop);
  golden.check(out + "h_starts", at::tensor(rows, at::kLong));
  golden.check(out + "w_starts", at::tensor(columns, at::kLong));
  std::vector<at::Tensor> places;
  for (const std::int64_t top : rows)
    for (const std::int64_t left : columns)
      places.push_back(at::tensor({top, top + chop.size, left, left + chop.size}, at::kLong) * scale);
  golden.check(out + "tiles_hhww", at::stack(places));

  const at::Tensor x = golden.input("x").narrow(2, 0, height).narrow(3, 0, width);
  std::int64_t number = 0;
  const auto stand_in = [&](const at::Tensor& tile) {
    return at::upsample_nearest2d(tile, {scale * tile.size(2), scale * tile.size(3)}) *
           (1 + 0.1 * static_cast<double>(number++));
  };
  golden.check(out + "gather", signal::by_chops(x, chop, scale, stand_in), {.atol = 1e-6, .rtol = 1e-6});
  // Averages of ones lose the count: it is that of a sum.
  at::Tensor count = at::zeros({scale * height, scale * width});
  for (const at::Tensor& place : places) {
    const auto at = [&](int i) { return place[i].item<std::int64_t>(); };
    count.slice(0, at(0), at(1)).slice(1, at(2), at(3)).add_(1);
  }
  golden.check(out + "count", count);
}

}  // namespace

/// Places of tiles and the blending of what comes out of them.
void run_chop(GoldenCase& golden) {
  const auto& variants = golden.config().at("variants");
  for (std::size_t i = 0; i < variants.size(); ++i)
    check_variant(golden, variants[i], "out." + std::to_string(i) + ".");
  const auto& lengths = golden.config().at("starts");
  for (std::size_t i = 0; i < lengths.size(); ++i)
    golden.check(
        "out.starts." + std::to_string(i),
        at::tensor(signal::chop_starts(lengths[i].at(0), {.size = lengths[i].at(1), .stride = lengths[i].at(2)}),
                   at::kLong));
}

}  // namespace reseda::golden
