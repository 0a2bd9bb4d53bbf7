#include "io/checkpoint/safetensors_header.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <utility>

#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

using Dtype = std::pair<std::string_view, c10::ScalarType>;
constexpr std::array<Dtype, 19> kDtypes = {{{"F64", c10::ScalarType::Double},
                                            {"F32", c10::ScalarType::Float},
                                            {"F16", c10::ScalarType::Half},
                                            {"BF16", c10::ScalarType::BFloat16},
                                            {"I64", c10::ScalarType::Long},
                                            {"I32", c10::ScalarType::Int},
                                            {"I16", c10::ScalarType::Short},
                                            {"I8", c10::ScalarType::Char},
                                            {"U64", c10::ScalarType::UInt64},
                                            {"U32", c10::ScalarType::UInt32},
                                            {"U16", c10::ScalarType::UInt16},
                                            {"U8", c10::ScalarType::Byte},
                                            {"BOOL", c10::ScalarType::Bool},
                                            {"C64", c10::ScalarType::ComplexFloat},
                                            {"F8_E5M2", c10::ScalarType::Float8_e5m2},
                                            {"F8_E4M3", c10::ScalarType::Float8_e4m3fn},
                                            {"F8_E5M2FNUZ", c10::ScalarType::Float8_e5m2fnuz},
                                            {"F8_E4M3FNUZ", c10::ScalarType::Float8_e4m3fnuz},
                                            {"F8_E8M0", c10::ScalarType::Float8_e8m0fnu}}};

/// Receives the JSON events of the header and builds the entries; any event that the format does not allow at its place
/// is an error, so nesting never gets deeper than entry -> field -> number.
class HeaderHandler final : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderHandler(SafetensorsHeader& out, const std::string& file) : out_(out), file_(file) {}

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { return unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return unexpected("a fraction"); }
  bool binary(binary_t&) override { return unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ == State::kShape) {
      RESEDA_REQUIRE(entry_.shape.size() < kMaxSafetensorsDims, Errc::kCheckpoint, where(), ": more than ",
                     kMaxSafetensorsDims, " dimensions");
      RESEDA_REQUIRE(std::in_range<std::int64_t>(value), Errc::kCheckpoint, where(), ": dimension ", value,
                     " is too large");
      entry_.shape.push_back(static_cast<std::int64_t>(value));
    } else if (state_ == State::kOffsets) {
      RESEDA_REQUIRE(offsets_ < 2, Errc::kCheckpoint, where(), ": data_offsets must be two numbers");
      (offsets_++ == 0 ? entry_.begin : entry_.end) = value;
    } else {
      return unexpected("a number");
    }
    return true;
  }

  bool string(string_t& value) override {
    if (state_ == State::kMetadataValue) {
      out_.metadata.emplace(key_, std::move(value));
      state_ = State::kMetadata;
      return true;
    }
    if (state_ != State::kDtype) return unexpected("a string");
    const auto dtype = safetensors_dtype(value);
    RESEDA_REQUIRE(dtype.has_value(), Errc::kCheckpoint, where(), ": dtype ", quoted_name(value), " is not supported");
    entry_.dtype = *dtype;
    state_ = State::kEntry;
    return true;
  }

  bool start_object(std::size_t) override {
    if (state_ == State::kStart) {
      state_ = State::kTop;
    } else if (state_ == State::kTopValue) {
      state_ = key_ == "__metadata__" ? State::kMetadata : State::kEntry;
      if (state_ == State::kEntry) begin_entry();
    } else {
      return unexpected("an object");
    }
    return true;
  }

  bool key(string_t& value) override {
    if (state_ == State::kTop) {
      RESEDA_REQUIRE(names_.insert(value).second, Errc::kCheckpoint, file_, ": header has ", quoted_name(value),
                     " twice");
      key_ = std::move(value);
      state_ = State::kTopValue;
    } else if (state_ == State::kMetadata) {
      RESEDA_REQUIRE(out_.metadata.find(value) == out_.metadata.end(), Errc::kCheckpoint, file_, ": metadata has ",
                     quoted_name(value), " twice");
      key_ = std::move(value);
      state_ = State::kMetadataValue;
    } else {
      begin_field(value);
    }
    return true;
  }

  bool end_object() override {
    if (state_ == State::kEntry) {
      RESEDA_REQUIRE(seen_ == 7, Errc::kCheckpoint, where(), ": needs dtype, shape and data_offsets");
      out_.entries.push_back(std::move(entry_));
    }
    state_ = state_ == State::kTop ? State::kStart : State::kTop;
    return true;
  }

  bool start_array(std::size_t) override {
    if (state_ == State::kShapeValue) {
      state_ = State::kShape;
    } else if (state_ == State::kOffsetsValue) {
      state_ = State::kOffsets;
    } else {
      return unexpected("a list");
    }
    return true;
  }

  bool end_array() override {
    RESEDA_REQUIRE(state_ == State::kShape || offsets_ == 2, Errc::kCheckpoint, where(),
                   ": data_offsets must be two numbers");
    state_ = State::kEntry;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    detail::raise(Errc::kCheckpoint, file_, ": header is not valid JSON (near byte ", position, " of it)");
  }

 private:
  enum class State {
    kStart,
    kTop,
    kTopValue,
    kMetadata,
    kMetadataValue,
    kEntry,
    kDtype,
    kShapeValue,
    kShape,
    kOffsetsValue,
    kOffsets
  };

  void begin_entry() {
    entry_ = SafetensorsEntry{};
    entry_.name = key_;
    seen_ = 0;
    offsets_ = 0;
  }

  void begin_field(const std::string& field) {
    const int bit = field == "dtype" ? 1 : field == "shape" ? 2 : field == "data_offsets" ? 4 : 0;
    RESEDA_REQUIRE(bit != 0, Errc::kCheckpoint, where(), ": unknown field ", quoted_name(field));
    RESEDA_REQUIRE((seen_ & bit) == 0, Errc::kCheckpoint, where(), ": ", field, " is there twice");
    seen_ |= bit;
    state_ = bit == 1 ? State::kDtype : bit == 2 ? State::kShapeValue : State::kOffsetsValue;
  }

  bool unexpected(const char* what) const {
    if (state_ == State::kMetadataValue)
      detail::raise(Errc::kCheckpoint, file_, ": metadata ", quoted_name(key_), " must be a string, found ", what);
    detail::raise(Errc::kCheckpoint, where(), ": ", what, " is not allowed here");
  }

  std::string where() const {
    return state_ == State::kStart || state_ == State::kTop ? file_ + ": header"
                                                            : file_ + ": tensor " + quoted_name(key_);
  }

  SafetensorsHeader& out_;
  const std::string& file_;
  State state_ = State::kStart;
  std::set<std::string> names_;
  std::string key_;
  SafetensorsEntry entry_;
  int seen_ = 0, offsets_ = 0;
};

/// product(shape) x element size; every dimension counts as at least 1 in the overflow check, so that strides fit too.
std::uint64_t checked_bytes(const SafetensorsEntry& entry, const std::string& file) {
  std::int64_t extent = static_cast<std::int64_t>(c10::elementSize(entry.dtype));
  bool empty = false, overflow = false;
  for (const std::int64_t dim : entry.shape) {
    empty = empty || dim == 0;
    overflow = overflow || __builtin_mul_overflow(extent, std::max<std::int64_t>(dim, 1), &extent);
  }
  RESEDA_REQUIRE(!overflow, Errc::kCheckpoint, file, ": tensor ", quoted_name(entry.name), ": shape is too large");
  return empty ? 0 : static_cast<std::uint64_t>(extent);
}

void check_layout(const SafetensorsHeader& header, std::uint64_t data_bytes, const std::string& file) {
  std::vector<std::size_t> order(header.entries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const SafetensorsEntry &x = header.entries[a], &y = header.entries[b];
    return std::pair(x.begin, x.end) < std::pair(y.begin, y.end);
  });
  std::uint64_t covered = 0;
  for (const std::size_t i : order) {
    const SafetensorsEntry& entry = header.entries[i];
    RESEDA_REQUIRE(entry.begin <= entry.end && entry.end <= data_bytes, Errc::kCheckpoint, file, ": tensor ",
                   quoted_name(entry.name), ": data_offsets [", entry.begin, ", ", entry.end,
                   "] are outside the file's ", data_bytes, " bytes of data (a truncated file?)");
    RESEDA_REQUIRE(entry.begin == covered, Errc::kCheckpoint, file, ": tensor ", quoted_name(entry.name),
                   ": data starts at ", entry.begin, ", expected ", covered,
                   " (tensors must follow each other without gap or overlap)");
    const std::uint64_t needed = checked_bytes(entry, file);
    RESEDA_REQUIRE(entry.end - entry.begin == needed, Errc::kCheckpoint, file, ": tensor ", quoted_name(entry.name),
                   ": shape and dtype need ", needed, " bytes, data_offsets give ", entry.end - entry.begin);
    covered = entry.end;
  }
  RESEDA_REQUIRE(covered == data_bytes, Errc::kCheckpoint, file, ": ", data_bytes - covered,
                 " bytes after the last tensor belong to none");
}

}  // namespace

std::optional<c10::ScalarType> safetensors_dtype(std::string_view name) {
  for (const Dtype& dtype : kDtypes)
    if (dtype.first == name) return dtype.second;
  return std::nullopt;
}

std::optional<std::string_view> safetensors_dtype_name(c10::ScalarType dtype) {
  for (const Dtype& known : kDtypes)
    if (known.second == dtype) return known.first;
  return std::nullopt;
}

std::string quoted_name(std::string_view name) {
  constexpr std::size_t kLongest = 80;
  std::string text = "'";
  for (const char c : name.substr(0, kLongest)) text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return text + (name.size() > kLongest ? "...'" : "'");
}

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file, const std::string& name) {
  constexpr std::uint64_t kPrefix = 8;
  RESEDA_REQUIRE(file.size() > kPrefix, Errc::kCheckpoint, name, ": ", file.size(),
                 " bytes are too few for a safetensors file");
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kPrefix; ++i) length |= std::to_integer<std::uint64_t>(file[i]) << (8 * i);
  RESEDA_REQUIRE(length <= kMaxSafetensorsHeaderBytes, Errc::kCheckpoint, name, ": header length ", length,
                 " is above ", kMaxSafetensorsHeaderBytes, ": not a safetensors file");
  RESEDA_REQUIRE(length >= 2 && length <= file.size() - kPrefix, Errc::kCheckpoint, name, ": header of ", length,
                 " bytes does not fit the file's ", file.size(), " bytes (truncated, or not a safetensors file)");
  const char* text = reinterpret_cast<const char*>(file.data()) + kPrefix;
  RESEDA_REQUIRE(text[0] == '{', Errc::kCheckpoint, name, ": header does not start with '{': not a safetensors file");
  // The JSON lexer takes a zero byte for the end of its input.
  RESEDA_REQUIRE(std::memchr(text, 0, length) == nullptr, Errc::kCheckpoint, name, ": header holds a zero byte");
  SafetensorsHeader header;
  header.data_begin = kPrefix + length;
  HeaderHandler handler(header, name);
  nlohmann::json::sax_parse(text, text + length, &handler);
  check_layout(header, file.size() - header.data_begin, name);
  return header;
}

}  // namespace reseda::io
