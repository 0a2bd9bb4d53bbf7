#include "modules/inverse/operators/jpeg.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

constexpr const char* kName = "jpeg";

// ITU-T T.81, Tables K.1 and K.2.
constexpr std::int64_t kLuma[64] = {16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,
                                    14, 13, 16, 24, 40,  57,  69,  56,  14, 17, 22, 29, 51,  87,  80,  62,
                                    18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92,
                                    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99};
constexpr std::int64_t kChroma[64] = {17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
                                      24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
                                      99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
                                      99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99};

/// libjpeg's scaling of a table to a quality, limited to one byte.
at::Tensor scaled_table(const std::int64_t* base, std::int64_t quality) {
  const std::int64_t scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  const at::Tensor table = at::empty({8, 8}, at::kDouble);
  for (std::int64_t k = 0; k < 64; ++k)
    table.data_ptr<double>()[k] = static_cast<double>(std::clamp<std::int64_t>((base[k] * scale + 50) / 100, 1, 255));
  return table;
}

/// The orthonormal DCT-II of eight values, [8,8] float64.
at::Tensor dct_matrix() {
  const at::Tensor k = at::arange(8, at::kDouble).unsqueeze(1), n = at::arange(8, at::kDouble).unsqueeze(0);
  const at::Tensor matrix = (std::numbers::pi / 16 * k * (2 * n + 1)).cos() * 0.5;
  matrix[0] *= std::sqrt(0.5);
  return matrix;
}

at::Tensor colours(const at::Tensor& x, const std::vector<double>& rows) {
  const at::Tensor matrix = at::tensor(rows, at::kDouble).reshape({3, 3});
  return at::matmul(constant_like(matrix, x), x.flatten(2)).reshape(x.sizes());
}

/// left X right of every 8 x 8 block X, where the block lies.
at::Tensor on_blocks(const at::Tensor& left, const at::Tensor& planes, const at::Tensor& right) {
  const std::int64_t items = planes.size(0), channels = planes.size(1), h = planes.size(2), w = planes.size(3);
  const at::Tensor blocks = planes.reshape({items, channels, h / 8, 8, w / 8, 8}).transpose(3, 4);
  return at::matmul(at::matmul(constant_like(left, planes), blocks), constant_like(right, planes))
      .transpose(3, 4)
      .reshape(planes.sizes());
}

at::Tensor tiled(const at::Tensor& table, const at::Tensor& planes) {
  return constant_like(table, planes).repeat({planes.size(2) / 8, planes.size(3) / 8});
}

}  // namespace

void JpegConfig::validate() const {
  RESEDA_REQUIRE(quality >= 1 && quality <= 100, Errc::kUsage, "operator.quality must be 1 .. 100, got ", quality);
}

Jpeg::Jpeg(const JpegConfig& config) : shape_(config.image), straight_through_(config.straight_through) {
  config.validate();
  RESEDA_REQUIRE(shape_.channels == 3 && shape_.height % 16 == 0 && shape_.width % 16 == 0, Errc::kUsage,
                 "operator jpeg needs 3 channels and sides that are multiples of 16, got ",
                 at::IntArrayRef(config.image));
  luma_table_ = scaled_table(kLuma, config.quality);
  chroma_table_ = scaled_table(kChroma, config.quality);
}

at::Tensor Jpeg::quantised(const at::Tensor& planes, const at::Tensor& table) const {
  const at::Tensor dct = dct_matrix(), scaled = on_blocks(dct, planes, dct.t()) / tiled(table, planes);
  return with_rounding_gradient(scaled, at::round(scaled), straight_through_);
}

Jpeg::Coefficients Jpeg::encode(const at::Tensor& x) const {
  shape_.require(x, kName);
  // Blocks are coded around 128, which the chroma planes are centred on already.
  const at::Tensor planes =
      colours((x + 1) / 2 * 255, {0.299, 0.587, 0.114, -0.1687, -0.3313, 0.5, 0.5, -0.4187, -0.0813});
  const at::Tensor chroma = planes.slice(1, 1).slice(2, 0, shape_.height, 2).slice(3, 0, shape_.width, 2);
  return {quantised(planes.slice(1, 0, 1) - 128, luma_table_), quantised(chroma, chroma_table_)};
}

at::Tensor Jpeg::decode(const Coefficients& coefficients) const {
  const at::Tensor dct = dct_matrix();
  const auto planes_of = [&](const at::Tensor& values, const at::Tensor& table) {
    return on_blocks(dct.t(), values * tiled(table, values), dct);
  };
  const at::Tensor luma = planes_of(coefficients.luma, luma_table_) + 128;
  const at::Tensor chroma =
      planes_of(coefficients.chroma, chroma_table_).repeat_interleave(2, 2).repeat_interleave(2, 3);
  return colours(at::cat({luma, chroma}, 1),
                 {1, -3.68199903e-5, 1.40198758, 1, -0.344113281, -0.714103821, 1, 1.77197812, -1.34583413e-4}) /
             255 * 2 -
         1;
}

at::Tensor Jpeg::apply(const at::Tensor& x) const { return decode(encode(x)); }

at::Tensor Jpeg::pseudo_inverse(const at::Tensor& y) const {
  shape_.require(y, kName);
  return y;
}

const OperatorEntry& operator_entry_jpeg() {
  static const auto entry =
      make_component<ForwardOperator, Jpeg, JpegConfig>("jpeg", "JPEG coding at a quality of 1 .. 100");
  return entry;
}

}  // namespace reseda::inverse
