#include "io/audio/audio_format.hpp"

#include <sndfile.h>

namespace reseda::io {
namespace {

std::string name_of(int command, int value) {
  SF_FORMAT_INFO info{};
  info.format = value;
  return sf_command(nullptr, command, &info, sizeof(info)) == 0 && info.name != nullptr ? info.name : "unknown";
}

}  // namespace

std::string encoding_name(int encoding) {
  return name_of(SFC_GET_FORMAT_INFO, encoding & SF_FORMAT_TYPEMASK) + ", " +
         name_of(SFC_GET_FORMAT_INFO, encoding & SF_FORMAT_SUBMASK);
}

}  // namespace reseda::io
