// What holds for every registered measurement operator, whatever it measures.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <ostream>
#include <string>
#include <vector>

#include "modules/inverse/forward_operator.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

using diffusion::component;
using tests::expect_error;
using Shape = std::vector<std::int64_t>;

const std::string kReddiffBlur = "blur_reddiff";

/// Settings of an operator and the images it is tried on.
struct Case {
  std::string label;
  ConfigNode node;
  Shape image;
};

void PrintTo(const Case& shown, std::ostream* out) { *out << shown.label; }

ConfigNode composition(const std::vector<ConfigNode>& parts) {
  ConfigNode node = component("composition"), list = ConfigNode::list();
  for (const ConfigNode& part : parts) list.append(part);
  node["parts"] = list;
  return node;
}

/// The default settings on small colour images.
Case plain_case(const std::string& name) {
  const ConfigNode chain = composition({component("super_resolution", {{"factor", "2"}}), component("blur")});
  return {name, name == "composition" ? chain : component(name), {3, 16, 16}};
}

std::vector<Case> further_cases() {
  return {
      {"packed", component("inpaint", {{"packed", "true"}, {"mask.kind", "random"}}), {3, 12, 8}},
      {"strokes", component("inpaint", {{"mask.kind", "strokes"}, {"mask.missing", "0.4"}}), {1, 20, 13}},
      {"box_by_2", component("super_resolution", {{"factor", "2"}}), {2, 6, 10}},
      {"cubic_by_2", component("bicubic", {{"factor", "2"}}), {1, 10, 16}},
      {"linear_by_3", component("bicubic", {{"factor", "3"}, {"kernel", "linear"}}), {2, 9, 12}},
      {"lanczos_by_2", component("bicubic", {{"factor", "2"}, {"kernel", "lanczos3"}}), {1, 8, 8}},
      {"blur_exact", component("blur", {{"singular_cut", "0"}}), {1, 12, 16}},
      {"blur_zero", component("blur", {{"boundary", "zero"}, {"point_spread.kernel", "uniform"}}), {2, 16, 11}},
      {"blur_periodic", component("blur", {{"boundary", "periodic"}, {"point_spread.kernel", "motion"}}), {2, 12, 15}},
      {"blur_wrapped",
       component("blur", {{"boundary", "periodic"}, {"point_spread.size", "19"}, {"singular_cut", "0"}}),
       {1, 7, 8}},
      {"blur_motion",
       component("blur", {{"point_spread.kernel", "motion"}, {"point_spread.angle", "20"}}),
       {2, 16, 13}},
      {"blur_anisotropic_zero",
       component("blur", {{"boundary", "zero"}, {"point_spread.kernel", "anisotropic"}, {"point_spread.across", "1"}}),
       {1, 11, 16}},
      {"blur_wider_than_image",
       component("blur",
                 {{"point_spread.kernel", "motion"}, {"point_spread.size", "25"}, {"point_spread.length", "24"}}),
       {1, 5, 4}},
      {kReddiffBlur, component("blur", {{"compat", "reddiff"}, {"point_spread.kernel", "uniform"}}), {3, 16, 16}},
      {"grey_of_four", component("colourise", {{"weights", "[0.1, -0.2, 0.3, 0.4]"}}), {4, 5, 6}},
      {"walsh_low", component("compressed_sensing", {{"rows", "low"}, {"ratio", "0.4"}}), {2, 8, 16}},
      {"nonlinear_chain",
       composition({component("hdr"), component("bicubic", {{"factor", "2"}}), component("quantise", {{"bits", "8"}})}),
       {3, 16, 16}},
      {"packed_chain", composition({component("colourise"), component("inpaint", {{"packed", "true"}})}), {3, 9, 7}},
      {"mri_pairs", component("mri", {{"values", "pairs"}}), {2, 12, 15}},
      {"mri_coils", component("mri", {{"coils", "4"}}), {1, 16, 12}},
      {"phase_odd", component("phase_retrieval", {{"pad", "3"}}), {1, 9, 12}},
      {"quantise_true_gradient", component("quantise", {{"straight_through", "false"}}), {1, 4, 5}},
      {"fan_flat", component("radon", {{"beam", "fan_flat"}, {"views", "5"}, {"pixel", "0.7"}}), {2, 9, 12}},
      {"limited_angle", component("radon", {{"angle_range", "60"}, {"centre", "official"}}), {1, 8, 8}},
      {"fan_arc",
       component("radon", {{"beam", "fan_arc"}, {"angles", "[3, 100, 215]"}, {"detectors", "9"}}),
       {1, 6, 5}},
      {"mri_points", component("mri", {{"mask.type", "gaussian2d"}, {"mask.acceleration", "2"}}), {2, 9, 8}},
      {"mri_pairs_corner", component("mri", {{"values", "pairs"}, {"origin", "corner"}}), {4, 7, 10}},
      {"mri_coils_of_pairs",
       component("mri", {{"values", "pairs"}, {"coils", "3"}, {"mask.acceleration", "2"}}),
       {2, 8, 9}},
      {"thick_overlapping",
       component("slice_average", {{"profile", "gaussian"}, {"factor", "3"}, {"thickness", "1.5"}}),
       {7, 3, 4}},
      {"jpeg_fine", component("jpeg", {{"quality", "90"}, {"straight_through", "false"}}), {3, 16, 32}},
  };
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const OperatorEntry* entry : operator_entries()) cases.push_back(plain_case(entry->name));
  for (Case& further : further_cases()) cases.push_back(std::move(further));
  return cases;
}

double norm_of(const at::Tensor& x) { return x.abs().to(at::kDouble).square().sum().sqrt().item<double>(); }
/// The real part of <a, b>; images may be real where measurements are complex.
double product_of(const at::Tensor& a, const at::Tensor& b) {
  const auto parts = [](const at::Tensor& x) { return (x.is_complex() ? at::view_as_real(x) : x).to(at::kDouble); };
  return (parts(a.resolve_conj()) * parts(b.resolve_conj())).sum().item<double>();
}

class EveryOperator : public testing::TestWithParam<Case> {
 protected:
  EveryOperator() { at::manual_seed(7); }

  std::unique_ptr<ForwardOperator> make() const { return make_operator(GetParam().node, GetParam().image); }

  at::Tensor image(std::int64_t items, at::ScalarType type = at::kDouble) const {
    Shape shape = {items};
    shape.insert(shape.end(), GetParam().image.begin(), GetParam().image.end());
    return at::empty(shape, at::kDouble).uniform_(-1, 1).to(type);
  }
  at::Tensor measurement_like(const at::Tensor& y) const { return at::randn_like(y); }

  std::unique_ptr<ForwardOperator> op_ = make();
};

TEST_P(EveryOperator, AdjointIsTheTranspose) {
  for (const auto& [type, tolerance] : {std::pair(at::kFloat, 1e-5), std::pair(at::kDouble, 1e-10)}) {
    const at::Tensor x = image(2, type), measured = op_->apply(x), y = measurement_like(measured);
    if (!op_->is_linear()) {
      expect_error(Errc::kUsage, "", [&] { op_->adjoint(y); });
      continue;
    }
    const at::Tensor back = op_->adjoint(y);
    EXPECT_EQ(back.sizes(), x.sizes());
    EXPECT_EQ(back.scalar_type(), type);
    EXPECT_NEAR(product_of(measured, y), product_of(x, back),
                tolerance * (norm_of(measured) * norm_of(y) + norm_of(x) * norm_of(back)));
  }
}

TEST_P(EveryOperator, IsLinearWhereItSaysSo) {
  const at::Tensor a = image(2), b = image(2);
  const at::Tensor apart = 0.3 * op_->apply(a) - 1.7 * op_->apply(b), together = op_->apply(0.3 * a - 1.7 * b);
  const double error = norm_of(apart - together);
  if (op_->is_linear()) {
    EXPECT_LE(error, 1e-10 * norm_of(together));
  } else {
    EXPECT_GT(error, 1e-3 * norm_of(together));
  }
}

TEST_P(EveryOperator, PseudoInverseExplainsTheMeasurement) {
  for (const auto& [type, tolerance] : {std::pair(at::kFloat, 2e-5), std::pair(at::kDouble, 1e-9)}) {
    const at::Tensor x = image(2, type), y = op_->apply(x), guess = op_->pseudo_inverse(y);
    EXPECT_EQ(guess.sizes(), x.sizes());
    EXPECT_EQ(guess.scalar_type(), type);
    if (op_->has_pseudo_inverse()) {
      EXPECT_LE(norm_of(op_->apply(guess) - y), tolerance * norm_of(y));
    }
  }
}

TEST_P(EveryOperator, PseudoInverseAddsNothing) {
  if (!op_->has_pseudo_inverse() || !op_->is_linear()) return;
  const at::Tensor y = measurement_like(op_->apply(image(1))), guess = op_->pseudo_inverse(y);
  // Of the solutions of least residual it is the shortest; the official operator keeps what it cannot see.
  if (GetParam().label != kReddiffBlur) {
    EXPECT_LE(norm_of(op_->pseudo_inverse(op_->apply(guess)) - guess), 1e-9 * norm_of(guess));
  }
  const at::Tensor a = image(1), b = image(1);
  const auto project = [&](const at::Tensor& x) { return op_->pseudo_inverse(op_->apply(x)); };
  EXPECT_NEAR(product_of(project(a), b), product_of(a, project(b)), 1e-9 * norm_of(a) * norm_of(b));
}

TEST_P(EveryOperator, VjpIsTheGradient) {
  const at::Tensor x = image(2), v = measurement_like(op_->apply(x));
  const at::Tensor variable = x.clone().requires_grad_(true);
  const at::Tensor weighted = op_->apply(variable) * v.conj();
  const at::Tensor sum = (weighted.is_complex() ? at::real(weighted) : weighted).sum();
  const at::Tensor expected =
      sum.requires_grad() ? torch::autograd::grad({sum}, {variable}, {}, {}, false, true)[0] : at::Tensor();
  const at::Tensor actual = op_->vjp(x, v);
  EXPECT_FALSE(actual.requires_grad());
  if (expected.defined()) {
    EXPECT_LE(norm_of(actual - expected), 1e-9 * (1 + norm_of(expected)));
  } else {
    EXPECT_EQ(norm_of(actual), 0.0);
  }
}

TEST_P(EveryOperator, VjpWorksInInferenceMode) {
  const at::Tensor x = image(1), v = measurement_like(op_->apply(x)), expected = op_->vjp(x, v);
  const c10::InferenceMode guard;
  EXPECT_LE(norm_of(op_->vjp(x.clone(), v.clone()) - expected), 1e-12 * (1 + norm_of(expected)));
}

TEST_P(EveryOperator, MeasuresEveryItemAlone) {
  const at::Tensor x = image(3, at::kFloat), y = op_->apply(x);
  for (std::int64_t i = 0; i < 3; ++i) {
    const at::Tensor alone = op_->apply(x.slice(0, i, i + 1));
    EXPECT_LE(norm_of(alone - y.slice(0, i, i + 1)), 1e-6 * norm_of(alone));
  }
}

TEST_P(EveryOperator, KeepsTypeAndArgument) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const at::Tensor x = image(2, type), copy = x.clone(), y = op_->apply(x);
    EXPECT_EQ(c10::toRealValueType(y.scalar_type()), type);
    op_->pseudo_inverse(y);
    EXPECT_TRUE(x.equal(copy));
  }
}

TEST_P(EveryOperator, IsMadeTheSameTwice) {
  const at::Tensor x = image(2);
  EXPECT_TRUE(op_->apply(x).equal(make()->apply(x)));
}

TEST_P(EveryOperator, SpectralFormIsTheDecomposition) {
  const SpectralForm* form = op_->spectral();
  if (form == nullptr) return;
  const at::Tensor x = image(2), y = measurement_like(op_->apply(x)), singulars = form->singulars();
  const std::int64_t measured = singulars.size(0), all = x[0].numel();
  ASSERT_LE(measured, all);
  EXPECT_EQ(singulars.scalar_type(), at::kDouble);
  EXPECT_GE(singulars.min().item<double>(), 0.0);
  const at::Tensor vt = form->vt(x), ut = form->ut(y);
  EXPECT_EQ(vt.sizes(), at::IntArrayRef({2, all}));
  EXPECT_EQ(ut.sizes(), at::IntArrayRef({2, measured}));
  EXPECT_LE(norm_of(form->v(vt) - x), 1e-10 * norm_of(x));
  EXPECT_LE(norm_of(form->vt(form->v(vt)) - vt), 1e-10 * norm_of(x));
  EXPECT_NEAR(norm_of(vt), norm_of(x), 1e-10 * norm_of(x));
  const at::Tensor coefficients = at::randn({2, measured}, at::kDouble);
  EXPECT_LE(norm_of(form->ut(form->u(coefficients)) - coefficients), 1e-10 * norm_of(coefficients));
  EXPECT_NEAR(norm_of(form->u(coefficients)), norm_of(coefficients), 1e-10 * norm_of(coefficients));
  EXPECT_LE(norm_of(form->u(singulars * vt.slice(1, 0, measured)) - op_->apply(x)), 1e-10 * norm_of(x));
  const at::Tensor padded = at::constant_pad_nd(singulars * ut, {0, all - measured});
  EXPECT_LE(norm_of(form->v(padded) - op_->adjoint(y)), 1e-10 * norm_of(y));
  EXPECT_EQ(form->vt(x.to(at::kFloat)).scalar_type(), at::kFloat);
}

TEST_P(EveryOperator, RefusesOtherImages) {
  Shape other = GetParam().image;
  ++other[2];
  other.insert(other.begin(), 1);
  expect_error(Errc::kUsage, "operator", [&] { op_->apply(at::zeros(other)); });
  expect_error(Errc::kUsage, "operator", [&] { op_->apply(at::zeros(GetParam().image)); });
  expect_error(Errc::kUsage, "operator", [&] { op_->apply(image(1).to(at::kLong)); });
  expect_error(Errc::kUsage, "operator", [&] { op_->apply(image(0)); });
  const at::Tensor y = op_->apply(image(1));
  expect_error(Errc::kUsage, "operator", [&] { op_->pseudo_inverse(y.flatten()); });
  expect_error(Errc::kUsage, "operator", [&] { op_->pseudo_inverse(y.slice(-1, 1)); });
}

TEST_P(EveryOperator, RefusesUnknownKeys) {
  ConfigNode config = GetParam().node;
  config["no_such_key"] = ConfigNode("1");
  expect_error(Errc::kUsage, "no_such_key", [&] { make_operator(config, GetParam().image); });
  expect_error(Errc::kUsage, "operator.image", [&] { make_operator(GetParam().node, {GetParam().image[0], 0, 16}); });
  expect_error(Errc::kUsage, "operator.image", [&] { make_operator(GetParam().node, {GetParam().image[0], 16}); });
}

TEST_P(EveryOperator, ConfigReadsBack) {
  const auto [name, rest] = split_name(GetParam().node, "operator");
  for (const OperatorEntry* entry : operator_entries()) {
    if (entry->name != name) continue;
    ConfigNode complete = entry->complete(rest, "operator");
    complete["name"] = ConfigNode(name);
    const at::Tensor x = image(1);
    EXPECT_TRUE(make_operator(complete, GetParam().image)->apply(x).equal(op_->apply(x)));
    EXPECT_FALSE(entry->about.empty());
    EXPECT_FALSE(entry->fields().empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, EveryOperator, testing::ValuesIn(all_cases()),
                         [](const auto& param) { return param.param.label; });

}  // namespace
}  // namespace reseda::inverse
