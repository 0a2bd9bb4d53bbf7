#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace reseda::nets {

/// What a variant of NCSN++ fixes about the division of its output by the time t.
enum class TimeDivision {
  kNone,        ///< the output is not divided
  kBeforeHead,  ///< the 4-channel map is divided, so the bias of output_layer is not
  kAfterHead    ///< the result of output_layer is divided, bias included
};

/// Settings of NCSN++ by their official names. Options that no known model uses are read so that a config or checkpoint
/// which asks for them is refused by name.
struct NcsnppConfig {
  std::int64_t nf = 128;
  std::vector<std::int64_t> ch_mult = {1, 1, 2, 2, 2, 2, 2};
  std::int64_t num_res_blocks = 2;
  std::vector<std::int64_t> attn_resolutions = {16};
  std::int64_t image_size = 256;
  std::string progressive = "output_skip";
  std::string progressive_input = "input_skip";
  bool scale_by_sigma = true;
  bool centered = true;
  double fourier_scale = 16;
  double init_scale = 0;
  std::string nonlinearity = "swish";
  std::string resblock_type = "biggan";
  std::string embedding_type = "fourier";
  std::string progressive_combine = "sum";
  bool conditional = true;
  bool fir = true;
  std::vector<std::int64_t> fir_kernel = {1, 3, 3, 1};
  bool resamp_with_conv = true;
  bool skip_rescale = true;
  double dropout = 0;

  template <class V>
  void fields(V& v) {
    v("nf", nf, "channels of the first level");
    v("ch_mult", ch_mult, "channels of each level as multiples of nf");
    v("num_res_blocks", num_res_blocks, "residual blocks of each level on the way down");
    v("attn_resolutions", attn_resolutions, "heights at which residual blocks are followed by attention");
    v("image_size", image_size, "height of the input, from which the levels' heights follow");
    v("progressive", progressive, "output_skip (an output pyramid) or none");
    v("progressive_input", progressive_input, "input_skip (an input pyramid) or none");
    v("scale_by_sigma", scale_by_sigma, "whether the output is divided by the time t");
    v("centered", centered, "false maps the input to 2 x - 1");
    v("fourier_scale", fourier_scale, "standard deviation of the embedding's random frequencies");
    v("init_scale", init_scale, "scale of the initial weights of the output convolutions; 0 means 1e-10");
    v("nonlinearity", nonlinearity, "swish");
    v("resblock_type", resblock_type, "biggan");
    v("embedding_type", embedding_type, "fourier");
    v("progressive_combine", progressive_combine, "sum");
    v("conditional", conditional, "true");
    v("fir", fir, "true");
    v("fir_kernel", fir_kernel, "[1, 3, 3, 1]");
    v("resamp_with_conv", resamp_with_conv, "true; without effect in residual blocks of type biggan");
    v("skip_rescale", skip_rescale, "true");
    v("dropout", dropout, "0");
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const;

  std::size_t levels() const { return ch_mult.size(); }
  std::int64_t channels(std::size_t level) const { return nf * ch_mult[level]; }
  /// Whether residual blocks of this level are followed by attention.
  bool attends(std::size_t level) const;
  /// The heights of the levels for an input of this height decide the same as image_size does.
  bool fits_height(std::int64_t height) const;
};

}  // namespace reseda::nets
