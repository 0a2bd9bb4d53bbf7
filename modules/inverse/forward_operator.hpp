#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "modules/core/registry.hpp"

/// Measurements y = H(x) + noise of an unknown image x, and the solvers that ask a diffusion prior for it.
namespace reseda::inverse {

/// The singular value decomposition H = U diag(s) V^T of a linear operator, applied without forming the factors. The
/// columns of V number n = C H W; singulars() holds the first m <= n of them, the others are 0.
class SpectralForm {
 public:
  virtual ~SpectralForm() = default;
  virtual at::Tensor v(const at::Tensor& coefficients) const = 0;  ///< [B,n] -> [B,C,H,W]
  virtual at::Tensor vt(const at::Tensor& x) const = 0;            ///< [B,C,H,W] -> [B,n]
  virtual at::Tensor u(const at::Tensor& coefficients) const = 0;  ///< [B,m] -> the measurement's shape
  virtual at::Tensor ut(const at::Tensor& y) const = 0;            ///< the measurement's shape -> [B,m]
  virtual at::Tensor singulars() const = 0;                        ///< [m] float64 on the CPU, not negative
};

/// A measurement x -> H(x) of images in [-1, 1]. Deterministic, immutable, safe to share between threads; every item of
/// a batch is measured alone. apply() is differentiable by autograd; linear operators give the adjoint in closed form.
/// Results keep device and type of the argument and may share its memory: do not write into them.
class ForwardOperator {
 public:
  virtual ~ForwardOperator() = default;
  /// @param x  [B,C,H,W], B >= 1, real or complex as the operator says  @return the measurement, [B,...]
  /// @throws Error{kUsage} where the shape is not the operator's
  virtual at::Tensor apply(const at::Tensor& x) const = 0;
  virtual bool is_linear() const { return true; }
  /// H^* y, with <H x, y> = <x, H^* y>. @throws Error{kUsage} where the operator is not linear
  virtual at::Tensor adjoint(const at::Tensor& y) const;
  /// H^+ y, or for operators without one what stands in for it as a first guess (the operator's comment says what).
  virtual at::Tensor pseudo_inverse(const at::Tensor& y) const = 0;
  /// Whether pseudo_inverse() is one: H H^+ H = H.
  virtual bool has_pseudo_inverse() const { return true; }
  /// The gradient of <H(x), v> with respect to x for v of the measurement's shape: the adjoint where linear, else by
  /// autograd at x.
  virtual at::Tensor vjp(const at::Tensor& x, const at::Tensor& v) const;
  /// nullptr where the decomposition is not at hand.
  virtual const SpectralForm* spectral() const { return nullptr; }
};

using OperatorEntry = Component<ForwardOperator>;
const std::vector<const OperatorEntry*>& operator_entries();
/// Makes an operator for images of a shape from {name: ..., further keys}; the shape becomes the key "image".
/// @param shape  [C,H,W]  @throws Error{kUsage} naming the rule that shape, mask, kernel or level breaks
std::unique_ptr<ForwardOperator> make_operator(const ConfigNode& node, at::IntArrayRef shape,
                                               const std::string& path = "operator");

}  // namespace reseda::inverse
