#include "io/image/jpeg_session.hpp"

#include <jerror.h>

#include <algorithm>
#include <array>

namespace reseda::io::detail {
namespace {

/// Warnings about what does no harm to the pixels: bytes between segments, unknown versions, more data than needed.
bool is_harmless(int code) {
  constexpr std::array kHarmless = {JWRN_EXTRANEOUS_DATA, JWRN_ADOBE_XFORM, JWRN_JFIF_MAJOR, JWRN_TOO_MUCH_DATA};
  return std::find(kHarmless.begin(), kHarmless.end(), code) != kHarmless.end();
}

std::string words(j_common_ptr codec) {
  std::array<char, JMSG_LENGTH_MAX> text{};
  codec->err->format_message(codec, text.data());
  return text.data();
}

}  // namespace

JpegErrors::JpegErrors() {
  jpeg_std_error(&manager_);
  manager_.error_exit = &fail;
  manager_.emit_message = &warn;
  manager_.output_message = [](j_common_ptr) {};
}

void JpegErrors::stop(const char* message) {
  failure_ = message;
  std::longjmp(jump_, 1);
}

void JpegErrors::fail(j_common_ptr codec) {
  auto* errors = static_cast<JpegErrors*>(codec->client_data);
  errors->failure_ = words(codec);
  std::longjmp(errors->jump_, 1);
}

void JpegErrors::warn(j_common_ptr codec, int level) {
  auto* errors = static_cast<JpegErrors*>(codec->client_data);
  if (level < 0 && errors->failure_.empty() && !is_harmless(codec->err->msg_code)) errors->failure_ = words(codec);
}

}  // namespace reseda::io::detail
