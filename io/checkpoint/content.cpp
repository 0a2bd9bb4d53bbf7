#include "io/checkpoint/content.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace reseda::io {
namespace {

using std::string_view_literals::operator""sv;

std::string_view head_of(std::span<const std::byte> bytes, std::size_t most) {
  return {reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), most)};
}

std::string_view trimmed(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

bool is_html(std::string_view head) {
  std::string lower(trimmed(head).substr(0, 256));
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower.starts_with("<!doctype") || lower.starts_with("<html") || lower.starts_with("<head") ||
         lower.starts_with("<?xml") || lower.find("<html") != std::string::npos;
}

bool is_plain_text(std::string_view head) {
  return std::none_of(head.begin(), head.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return (u < 0x20 && c != '\n' && c != '\r' && c != '\t') || u == 0x7F;
  });
}

constexpr std::array kMagic = {
    std::pair("\x1F\x8B"sv, "gzip-compressed: decompress it first"),
    std::pair("BZh"sv, "bzip2-compressed: decompress it first"),
    std::pair("\xFD"
              "7zXZ"sv,
              "xz-compressed: decompress it first"),
    std::pair("\x28\xB5\x2F\xFD"sv, "zstd-compressed: decompress it first"),
    std::pair("7z\xBC\xAF"sv, "a 7-Zip archive: unpack it first"),
    std::pair("Rar!"sv, "a RAR archive: unpack it first"),
    std::pair("\x89HDF\r\n"sv, "an HDF5 file (Keras, MATLAB?)"),
    std::pair("GGUF"sv, "a GGUF file"),
    std::pair("\x93NUMPY"sv, "a NumPy array"),
    std::pair("%PDF"sv, "a PDF document"),
    std::pair("\x89PNG"sv, "a PNG image"),
    std::pair("RIFF"sv, "a RIFF file (audio or video)"),
    std::pair("\x7F"
              "ELF"sv,
              "an ELF program"),
};

}  // namespace

Content content_of(std::span<const std::byte> bytes) {
  const std::string_view head = head_of(bytes, 4096);
  if (head.starts_with("PK\x03\x04"sv) || head.starts_with("PK\x05\x06"sv)) return Content::kZip;
  // A length below 2^32, then the header's brace. No pickle of a legacy file looks like that.
  if (head.size() > 8 && head.substr(4, 5) == "\0\0\0\0{"sv) return Content::kSafetensors;
  if (head.size() > 1 && head[0] == '\x80' && head[1] >= 0 && head[1] <= 5) return Content::kPickle;
  if (trimmed(head).starts_with('{')) return Content::kJson;
  return Content::kOther;
}

std::string describe_other(std::span<const std::byte> bytes) {
  if (bytes.empty()) return "is empty";
  const std::string_view head = head_of(bytes, 4096);
  if (head.starts_with("version https://git-lfs"))
    return "is a git LFS pointer, not the file itself: fetch it with 'git lfs pull'";
  for (const auto& [magic, what] : kMagic)
    if (head.starts_with(magic)) return std::string("is ") + what;
  if (head.size() > 262 && head.substr(257, 5) == "ustar")
    return "is a tar archive (or a torch file older than 0.1.10)";
  if (is_html(head)) return "is a web page (HTML), not a checkpoint: the download went wrong";
  if (is_plain_text(head)) return "is plain text";
  return "is not a checkpoint that is known here";
}

}  // namespace reseda::io
