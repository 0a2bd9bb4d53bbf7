#include <ATen/ATen.h>

#include "modules/signal/stft.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/golden_signal.hpp"

namespace reseda::golden {

/// Front end at several lengths: STFT, compression, padding of the frames to a multiple of 64, expansion, inverse STFT.
void run_stft(GoldenCase& golden) {
  const nlohmann::json& config = golden.config();
  const signal::StftConfig stft = stft_config(config.at("data"));
  const signal::SpectralTransformConfig transform = transform_config(config.at("data"));
  const at::Tensor recording = golden.input("wav");
  for (const auto& entry : config.at("lengths")) {
    const auto length = entry.get<std::int64_t>();
    const std::string suffix = "." + std::to_string(length);
    const at::Tensor spectrum = signal::stft(recording.slice(-1, 0, length), stft);
    const at::Tensor compressed = signal::compress(spectrum, transform);
    const at::Tensor expanded = signal::expand(compressed, transform);
    golden.check_if_recorded("out.stft" + suffix, spectrum);
    golden.check_if_recorded("out.fwd" + suffix, compressed);
    golden.check_if_recorded("out.back" + suffix, expanded);
    golden.check_if_recorded("out.istft" + suffix, signal::istft(expanded, stft, length));
    for (const auto& mode : config.value("pad_modes", nlohmann::json::array())) {
      const auto name = mode.get<std::string>();
      golden.check_if_recorded("out.pad_" + name + suffix,
                               signal::pad_frames(compressed.unsqueeze(0), 64, signal::parse_frame_padding(name)));
    }
    for (const auto& changes : config.value("extra_transforms", nlohmann::json::array())) {
      nlohmann::json data = config.at("data");
      data.update(changes);
      const signal::SpectralTransformConfig other = transform_config(data);
      const at::Tensor forward = signal::compress(spectrum, other);
      golden.check_if_recorded("out.fwd_" + other.type + suffix, forward);
      golden.check_if_recorded("out.istft_" + other.type + suffix,
                               signal::istft(signal::expand(forward, other), stft, length));
    }
  }
}

}  // namespace reseda::golden
