#include <algorithm>
#include <map>
#include <set>

#include "io/volume/text_fields.hpp"
#include "io/volume/volume_header.hpp"

namespace reseda::io::detail {
namespace {

// MetaIO keeps keys and values of additional fields in arrays of fixed size.
constexpr std::size_t kMaxKey = 200, kMaxValue = 4000;

/// MetaImage's longs have four bytes.
const std::map<std::string_view, at::ScalarType> kTypes = {
    {"MET_CHAR", at::kChar},      {"MET_UCHAR", at::kByte},  {"MET_SHORT", at::kShort},  {"MET_USHORT", at::kUInt16},
    {"MET_INT", at::kInt},        {"MET_UINT", at::kUInt32}, {"MET_LONG", at::kInt},     {"MET_ULONG", at::kUInt32},
    {"MET_LONG_LONG", at::kLong}, {"MET_FLOAT", at::kFloat}, {"MET_DOUBLE", at::kDouble}};

/// Fields of numbers: one for each axis, one for each pair of axes, or as many as it says.
constexpr std::size_t kAxes = 100, kMatrix = 101;
const std::map<std::string_view, std::size_t> kNumbers = {{"TransformMatrix", kMatrix},
                                                          {"Rotation", kMatrix},
                                                          {"Orientation", kMatrix},
                                                          {"Offset", kAxes},
                                                          {"Position", kAxes},
                                                          {"Origin", kAxes},
                                                          {"CenterOfRotation", kAxes},
                                                          {"ElementSpacing", kAxes},
                                                          {"ElementSize", kAxes},
                                                          {"SequenceID", kAxes},
                                                          {"Color", 4},
                                                          {"ElementMin", 1},
                                                          {"ElementMax", 1},
                                                          {"ID", 1},
                                                          {"ParentID", 1},
                                                          {"ElementNBits", 1},
                                                          {"CompressionLevel", 1},
                                                          {"ElementToIntensityFunctionSlope", 1},
                                                          {"ElementToIntensityFunctionOffset", 1}};

bool is_true(std::string_view value, const std::string& name, std::string_view key) {
  RESEDA_REQUIRE(value == "True" || value == "False", Errc::kInput, name, ": ", key, " is '", value,
                 "', expected True or False");
  return value == "True";
}

class Header {
 public:
  explicit Header(const std::string& name) : name_(name) {}

  void field(const std::string& key, std::string_view value) {
    RESEDA_REQUIRE(seen_.insert(key).second, Errc::kInput, name_, ": field '", key, "' appears twice");
    if (key == "ObjectType") {
      expect(key, value, "Image");
    } else if (key == "NDims") {
      rank_ = static_cast<std::size_t>(parse_sizes(value, 1, name_, "NDims")[0]);
      RESEDA_REQUIRE(rank_ == 2 || rank_ == 3, Errc::kInput, name_, ": NDims is ", rank_,
                     ", expected 3 (one scalar volume)");
    } else if (key == "DimSize") {
      RESEDA_REQUIRE(rank_ > 0, Errc::kInput, name_, ": DimSize before NDims");
      const auto sizes = parse_sizes(value, rank_, name_, "DimSize");
      std::copy(sizes.begin(), sizes.end(), header_.size.begin());
    } else if (key == "ElementType") {
      const auto type = kTypes.find(value);
      RESEDA_REQUIRE(type != kTypes.end(), Errc::kInput, name_, ": ElementType '", value, "' is not read");
      header_.type = type->second;
    } else if (key == "BinaryData") {
      expect(key, value, "True");
    } else if (key == "CompressedData") {
      header_.deflated = is_true(value, name_, key);
    } else if (key == "BinaryDataByteOrderMSB" || key == "ElementByteOrderMSB") {
      header_.swapped = is_true(value, name_, key);
    } else if (key == "ElementNumberOfChannels") {
      expect(key, value, "1");
    } else if (key == "HeaderSize") {
      expect(key, value, "0");
    } else if (key == "CompressedDataSize") {
      parse_sizes(value, 1, name_, "CompressedDataSize");
    } else if (const auto numbers = kNumbers.find(key); numbers != kNumbers.end()) {
      const std::size_t expected = numbers->second == kAxes     ? rank_
                                   : numbers->second == kMatrix ? rank_ * rank_
                                                                : numbers->second;
      const std::size_t count = check_plain_numbers(value, " \t", name_, key);
      RESEDA_REQUIRE(count == expected, Errc::kInput, name_, ": ", key, " has ", count, " numbers, expected ",
                     expected);
    }
  }

  VolumeHeader complete(std::size_t offset) {
    for (const char* key : {"ObjectType", "NDims", "DimSize", "ElementType", "BinaryData"})
      RESEDA_REQUIRE(seen_.count(key) > 0, Errc::kInput, name_, ": the header has no field '", key, "'");
    header_.offset = offset;
    return header_;
  }

 private:
  void expect(std::string_view key, std::string_view value, std::string_view expected) const {
    RESEDA_REQUIRE(value == expected, Errc::kInput, name_, ": ", key, " is '", value, "', expected ", expected);
  }

  const std::string& name_;
  std::set<std::string, std::less<>> seen_;
  std::size_t rank_ = 0;
  VolumeHeader header_;
};

}  // namespace

VolumeHeader read_meta_header(std::string_view head, const std::string& name) {
  Header header(name);
  std::size_t start = 0;
  for (std::size_t end = head.find('\n'); end != std::string_view::npos; end = head.find('\n', start)) {
    const std::string_view line = head.substr(start, end - start);
    const std::size_t equals = line.find('=');
    RESEDA_REQUIRE(equals != std::string_view::npos && equals <= kMaxKey && line.size() <= kMaxValue, Errc::kInput,
                   name, start == 0 ? ": is not a MetaImage file" : ": a header line is not 'key = value'");
    start = end + 1;
    const std::string_view key = trimmed(line.substr(0, equals)), value = trimmed(line.substr(equals + 1));
    if (key == "ElementDataFile") {
      RESEDA_REQUIRE(value == "LOCAL", Errc::kInput, name, ": data in another file is not read");
      return header.complete(start);
    }
    header.field(std::string(key), value);
  }
  reseda::detail::raise(Errc::kInput, name, ": the MetaImage header does not end within ", kMaxTextHeader, " bytes");
}

}  // namespace reseda::io::detail
