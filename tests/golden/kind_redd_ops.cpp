// Degradation operators of RED-diff: H, noise, Ht, H_pinv, the factors of their decompositions, JPEG's coefficients.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "modules/inverse/measurement_noise.hpp"
#include "modules/inverse/operators/bicubic.hpp"
#include "modules/inverse/operators/blur.hpp"
#include "modules/inverse/operators/jpeg.hpp"
#include "tests/golden/redd_operator.hpp"

namespace reseda::golden {
namespace {

using inverse::ForwardOperator;
using nlohmann::json;

/// Singular values and projectors, in which the signs and rotations of a decomposition cancel.
constexpr double kFactorTolerance = 2e-6;

/// The official factors are of float32, ours of float64: up to this much of the largest value they differ more than the
/// suggested tolerance, which compares official runs that share them.
constexpr double kBasisTolerance = 2e-6;

void check_shaped(GoldenCase& golden, const std::string& name, const at::Tensor& actual) {
  if (!golden.has(name)) return;
  const at::Tensor expected = golden.tensor(name);
  Tolerance allowed = golden.tolerance(name);
  allowed.atol = std::max(allowed.atol, kBasisTolerance * expected.abs().max().item<double>());
  golden.check(name, actual.reshape(expected.sizes()), allowed);
}

void expect_near(const at::Tensor& actual, const at::Tensor& expected, double tolerance, const std::string& what) {
  const double error = (actual.to(at::kDouble) - expected.to(at::kDouble)).abs().max().item<double>();
  EXPECT_LE(error, tolerance) << what;
}

/// Compares our own decomposition of one axis with the recorded one: singular values, and U S V^T.
void check_axis(GoldenCase& golden, const std::string& prefix, const at::Tensor& matrix) {
  const inverse::MatrixSvd own = inverse::matrix_svd(matrix, 0.03);
  const at::Tensor u = golden.tensor(prefix + "U_small").to(at::kDouble),
                   s = golden.tensor(prefix + "singulars_small").to(at::kDouble),
                   v = golden.tensor(prefix + "V_small").to(at::kDouble);
  expect_near(own.s, s, kFactorTolerance, prefix + "singulars_small");
  const auto product = [&](const at::Tensor& left, const at::Tensor& values, const at::Tensor& right) {
    return left.matmul(values.unsqueeze(1) * right.slice(1, 0, values.size(0)).t());
  };
  expect_near(product(own.u, own.s, own.v), product(u, s, v), kFactorTolerance, prefix + "matrix");
  golden.count_check();
}

at::Tensor axis_matrix(const std::string& deg, std::int64_t side) {
  if (deg.rfind("bicubic", 0) == 0) return inverse::downscaling_matrix(side, std::stoll(deg.substr(7)), "cubic");
  const bool uniform = deg == "deblur_uni";
  return inverse::reddiff_blur_matrix(
      inverse::point_spread({.kernel = uniform ? "uniform" : "gaussian", .size = uniform ? 9 : 5, .sigma = 25.0})
          .sum(0),
      side);
}

/// The recorded singular values: of one row, of one axis, of the sorted image, or of each mask.
void check_factors(GoldenCase& golden, const std::string& deg, const std::string& prefix, const ForwardOperator& op,
                   const at::Tensor& x) {
  if (golden.has(prefix + "perm")) check_axis(golden, prefix, axis_matrix(deg, x.size(2)));
  if (golden.has(prefix + "singulars")) {
    const at::Tensor recorded = golden.tensor(prefix + "singulars").to(at::kFloat);
    if (recorded.dim() == 2) {
      golden.check(prefix + "singulars", op.apply(at::ones_like(x)).reshape(recorded.sizes()).to(at::kBool));
    } else {
      // Where channels share them, they are recorded once.
      const at::Tensor values = op.spectral() != nullptr ? op.spectral()->singulars().to(at::kFloat) : at::ones(1);
      const bool shared = recorded.size(0) < values.size(0), tiled = deg.rfind("deblur", 0) == 0;
      const at::Tensor own = !shared ? values.expand({recorded.size(0)})
                             : tiled ? values.slice(0, 0, recorded.size(0))
                                     : values.slice(0, 0, values.size(0), x.size(1));
      golden.check(prefix + "singulars", own);
    }
  } else if (golden.has(prefix + "singulars_small")) {
    golden.check(prefix + "singulars_small", op.spectral()->singulars().slice(0, 0, 1).to(at::kFloat));
    const at::Tensor first = golden.tensor(prefix + "U_small") * golden.tensor(prefix + "V_small").select(1, 0).sum();
    EXPECT_GT(first.item<float>(), 0) << prefix << "signs of U and V";
  }
}

void run_op(GoldenCase& golden, const json& settings, double sigma_y) {
  const std::string name = settings.at("name"), deg = settings.at("deg");
  const at::Tensor x = golden.input(settings.value("x", "x"));
  const bool blind = deg.rfind("bdeblur", 0) == 0;
  const ReddOperatorInput input = {
      .masks = settings.contains("mask") ? golden.input(settings.at("mask").get<std::string>()) : at::Tensor(),
      .index = golden.input("index"),
      .basis = "mid." + (blind ? deg.substr(1) : name) + "."};
  const ReddOperator redd = make_redd_operator(golden, deg, x.sizes().slice(1), input);
  const std::string out = "out." + name + ".";
  const at::Tensor clean = redd.op->apply(x);
  check_shaped(golden, out + "H", clean);
  if (!blind) check_factors(golden, deg, input.basis, *redd.op, x);

  // The official sigma is in the units of [0, 1].
  const at::Tensor flat = clean.reshape(golden.tensor(out + "H").sizes());
  const at::Tensor y =
      inverse::add_measurement_noise({.model = "gaussian", .sigma = 2 * sigma_y}, flat, golden.noise(), "item")
          .reshape(clean.sizes());
  check_shaped(golden, out + "y0", y);
  if (golden.has(out + "Ht")) check_shaped(golden, out + "Ht", redd.op->adjoint(y));
  check_shaped(golden, out + "pinv", redd.pseudo_inverse(y));
  if (const auto* jpeg = dynamic_cast<const inverse::Jpeg*>(redd.op.get())) {
    golden.check(out + "luma", jpeg->encode(x).luma);
    golden.check(out + "chroma", jpeg->encode(x).chroma);
  }
}

}  // namespace

void run_redd_ops(GoldenCase& golden) {
  for (const json& settings : golden.config().at("ops")) run_op(golden, settings, golden.config().at("sigma_y"));
}

void run_redd_dense(GoldenCase& golden) {
  const std::int64_t side = golden.config().at("size");
  for (const json& settings : golden.config().at("ops")) {
    const std::string name = settings.at("name"), deg = settings.at("deg"), prefix = "mid." + name + ".";
    const ReddOperator redd =
        make_redd_operator(golden, deg, {3, side, side}, {.masks = {}, .index = {}, .basis = prefix});
    const at::Tensor units = at::eye(3 * side * side).reshape({-1, 3, side, side});
    golden.check("out." + name + ".HT_rows", redd.op->apply(units).flatten(1));
    golden.check("out." + name + ".singulars_used", redd.op->spectral()->singulars().to(at::kFloat));
    check_factors(golden, deg, prefix, *redd.op, units);
  }
}

}  // namespace reseda::golden
