#include <ATen/ATen.h>

#include "modules/signal/stft.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/golden_signal.hpp"

namespace reseda::golden {

/// Compression of single awkward values and the inverse STFT of a spectrogram that is nobody's STFT.
void run_transform(GoldenCase& golden) {
  const nlohmann::json& config = golden.config();
  for (const auto& variant : config.at("variants")) {
    const signal::SpectralTransformConfig transform{.type = variant.at(0).get<std::string>(),
                                                    .exponent = variant.at(1).get<double>(),
                                                    .factor = variant.at(2).get<double>()};
    const std::string name = transform.type + "_" + variant.at(1).dump() + "_" + variant.at(2).dump();
    const bool small = transform.type == "log" && golden.has("in.values_small");
    // The values span many decades, so the suggested absolute tolerance says little: relative to the modulus.
    constexpr Tolerance kRelative{.atol = 1e-37, .rtol = 1e-5};
    golden.check("out.fwd_" + name, signal::compress(golden.input("values"), transform), kRelative);
    golden.check("out.back_" + name, signal::expand(golden.input(small ? "values_small" : "values"), transform),
                 kRelative);
  }
  const signal::StftConfig stft = stft_config(config.at("data"));
  golden.check_if_recorded("mid.window", signal::window(stft));
  const at::Tensor spectrum = golden.input("spec");
  for (const auto& entry : config.at("istft_lengths")) {
    const bool whole = entry.is_null();
    const std::int64_t length = whole ? stft.hop * (spectrum.size(-1) - 1) : entry.get<std::int64_t>();
    const std::string suffix = whole ? ".None" : "." + std::to_string(length);
    golden.check_if_recorded("out.istft" + suffix, signal::istft(spectrum, stft, length));
    golden.check_if_recorded(
        "out.to_audio" + suffix,
        signal::istft(signal::expand(spectrum, transform_config(config.at("data"))), stft, length));
  }
}

}  // namespace reseda::golden
