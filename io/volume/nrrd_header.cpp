#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <set>

#include "io/volume/text_fields.hpp"
#include "io/volume/volume_header.hpp"

namespace reseda::io::detail {
namespace {

/// Names of types, without blanks.
const std::map<std::string, at::ScalarType, std::less<>> kTypes = {{"signedchar", at::kChar},
                                                                   {"int8", at::kChar},
                                                                   {"int8_t", at::kChar},
                                                                   {"uchar", at::kByte},
                                                                   {"unsignedchar", at::kByte},
                                                                   {"uint8", at::kByte},
                                                                   {"uint8_t", at::kByte},
                                                                   {"short", at::kShort},
                                                                   {"shortint", at::kShort},
                                                                   {"signedshort", at::kShort},
                                                                   {"signedshortint", at::kShort},
                                                                   {"int16", at::kShort},
                                                                   {"int16_t", at::kShort},
                                                                   {"ushort", at::kUInt16},
                                                                   {"unsignedshort", at::kUInt16},
                                                                   {"unsignedshortint", at::kUInt16},
                                                                   {"uint16", at::kUInt16},
                                                                   {"uint16_t", at::kUInt16},
                                                                   {"int", at::kInt},
                                                                   {"signedint", at::kInt},
                                                                   {"int32", at::kInt},
                                                                   {"int32_t", at::kInt},
                                                                   {"uint", at::kUInt32},
                                                                   {"unsignedint", at::kUInt32},
                                                                   {"uint32", at::kUInt32},
                                                                   {"uint32_t", at::kUInt32},
                                                                   {"longlong", at::kLong},
                                                                   {"longlongint", at::kLong},
                                                                   {"int64", at::kLong},
                                                                   {"int64_t", at::kLong},
                                                                   {"float", at::kFloat},
                                                                   {"double", at::kDouble}};

/// Fields of numbers, and how many there may be.
const std::map<std::string, std::size_t, std::less<>> kNumbers = {{"spacings", 3},
                                                                  {"thicknesses", 3},
                                                                  {"axismins", 3},
                                                                  {"axismaxs", 3},
                                                                  {"spaceorigin", 3},
                                                                  {"spacedirections", 9},
                                                                  {"measurementframe", 9},
                                                                  {"spacedimension", 1},
                                                                  {"oldmin", 1},
                                                                  {"oldmax", 1},
                                                                  {"min", 1},
                                                                  {"max", 1}};

/// Fields that say nothing which must be checked before ITK reads them.
const std::set<std::string, std::less<>> kOther = {"content", "number", "centers",    "centerings",
                                                   "labels",  "units",  "sampleunits"};

/// Lower case without blanks: NRRD writes "space directions" and "spacedirections".
std::string bare(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != ' ' && c != '\t') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// Each word must be allowed.
void check_words(std::string_view text, const std::set<std::string, std::less<>>& allowed, const std::string& name,
                 const char* field) {
  for (text = trimmed(text); !text.empty();) {
    const std::string_view word = text.substr(0, text.find_first_of(" \t"));
    RESEDA_REQUIRE(allowed.count(bare(word)) > 0, Errc::kInput, name, ": ", field, " '", word, "' is not read");
    text = trimmed(text.substr(word.size()));
  }
}

class Header {
 public:
  explicit Header(const std::string& name) : name_(name) {}

  void field(const std::string& key, std::string_view value) {
    RESEDA_REQUIRE(seen_.insert(key).second, Errc::kInput, name_, ": field '", key, "' appears twice");
    if (key == "dimension") {
      rank_ = static_cast<std::size_t>(parse_sizes(value, 1, name_, "dimension")[0]);
      RESEDA_REQUIRE(rank_ == 2 || rank_ == 3, Errc::kInput, name_, ": dimension is ", rank_,
                     ", expected 3 (one scalar volume)");
    } else if (key == "sizes") {
      RESEDA_REQUIRE(rank_ > 0, Errc::kInput, name_, ": sizes before dimension");
      const auto sizes = parse_sizes(value, rank_, name_, "sizes");
      std::copy(sizes.begin(), sizes.end(), header_.size.begin());
    } else if (key == "type") {
      const auto type = kTypes.find(bare(value));
      RESEDA_REQUIRE(type != kTypes.end(), Errc::kInput, name_, ": type '", value, "' is not read");
      header_.type = type->second;
    } else if (key == "encoding") {
      const std::string encoding = bare(value);
      header_.deflated = encoding == "gzip" || encoding == "gz";
      RESEDA_REQUIRE(header_.deflated || encoding == "raw", Errc::kInput, name_, ": encoding '", value,
                     "' is not read, expected raw or gzip");
    } else if (key == "kinds") {
      check_words(value, {"domain", "space", "none", "???"}, name_, "kind");
    } else if (key == "spaceunits") {
      check_words(value, {"\"mm\""}, name_, "space unit");
    } else if (key == "endian") {
      check_words(value, {"little", "big"}, name_, "endian");
      header_.swapped = bare(value) == "big";
    } else if (key == "space") {
      check_words(bare(value),
                  {"left-posterior-superior", "lps", "right-anterior-superior", "ras", "left-anterior-superior", "las"},
                  name_, "space");
    } else if (key == "datafile") {
      reseda::detail::raise(Errc::kInput, name_, ": data in another file is not read");
    } else if (key == "lineskip" || key == "byteskip") {
      RESEDA_REQUIRE(trimmed(value) == "0", Errc::kInput, name_, ": ", key, " is not read");
    } else if (const auto numbers = kNumbers.find(key); numbers != kNumbers.end()) {
      RESEDA_REQUIRE(check_plain_numbers(value, " \t,()", name_, key) <= numbers->second, Errc::kInput, name_, ": ",
                     key, " has more than ", numbers->second, " numbers");
    } else {
      RESEDA_REQUIRE(kOther.count(key) > 0, Errc::kInput, name_, ": field '", key, "' is not read");
    }
  }

  VolumeHeader complete(std::size_t offset) {
    for (const char* key : {"dimension", "sizes", "type", "encoding"})
      RESEDA_REQUIRE(seen_.count(key) > 0, Errc::kInput, name_, ": the header has no field '", key, "'");
    RESEDA_REQUIRE(c10::elementSize(header_.type) == 1 || seen_.count("endian") > 0, Errc::kInput, name_,
                   ": the header has no field 'endian'");
    header_.offset = offset;
    return header_;
  }

 private:
  const std::string& name_;
  std::set<std::string, std::less<>> seen_;
  std::size_t rank_ = 0;
  VolumeHeader header_;
};

}  // namespace

VolumeHeader read_nrrd_header(std::string_view head, const std::string& name) {
  RESEDA_REQUIRE(head.starts_with("NRRD000") && head.size() > 8 && head[7] >= '1' && head[7] <= '5', Errc::kInput, name,
                 ": is not an NRRD file");
  Header header(name);
  std::size_t start = head.find('\n') + 1;
  for (std::size_t end = head.find('\n', start); end != std::string_view::npos; end = head.find('\n', start)) {
    const std::string_view line = trimmed(head.substr(start, end - start));
    start = end + 1;
    if (line.empty()) return header.complete(start);
    if (line.starts_with('#')) continue;
    const std::size_t colon = line.find(':');
    RESEDA_REQUIRE(colon != std::string_view::npos, Errc::kInput, name, ": a header line has no ':'");
    if (line.substr(colon).starts_with(":=")) continue;
    header.field(bare(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
  }
  reseda::detail::raise(Errc::kInput, name, ": the NRRD header does not end within ", kMaxTextHeader, " bytes");
}

}  // namespace reseda::io::detail
