#include "io/checkpoint/value_arena.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "io/checkpoint/safetensors_header.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

static_assert(std::endian::native == std::endian::little, "storages are used in place, little endian");

/// What a storage's address must be a multiple of to be used in place.
std::size_t alignment(const Storage& storage) { return storage.untyped ? 16 : c10::elementSize(storage.dtype); }

/// Turns round the bytes of each number; a complex one is two numbers.
void swap_bytes(std::byte* data, std::uint64_t bytes, c10::ScalarType dtype) {
  const std::size_t width = c10::elementSize(dtype) / (c10::isComplexType(dtype) ? 2 : 1);
  for (std::uint64_t at = 0; at + width <= bytes; at += width) std::reverse(data + at, data + at + width);
}

}  // namespace

std::uint32_t ValueArena::add(CellKind kind, std::uint32_t link, std::uint64_t bits) {
  cells.push_back({kind, link, bits});
  return static_cast<std::uint32_t>(cells.size() - 1);
}

std::uint32_t ValueArena::add_text(CellKind kind, std::string text) {
  texts.push_back(std::move(text));
  return add(kind, static_cast<std::uint32_t>(texts.size() - 1));
}

std::uint32_t ValueArena::add_links(CellKind kind, std::vector<std::uint32_t> children) {
  if (children.empty()) return add(kind);
  links.push_back(std::move(children));
  return add(kind, static_cast<std::uint32_t>(links.size() - 1));
}

std::uint32_t ValueArena::add_tensor(TensorRef tensor) {
  tensors.push_back(std::move(tensor));
  return add(CellKind::kTensor, static_cast<std::uint32_t>(tensors.size() - 1));
}

std::uint32_t ValueArena::add_ready_tensor(at::Tensor tensor) {
  made_.resize(tensors.size());
  made_.push_back(std::move(tensor));
  return add_tensor({});
}

const at::Tensor& ValueArena::tensor_of(std::uint32_t index) const {
  const std::scoped_lock lock(mutex_);
  made_.resize(tensors.size());
  at::Tensor& slot = made_[cells[index].link];
  if (!slot.defined()) slot = make(tensors[cells[index].link]);
  return slot;
}

const ValueArena::Loaded& ValueArena::load(const Storage& storage, Loaded& slot) const {
  if (slot.data != nullptr) return slot;
  const ZipEntry& source = storage.source;
  const bool aligned = reinterpret_cast<std::uintptr_t>(source.data.data()) % alignment(storage) == 0;
  if (!source.deflated && !storage.big_endian && aligned) {
    slot = {source.data.data(), owner};
  } else {
    auto copy = std::make_shared<at::Tensor>(at::empty({static_cast<std::int64_t>(storage.bytes)}, at::kByte));
    auto* data = static_cast<std::byte*>(copy->data_ptr());
    if (source.deflated) {
      inflate_entry(source, {data, static_cast<std::size_t>(storage.bytes)}, file);
    } else {
      std::memcpy(data, source.data.data(), static_cast<std::size_t>(storage.bytes));
    }
    if (storage.big_endian) swap_bytes(data, storage.bytes, storage.dtype);
    slot = {data, std::move(copy)};
  }
  return slot;
}

at::Tensor ValueArena::make(const TensorRef& tensor) const {
  const auto options = at::TensorOptions().dtype(tensor.dtype);
  if (std::find(tensor.sizes.begin(), tensor.sizes.end(), 0) != tensor.sizes.end())
    return at::empty(tensor.sizes, options);
  loaded_.resize(storages.size());
  const Loaded& loaded = load(storages[tensor.view.storage], loaded_[tensor.view.storage]);
  const std::size_t size = c10::elementSize(tensor.dtype);
  std::byte* first = loaded.data + tensor.view.begin + static_cast<std::uint64_t>(tensor.offset) * size;
  std::int64_t extent = 1;  // elements from the first to the last
  for (std::size_t i = 0; i < tensor.sizes.size(); ++i) extent += (tensor.sizes[i] - 1) * tensor.strides[i];
  if (tensor.dtype == at::kBool) {
    const auto valid = [](std::byte value) { return std::to_integer<int>(value) <= 1; };
    RESEDA_REQUIRE(std::all_of(first, first + extent, valid), Errc::kCheckpoint, file,
                   ": a bool tensor holds bytes other than 0 and 1");
  }
  at::Tensor out;
  if (reinterpret_cast<std::uintptr_t>(first) % size == 0) {
    out = at::from_blob(
        first, tensor.sizes, tensor.strides, [owner = loaded.owner](void*) {}, options);
  } else {  // only a stretch of an untyped storage can start anywhere
    at::Tensor copy = at::empty({extent}, options);
    std::memcpy(copy.data_ptr(), first, static_cast<std::size_t>(extent) * size);
    out = copy.as_strided(tensor.sizes, tensor.strides);
  }
  if (tensor.conjugate) out = at::conj(out).resolve_conj();
  return tensor.negative ? at::neg(out) : out;
}

}  // namespace reseda::io
