#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "io/checkpoint/checkpoint.hpp"

namespace reseda::io {

/// Reads a torch zip file (torch.save since 1.6): "<root>/data.pkl", a pickle whose persistent ids name storages, and
/// one entry "<root>/data/<key>" per storage, little endian unless the entry "byteorder" says "big". Storages are not
/// read before a tensor of theirs is asked for.
/// @param owner  keeps `bytes` alive
/// @param name   the file's name in messages
/// @throws Error{kCheckpoint}
Checkpoint read_torch_zip(std::shared_ptr<const void> owner, std::span<std::byte> bytes, const std::string& name,
                          const CheckpointOptions& options = {});

/// Reads a legacy torch file: the pickles of a magic number, the protocol 1001, facts about the machine, the object and
/// the list of storage keys; then for each key an int64 element count and the elements, little endian.
/// Parameters and errors as above.
Checkpoint read_torch_legacy(std::shared_ptr<const void> owner, std::span<std::byte> bytes, const std::string& name,
                             const CheckpointOptions& options = {});

}  // namespace reseda::io
