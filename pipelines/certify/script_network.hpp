#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "modules/nets/network.hpp"

namespace reseda::certify {

/// The network of a TorchScript file: x [B,C,H,W] in [0, 1] -> logits [B,classes], normalisation inside. The file is a
/// program and runs with the rights of the caller: only for files that are trusted as programs are. It computes in
/// evaluation mode and float32, by the interpreter without fusion, so that the first call is as every other.
/// @throws Error{kCheckpoint} where LibTorch cannot read it as such a program
std::shared_ptr<nets::Network> read_torch_script(const std::filesystem::path& file);

}  // namespace reseda::certify
