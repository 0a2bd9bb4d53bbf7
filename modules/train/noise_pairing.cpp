#include "modules/train/noise_pairing.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::train {
namespace {

/// The assignment grown row by row; row and column 0 stand for "none".
class Assignment {
 public:
  explicit Assignment(const at::Tensor& cost)
      : n_(cost.size(0)), cost_(cost), row_price_(n_ + 1), column_price_(n_ + 1), row_of_(n_ + 1), from_(n_ + 1) {}

  std::vector<std::int64_t> solve() {
    for (std::int64_t row = 1; row <= n_; ++row) augment(row);
    std::vector<std::int64_t> column_of(static_cast<std::size_t>(n_));
    for (std::int64_t column = 1; column <= n_; ++column) column_of[row_of_[column] - 1] = column - 1;
    return column_of;
  }

 private:
  /// Finds a cheapest path from an unassigned row to a free column and flips it.
  void augment(std::int64_t row) {
    std::vector<double> slack(static_cast<std::size_t>(n_ + 1), std::numeric_limits<double>::infinity());
    std::vector<bool> reached(static_cast<std::size_t>(n_ + 1), false);
    row_of_[0] = row;
    std::int64_t column = 0;
    do {
      reached[column] = true;
      column = grow(column, slack, reached);
    } while (row_of_[column] != 0);
    while (column != 0) {
      row_of_[column] = row_of_[from_[column]];
      column = from_[column];
    }
  }

  /// Adds the cheapest column that is not reached yet, after paying for it along the tree.
  std::int64_t grow(std::int64_t column, std::vector<double>& slack, const std::vector<bool>& reached) {
    const double* costs = cost_.const_data_ptr<double>() + (row_of_[column] - 1) * n_;
    const double price = row_price_[row_of_[column]];
    double least = std::numeric_limits<double>::infinity();
    std::int64_t next = 0;
    for (std::int64_t j = 1; j <= n_; ++j) {
      if (reached[j]) continue;
      const double rest = costs[j - 1] - price - column_price_[j];
      if (rest < slack[j]) {
        slack[j] = rest;
        from_[j] = column;
      }
      if (slack[j] < least) {
        least = slack[j];
        next = j;
      }
    }
    for (std::int64_t j = 0; j <= n_; ++j) {
      if (reached[j]) {
        row_price_[row_of_[j]] += least;
        column_price_[j] -= least;
      } else {
        slack[j] -= least;
      }
    }
    return next;
  }

  std::int64_t n_;
  at::Tensor cost_;
  std::vector<double> row_price_, column_price_;
  std::vector<std::int64_t> row_of_, from_;
};

/// <x_i, eps_j> in float32, [B, B]
at::Tensor products(const at::Tensor& x, const at::Tensor& eps) {
  return at::mm(x.flatten(1).to(at::kFloat), eps.flatten(1).to(at::kFloat).t());
}

}  // namespace

std::vector<std::int64_t> assign(const at::Tensor& cost) {
  RESEDA_INVARIANT(cost.dim() == 2 && cost.size(0) == cost.size(1) && at::isfinite(cost).all().item<bool>());
  return Assignment(cost.to(at::kCPU, at::kDouble).contiguous()).solve();
}

void NoisePairingConfig::validate() const {
  diffusion::require_choice("noise_pairing.method", method, {"none", "assignment", "nearest"});
  RESEDA_REQUIRE(group >= 2 && group <= 4096, Errc::kUsage, "noise_pairing.group must be in 2 to 4096, got ", group);
  RESEDA_REQUIRE(candidates >= 1 && candidates <= 1024, Errc::kUsage,
                 "noise_pairing.candidates must be in 1 to 1024, got ", candidates);
}

NoisePairing::NoisePairing(NoisePairingConfig config) : config_(std::move(config)) { config_.validate(); }

at::Tensor NoisePairing::assigned(const at::Tensor& x, const at::Tensor& eps) const {
  std::vector<at::Tensor> groups;
  for (std::int64_t first = 0; first < x.size(0); first += config_.group) {
    const std::int64_t count = std::min(config_.group, x.size(0) - first);
    const at::Tensor draws = eps.narrow(0, first, count);
    const auto order = assign(-products(x.narrow(0, first, count), draws));
    groups.push_back(draws.index_select(0, at::tensor(order, at::TensorOptions(at::kLong)).to(draws.device())));
  }
  return groups.empty() ? eps : at::cat(groups);
}

at::Tensor NoisePairing::draw(const at::Tensor& x, NoiseSource& noise, const DrawKey& key) const {
  if (config_.method != "nearest") {
    const at::Tensor eps = noise.normal(key, x.sizes()).to(x.device(), x.scalar_type());
    return config_.method == "assignment" ? assigned(x.detach(), eps) : eps;
  }
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.insert(shape.begin(), config_.candidates);
  const at::Tensor eps = noise.normal(key, shape).to(x.device(), x.scalar_type());
  const at::Tensor distances = (eps - x.detach()).flatten(2).to(at::kFloat).square().sum(2);  // [K, B]
  return eps.index({distances.argmin(0), at::arange(x.size(0), distances.options().dtype(at::kLong))});
}

}  // namespace reseda::train
