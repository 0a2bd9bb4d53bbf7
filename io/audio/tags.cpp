#include "io/audio/tags.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

namespace reseda::io::detail {
namespace {

constexpr std::array<std::pair<const char*, int>, 10> kTags = {{{"title", SF_STR_TITLE},
                                                                {"artist", SF_STR_ARTIST},
                                                                {"album", SF_STR_ALBUM},
                                                                {"comment", SF_STR_COMMENT},
                                                                {"copyright", SF_STR_COPYRIGHT},
                                                                {"date", SF_STR_DATE},
                                                                {"genre", SF_STR_GENRE},
                                                                {"license", SF_STR_LICENSE},
                                                                {"software", SF_STR_SOFTWARE},
                                                                {"tracknumber", SF_STR_TRACKNUMBER}}};
// libsndfile keeps all of a header in 100 KiB: ten texts of this size leave room for bext and cart.
constexpr std::size_t kLongestText = 4096;
constexpr std::size_t kLongestChunkText = 16 * 1024;

/// At most kLongestText bytes, never half a UTF-8 character.
std::string cut(std::string text) {
  if (text.size() <= kLongestText) return text;
  std::size_t end = kLongestText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

/// UTF-8 as one byte a character, '?' above `highest`.
std::string narrowed(const std::string& text, unsigned highest) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0) == 0x80) continue;
    unsigned code = byte;
    if (byte >= 0xC0)
      code = byte <= 0xC3 && i + 1 < text.size() ? (byte & 3U) << 6 | (text[i + 1] & 0x3FU) : highest + 1;
    out += code <= highest ? static_cast<char>(code) : '?';
  }
  return out;
}

/// libsndfile takes mp3 tags as Latin-1, and reads back aiff texts as ASCII; everywhere else they are UTF-8.
std::string fitted(const std::string& text, int encoding) {
  const int container = encoding & SF_FORMAT_TYPEMASK;
  if (container == SF_FORMAT_MPEG) return narrowed(cut(text), 0xFF);
  return container == SF_FORMAT_AIFF ? narrowed(cut(text), 0x7F) : cut(text);
}

template <class Chunk>
std::vector<std::byte> read_chunk(SNDFILE* file, int command, std::size_t text_begin,
                                  const std::uint32_t Chunk::*text_size) {
  const auto chunk = std::make_unique<Chunk>();
  std::memset(chunk.get(), 0, sizeof(Chunk));
  if (sf_command(file, command, chunk.get(), sizeof(Chunk)) != SF_TRUE) return {};
  const std::size_t size = std::min(sizeof(Chunk), text_begin + (*chunk).*text_size);
  const auto* begin = reinterpret_cast<const std::byte*>(chunk.get());
  return {begin, begin + size};
}

}  // namespace

void read_tags(SNDFILE* file, AudioFormat& format) {
  for (const auto& [name, number] : kTags) {
    const char* text = sf_get_string(file, number);
    if (text != nullptr && *text != '\0') format.tags[name] = cut(text);
  }
  std::vector<int> map(static_cast<std::size_t>(format.channels));
  const int bytes = static_cast<int>(map.size() * sizeof(int));
  if (sf_command(file, SFC_GET_CHANNEL_MAP_INFO, map.data(), bytes) == SF_TRUE) format.channel_map = std::move(map);
  using Broadcast = SF_BROADCAST_INFO_VAR(kLongestChunkText);
  using Cart = SF_CART_INFO_VAR(kLongestChunkText);
  format.broadcast = read_chunk<Broadcast>(file, SFC_GET_BROADCAST_INFO, offsetof(Broadcast, coding_history),
                                           &Broadcast::coding_history_size);
  format.cart = read_chunk<Cart>(file, SFC_GET_CART_INFO, offsetof(Cart, tag_text), &Cart::tag_text_size);
}

void write_tags(SNDFILE* file, const AudioFormat& format, const std::string& provenance) {
  // What a container cannot hold, libsndfile refuses here; the samples matter more than a tag.
  std::map<std::string, std::string> tags = format.tags;
  if (!provenance.empty()) {
    // LAME writes its own name as the software of an mp3.
    std::string& text = tags[(format.encoding & SF_FORMAT_TYPEMASK) == SF_FORMAT_MPEG ? "comment" : "software"];
    text += (text.empty() ? "" : "; ") + provenance;
  }
  for (const auto& [name, number] : kTags) {
    const auto found = tags.find(name);
    if (found != tags.end() && !found->second.empty())
      sf_set_string(file, number, fitted(found->second, format.encoding).c_str());
  }
  if (!format.channel_map.empty() && static_cast<std::int64_t>(format.channel_map.size()) == format.channels) {
    std::vector<int> map = format.channel_map;
    sf_command(file, SFC_SET_CHANNEL_MAP_INFO, map.data(), static_cast<int>(map.size() * sizeof(int)));
  }
  std::vector<std::byte> broadcast = format.broadcast, cart = format.cart;
  if (!broadcast.empty())
    sf_command(file, SFC_SET_BROADCAST_INFO, broadcast.data(), static_cast<int>(broadcast.size()));
  if (!cart.empty()) sf_command(file, SFC_SET_CART_INFO, cart.data(), static_cast<int>(cart.size()));
}

}  // namespace reseda::io::detail
