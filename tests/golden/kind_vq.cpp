#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "tests/golden/golden_case.hpp"
#include "tests/golden/swin_network.hpp"

namespace reseda::golden {
namespace {

/// What the official code adds to the loss in training: 1.25 times the mean squared distance from the codes.
at::Tensor commitment(const at::Tensor& z, const at::Tensor& quantised) {
  return (1.25 * (quantised - z).square().mean()).reshape({1});
}

}  // namespace

/// The autoencoder: latents, codes, decoded images, and the gradient through the codes.
void run_vq(GoldenCase& golden) {
  const auto network = make_vq(golden.config().at("vq"), golden.weights());
  const at::Tensor x = golden.input("x"), odd = golden.input("x_odd");
  golden.tensor("mid.code_margin");
  {
    const at::Tensor z = golden.input("z").requires_grad_();
    golden.check("out.dec_z_indices", network->quantize(z).indices);
    const at::Tensor image = network->decode(z);
    golden.check("out.ste_dec", image);
    (image * golden.input("cot")).sum().backward();
    golden.check("out.ste_grad", z.grad());
  }
  const at::InferenceMode inference;
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    const at::Tensor z = network->encode(x.contiguous(format));
    golden.check("out.z", z);
    const nn::Quantised quantised = network->quantize(z);
    golden.check("out.indices", quantised.indices);
    golden.check("out.quant", quantised.z);
    golden.check("out.quant", network->codes(quantised.indices));
    golden.check("out.quant_loss", commitment(z, quantised.z));
    golden.check("out.dec", network->decode(z));
    golden.check("out.dec_not_quantized", network->decode(z, nets::Latents::kAsTheyAre));
  }
  network->set_probe(
      [&](const std::string& part, const at::Tensor& value) { golden.check_if_recorded("mid." + part, value); });
  golden.check("out.forward_odd", network->forward(odd, {}, {}));
}

}  // namespace reseda::golden
