#include "io/checkpoint/safetensors.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>
#include <vector>

#include "io/record/mapped_file.hpp"
#include "io/checkpoint/safetensors_header.hpp"
#include "io/record/atomic_file.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is used in place, little endian");

constexpr std::size_t kDataAlignment = 64;

at::Tensor tensor_at(const std::shared_ptr<const void>& owner, std::byte* data, const SafetensorsEntry& entry) {
  const auto options = at::TensorOptions().dtype(entry.dtype);
  if (entry.begin == entry.end) return at::empty(entry.shape, options);
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  if (address % c10::elementSize(entry.dtype) != 0) {
    at::Tensor copy = at::empty(entry.shape, options);
    std::memcpy(copy.data_ptr(), data, static_cast<std::size_t>(entry.end - entry.begin));
    return copy;
  }
  return at::from_blob(
      data, entry.shape, [owner](void*) {}, options);
}

/// A JSON string literal; the format wants UTF-8.
std::string json_text(const std::string& text, const std::filesystem::path& path) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    detail::raise(Errc::kOutput, path.string(), ": cannot write: a name or metadata text is not UTF-8");
  }
}

struct Plan {
  std::string header;              ///< JSON, padded with spaces
  std::vector<std::size_t> order;  ///< indices of the tensors as their data lie in the file
};

void check_writable(const StateDict& tensors, const std::filesystem::path& path) {
  for (const auto& [name, tensor] : tensors) {
    RESEDA_REQUIRE(name != "__metadata__", Errc::kOutput, path.string(),
                   ": cannot write: a tensor may not be called __metadata__");
    RESEDA_REQUIRE(tensor.defined(), Errc::kOutput, path.string(), ": cannot write: tensor ", quoted_name(name),
                   " is undefined");
    RESEDA_REQUIRE(safetensors_dtype_name(tensor.scalar_type()) && tensor.layout() == at::kStrided, Errc::kOutput,
                   path.string(), ": cannot write: safetensors has no dtype for tensor ", quoted_name(name), " (",
                   c10::toString(tensor.scalar_type()), ", ", tensor.layout(), ")");
  }
}

Plan plan_file(const StateDict& tensors, const std::filesystem::path& path) {
  const auto& entries = tensors.entries();
  Plan plan;
  plan.order.resize(entries.size());
  std::iota(plan.order.begin(), plan.order.end(), std::size_t{0});
  std::stable_sort(plan.order.begin(), plan.order.end(), [&](std::size_t a, std::size_t b) {
    return entries[a].second.element_size() > entries[b].second.element_size();
  });
  std::vector<std::uint64_t> begins(entries.size());
  std::uint64_t offset = 0;
  for (const std::size_t i : plan.order) {
    begins[i] = offset;
    offset += static_cast<std::uint64_t>(entries[i].second.nbytes());
  }
  std::string json;
  for (const auto& [key, value] : tensors.metadata)
    json += (json.empty() ? "" : ",") + json_text(key, path) + ":" + json_text(value, path);
  if (!json.empty()) json = "\"__metadata__\":{" + json + "}";
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& [name, tensor] = entries[i];
    const std::string dtype(safetensors_dtype_name(tensor.scalar_type()).value());
    json += (json.empty() ? "" : ",") + json_text(name, path) + ":{\"dtype\":\"" + dtype +
            "\",\"shape\":" + nlohmann::json(tensor.sizes().vec()).dump() + ",\"data_offsets\":[" +
            std::to_string(begins[i]) + "," + std::to_string(begins[i] + tensor.nbytes()) + "]}";
  }
  plan.header = "{" + json + "}";
  const std::size_t past = (sizeof(std::uint64_t) + plan.header.size()) % kDataAlignment;
  plan.header.append((kDataAlignment - past) % kDataAlignment, ' ');
  RESEDA_REQUIRE(plan.header.size() <= kMaxSafetensorsHeaderBytes, Errc::kOutput, path.string(),
                 ": cannot write: names and metadata take more than ", kMaxSafetensorsHeaderBytes, " bytes");
  return plan;
}

}  // namespace

StateDict view_safetensors(std::shared_ptr<const void> owner, std::span<std::byte> bytes, const std::string& name) {
  SafetensorsHeader header = parse_safetensors_header(bytes, name);
  StateDict out;
  out.metadata = std::move(header.metadata);
  for (SafetensorsEntry& entry : header.entries) {
    std::byte* data = bytes.data() + header.data_begin + entry.begin;
    if (entry.dtype == at::kBool) {
      const auto valid = [](std::byte value) { return std::to_integer<int>(value) <= 1; };
      RESEDA_REQUIRE(std::all_of(data, data + (entry.end - entry.begin), valid), Errc::kCheckpoint, name, ": tensor ",
                     quoted_name(entry.name), ": a BOOL must be 0 or 1");
    }
    at::Tensor tensor = tensor_at(owner, data, entry);
    out.add(std::move(entry.name), std::move(tensor));
  }
  return out;
}

StateDict read_safetensors(const std::filesystem::path& path) {
  auto file = std::make_shared<const MappedFile>(path);
  const std::span<std::byte> bytes = file->bytes();
  return view_safetensors(std::move(file), bytes, path.string());
}

void write_safetensors(const StateDict& tensors, const std::filesystem::path& path) {
  check_writable(tensors, path);
  const Plan plan = plan_file(tensors, path);
  AtomicFile file(path);
  const std::uint64_t length = plan.header.size();
  file.write({reinterpret_cast<const char*>(&length), sizeof(length)});
  file.write(plan.header);
  for (const std::size_t i : plan.order) {
    const at::Tensor flat = tensors.entries()[i].second.detach().cpu().resolve_conj().resolve_neg().contiguous();
    file.write({static_cast<const char*>(flat.data_ptr()), flat.nbytes()});
  }
  file.commit(Existing::kReplace);
}

}  // namespace reseda::io
