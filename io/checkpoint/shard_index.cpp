#include "io/checkpoint/shard_index.hpp"

#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "io/checkpoint/safetensors_header.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

/// No path, no hidden meaning: the name of a file in the same folder.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

/// Receives the JSON events; other keys of the top object may hold anything and are passed over.
class IndexHandler final : public nlohmann::json_sax<nlohmann::json> {
 public:
  IndexHandler(ShardIndex& out, const std::string& file) : out_(out), file_(file) {}

  bool null() override { return scalar("null"); }
  bool boolean(bool value) override { return scalar(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return scalar(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return scalar(text); }
  bool binary(binary_t&) override { return scalar("binary"); }

  bool string(string_t& value) override {
    if (depth_ != 2 || section_ != Section::kMap) return scalar(value);
    RESEDA_REQUIRE(is_plain_name(value), Errc::kCheckpoint, file_, ": tensor ", quoted_name(key_), ": shard ",
                   quoted_name(value), " must be the name of a file in the index's folder");
    out_.tensors.emplace_back(key_, std::move(value));
    return true;
  }

  bool start_object(std::size_t) override { return open(true); }
  bool start_array(std::size_t) override { return open(false); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& value) override {
    if (depth_ == 1) {
      section_ = value == "weight_map" ? Section::kMap : value == "metadata" ? Section::kMetadata : Section::kOther;
      RESEDA_REQUIRE(section_ != Section::kMap || !seen_map_, Errc::kCheckpoint, file_, ": weight_map is there twice");
      seen_map_ = seen_map_ || section_ == Section::kMap;
    }
    if (depth_ == 2 && section_ == Section::kMap)
      RESEDA_REQUIRE(names_.insert(value).second, Errc::kCheckpoint, file_, ": weight_map has ", quoted_name(value),
                     " twice");
    if (depth_ <= 2) key_ = std::move(value);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    detail::raise(Errc::kCheckpoint, file_, ": is not valid JSON (near byte ", position, ")");
  }

  bool seen_map() const { return seen_map_; }

 private:
  enum class Section { kNone, kMap, kMetadata, kOther };
  static constexpr int kMaxDepth = 64;

  bool scalar(const std::string& text) {
    check_map();
    if (depth_ == 2 && section_ == Section::kMetadata) out_.metadata.emplace(key_, text);
    return true;
  }

  bool open(bool object) {
    RESEDA_REQUIRE(depth_ > 0 || object, Errc::kCheckpoint, file_, ": must be a JSON object");
    if (depth_ == 1 && section_ == Section::kMap)
      RESEDA_REQUIRE(object, Errc::kCheckpoint, file_, ": weight_map must be an object of tensor names and files");
    if (depth_ >= 2) check_map();
    RESEDA_REQUIRE(depth_ < kMaxDepth, Errc::kCheckpoint, file_, ": JSON nested deeper than ", kMaxDepth);
    ++depth_;
    return true;
  }

  bool close() {
    --depth_;
    return true;
  }

  void check_map() const {
    RESEDA_REQUIRE(depth_ > 0, Errc::kCheckpoint, file_, ": must be a JSON object");
    RESEDA_REQUIRE(section_ != Section::kMap, Errc::kCheckpoint, file_,
                   ": weight_map must give each tensor the name of a file");
  }

  ShardIndex& out_;
  const std::string& file_;
  int depth_ = 0;
  Section section_ = Section::kNone;
  std::set<std::string> names_;
  std::string key_;
  bool seen_map_ = false;
};

}  // namespace

ShardIndex parse_shard_index(std::span<const std::byte> bytes, const std::string& name) {
  RESEDA_REQUIRE(bytes.size() <= kMaxShardIndexBytes, Errc::kCheckpoint, name, ": ", bytes.size(),
                 " bytes are too many for an index");
  const char* text = reinterpret_cast<const char*>(bytes.data());
  ShardIndex out;
  IndexHandler handler(out, name);
  nlohmann::json::sax_parse(text, text + bytes.size(), &handler);
  RESEDA_REQUIRE(handler.seen_map(), Errc::kCheckpoint, name,
                 ": is JSON without a weight_map, expected a checkpoint or a safetensors index");
  return out;
}

}  // namespace reseda::io
