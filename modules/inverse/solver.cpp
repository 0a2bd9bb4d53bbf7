#include "modules/inverse/solver.hpp"

#include <ATen/ATen.h>

namespace reseda::inverse {

std::unique_ptr<Solver> make_solver(const ConfigNode& node, const std::string& path) {
  auto [name, rest] = split_name(node, path);
  return find_component(solver_entries(), "solver", name).make(rest, path);
}

at::Tensor item_norm(const at::Tensor& r) { return r.abs().square().flatten(1).sum(1).sqrt(); }

at::Tensor per_item(const at::Tensor& values, const at::Tensor& x) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[0] = values.size(0);
  return values.reshape(shape);
}

}  // namespace reseda::inverse
