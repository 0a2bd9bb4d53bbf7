#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "io/checkpoint/zip_archive.hpp"

namespace reseda::io {

/// What a cell of the arena is; finer than ValueKind.
enum class CellKind : std::uint8_t {
  kNone,
  kBool,     ///< bits: 0 or 1
  kInteger,  ///< bits: two's complement
  kBig,      ///< an integer beyond 64 bits; link: its decimal digits in texts
  kFloat,    ///< bits: IEEE double
  kText,     ///< link: in texts, UTF-8
  kBytes,    ///< link: in texts
  kList,     ///< link: in links, one cell per item
  kTuple,    ///< the same
  kSet,      ///< the same
  kDict,     ///< link: in links, key and value in turn
  kTensor,   ///< link: in tensors
  kStorage,  ///< link: in views
  kGlobal,   ///< link: "module.Name" in texts; bits: GlobalRole and dtype (see pickle_globals.hpp)
  kObject    ///< what a global outside the plain kinds made; bits: the cell of the global; link: in links, arguments
             ///< (a tuple), then each state
};

/// Sixteen bytes, so that a hostile pickle of one-byte instructions stays cheap.
struct Cell {
  CellKind kind = CellKind::kNone;
  std::uint32_t link = 0;
  std::uint64_t bits = 0;
};

/// The bytes behind tensors, as the file holds them.
struct Storage {
  ZipEntry source;  ///< in a legacy file: stored bytes without name
  c10::ScalarType dtype = c10::ScalarType::Byte;
  bool untyped = false;     ///< tensors say the dtype
  bool big_endian = false;  ///< needs its bytes turned round
  std::uint64_t bytes = 0;  ///< that the pickle says it has
};

/// A storage, or in legacy files a stretch of one, as the pickle hands it to tensors.
struct StorageView {
  std::uint32_t storage = 0;
  std::uint64_t begin = 0, bytes = 0;
};

/// A tensor as the pickle describes it, checked against the storage; offset in elements from the view's start.
struct TensorRef {
  StorageView view;
  c10::ScalarType dtype = c10::ScalarType::Float;
  std::int64_t offset = 0;
  std::vector<std::int64_t> sizes, strides;
  bool conjugate = false, negative = false;
};

/// Everything that Value handles point into. Cell 0 is none. Filled by one reader, then only read; tensors are made
/// when they are first asked for.
struct ValueArena {
  explicit ValueArena(std::string file_name) : file(std::move(file_name)), cells(1), links(1) {}

  std::uint32_t add(CellKind kind, std::uint32_t link = 0, std::uint64_t bits = 0);
  std::uint32_t add_text(CellKind kind, std::string text);
  std::uint32_t add_links(CellKind kind, std::vector<std::uint32_t> children);
  std::uint32_t add_tensor(TensorRef tensor);
  std::uint32_t add_ready_tensor(at::Tensor tensor);

  bool is(std::uint32_t index, CellKind kind) const { return cells[index].kind == kind; }
  const std::string& text_of(std::uint32_t index) const { return texts[cells[index].link]; }
  const std::vector<std::uint32_t>& links_of(std::uint32_t index) const { return links[cells[index].link]; }
  std::int64_t integer_of(std::uint32_t index) const { return static_cast<std::int64_t>(cells[index].bits); }

  /// The tensor of a cell, made now if it is the first time.
  /// @throws Error{kCheckpoint} if its bytes are damaged
  const at::Tensor& tensor_of(std::uint32_t index) const;

  std::string file;                   ///< its name in messages
  std::shared_ptr<const void> owner;  ///< of the mapped file
  std::vector<Cell> cells;
  std::vector<std::string> texts;
  std::vector<std::vector<std::uint32_t>> links;  ///< the first is empty, for all empty containers
  std::vector<TensorRef> tensors;
  std::vector<Storage> storages;
  std::vector<StorageView> views;

 private:
  struct Loaded {
    std::byte* data = nullptr;
    std::shared_ptr<const void> owner;
  };
  const Loaded& load(const Storage& storage, Loaded& slot) const;
  at::Tensor make(const TensorRef& tensor) const;

  mutable std::mutex mutex_;
  mutable std::vector<at::Tensor> made_;
  mutable std::vector<Loaded> loaded_;
};

}  // namespace reseda::io
