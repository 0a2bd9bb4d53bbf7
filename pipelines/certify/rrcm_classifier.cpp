#include "pipelines/certify/rrcm_classifier.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "modules/core/error.hpp"

namespace reseda::certify {

Classifier rrcm_classifier(nets::Network& network, const diffusion::Process& process, const ImageInput& input,
                           double sigma) {
  input.validate();
  const double unit = input.std.front();
  RESEDA_REQUIRE(std::all_of(input.std.begin(), input.std.end(), [unit](double s) { return s == unit; }), Errc::kUsage,
                 "input.std must be the same for each channel, for the network knows one noise scale");
  const double t = std::max(sigma / unit, process.t_end());
  const double scale = process.network_scale(t), told = process.network_time(t);
  return [&network, input, scale, told](const at::Tensor& noisy) {
    const at::Tensor times = at::full({noisy.size(0)}, told, noisy.options());
    return network.forward(scale * input.normalised(noisy), {}, times);
  };
}

}  // namespace reseda::certify
