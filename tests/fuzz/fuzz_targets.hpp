#pragma once

#include <cstdint>
#include <span>

namespace reseda::fuzz {

/// Each target gives untrusted bytes to one reader. The reader may refuse them with its own error code; anything else
/// (another exception, a crash, a sanitizer's report) is a finding.
void safetensors(std::span<const std::uint8_t> bytes);
void zip(std::span<const std::uint8_t> bytes);
void pickle(std::span<const std::uint8_t> bytes);
void torch_legacy(std::span<const std::uint8_t> bytes);
void array(std::span<const std::uint8_t> bytes);
void audio(std::span<const std::uint8_t> bytes);
void image(std::span<const std::uint8_t> bytes);
void volume(std::span<const std::uint8_t> bytes);
void kspace(std::span<const std::uint8_t> bytes);

}  // namespace reseda::fuzz
