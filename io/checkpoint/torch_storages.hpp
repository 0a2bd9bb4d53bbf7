#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "io/checkpoint/pickle_context.hpp"

namespace reseda::io {

/// What a persistent id of a torch file says: ("storage", class, key, location, elements [, view of it]).
struct StorageId {
  std::string key;
  c10::ScalarType dtype = c10::ScalarType::Byte;
  bool untyped = false;
  std::uint64_t bytes = 0;
  /// Legacy files: the stretch that is meant, in bytes.
  std::optional<StorageView> view;
};

/// Checks a persistent id and reads it; counts times element sizes are overflow-checked. The location is passed over.
/// @throws Error{kCheckpoint}
StorageId read_storage_id(const PickleContext& context, std::uint32_t id);

/// The storages that the persistent ids of one file have named so far, by key.
class StorageTable {
 public:
  /// The cell of the storage (or stretch) of this id. A new key gets a storage without bytes.
  /// @throws Error{kCheckpoint} if the key was used for another type or size
  std::uint32_t cell(PickleContext& context, const StorageId& id);

  /// The storage of a key; nothing when no id named it.
  std::optional<std::uint32_t> find(const std::string& key) const;
  std::size_t size() const { return storages_.size(); }

 private:
  std::map<std::string, std::uint32_t> storages_;
  std::map<std::string, std::uint32_t> cells_;  // by key and stretch
};

}  // namespace reseda::io
