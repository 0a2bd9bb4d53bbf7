#include "pipelines/tools/precision_check.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <functional>
#include <limits>

#include "modules/core/noise.hpp"

namespace reseda::tools {
namespace {

// What a correct kernel stays below: rounding of inputs and output, accumulation in float32.
constexpr double kF32Limit = 2e-5, kBf16Limit = 2e-2, kNoiseLimit = 1e-6;

using Operation = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

struct Case {
  const char* name;
  std::vector<at::Tensor> inputs;  ///< float32
  Operation apply;
  bool in_bf16 = true;  ///< whether the programs run it in bfloat16
};

std::vector<Case> cases() {
  CounterNoise noise(0);
  const auto draw = [&](const char* stream, at::IntArrayRef shape) { return noise.normal({"doctor", stream}, shape); };
  const at::Tensor image = draw("image", {1, 32, 48, 48});
  return {{"convolution",
           {image, draw("kernel", {32, 32, 3, 3}) * 0.06},
           [](const std::vector<at::Tensor>& in) { return at::conv2d(in[0], in[1], {}, 1, 1); }},
          {"matrix product",
           {draw("left", {256, 256}), draw("right", {256, 256})},
           [](const std::vector<at::Tensor>& in) { return at::matmul(in[0], in[1]); }},
          {"group norm",
           {image + 3.0, draw("gain", {32}), draw("shift", {32})},
           [](const std::vector<at::Tensor>& in) { return at::group_norm(in[0], 8, in[1], in[2], 1e-6); }},
          {"attention",
           {draw("query", {2, 96, 32}), draw("key", {2, 96, 32}), draw("value", {2, 96, 32})},
           [](const std::vector<at::Tensor>& in) { return at::scaled_dot_product_attention(in[0], in[1], in[2]); }},
          {"Fourier transform",
           {draw("wave", {4, 510})},
           [](const std::vector<at::Tensor>& in) { return at::view_as_real(at::fft_rfft(in[0])); },
           /*in_bf16=*/false}};
}

/// The noise that every machine must draw for one key; the last digit is the C library's.
PrecisionRow noise_row() {
  const at::Tensor expected = at::tensor({-0.577764034, -1.47001445, 1.87597966, -0.0398566909}, at::kDouble);
  const at::Tensor drawn = CounterNoise(0).normal({"doctor", "noise"}, {4}).to(at::kDouble);
  return {"noise", "f32", "contiguous", (drawn - expected).abs().max().item<double>(), kNoiseLimit};
}

double error_of(const Case& each, c10::Device device, at::ScalarType type, bool channels_last) {
  std::vector<at::Tensor> exact, inputs;
  for (const at::Tensor& input : each.inputs) {
    // The reference sees the rounded inputs: only the operation itself is judged.
    at::Tensor rounded = input.to(type);
    exact.push_back(rounded.to(at::kDouble));
    if (channels_last && rounded.dim() == 4) rounded = rounded.contiguous(at::MemoryFormat::ChannelsLast);
    inputs.push_back(rounded.to(device));
  }
  const at::Tensor reference = each.apply(exact);
  try {
    const at::Tensor difference = each.apply(inputs).to(at::kCPU).to(at::kDouble) - reference;
    return (difference.abs().max() / reference.abs().max()).item<double>();
  } catch (const c10::Error&) {
    return std::numeric_limits<double>::infinity();
  }
}

}  // namespace

std::vector<PrecisionRow> check_precision(c10::Device device) {
  const c10::InferenceMode inference;
  std::vector<PrecisionRow> rows;
  for (const Case& each : cases())
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16})
      for (const bool channels_last : {false, true}) {
        if (channels_last && each.inputs.front().dim() != 4) continue;
        if (type == at::kBFloat16 && !each.in_bf16) continue;
        rows.push_back({each.name, type == at::kFloat ? "f32" : "bf16", channels_last ? "channels-last" : "contiguous",
                        error_of(each, device, type, channels_last), type == at::kFloat ? kF32Limit : kBf16Limit});
      }
  rows.push_back(noise_row());
  return rows;
}

}  // namespace reseda::tools
