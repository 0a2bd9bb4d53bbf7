#include "io/audio/audio_reader.hpp"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <sndfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "io/audio/container_check.hpp"
#include "io/audio/sound_file.hpp"
#include "io/audio/spool.hpp"
#include "io/audio/tags.hpp"
#include "io/record/file_bytes.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::int64_t kBlockFrames = 1 << 16;

Descriptor open_file(const std::filesystem::path& path, const std::string& name) {
  // O_NONBLOCK: a named pipe must not make us wait for its writer before it is refused below.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  RESEDA_REQUIRE(file.valid(), Errc::kInput, name, ": cannot open: ", std::strerror(errno));
  struct stat status {};
  RESEDA_REQUIRE(::fstat(file.get(), &status) == 0, Errc::kInput, name, ": cannot read: ", std::strerror(errno));
  RESEDA_REQUIRE(!S_ISDIR(status.st_mode), Errc::kInput, name, ": is a folder, expected an audio file");
  RESEDA_REQUIRE(S_ISREG(status.st_mode), Errc::kInput, name, ": is not a regular file");
  return file;
}

std::string first_line(const char* text) {
  const std::string whole = text;
  return whole.substr(0, whole.find_first_of("\r\n"));
}

}  // namespace

struct AudioReader::State {
  std::string name;
  NonFinite non_finite;
  Descriptor descriptor;
  detail::VirtualFile bytes;
  detail::SoundFile file;
  AudioInfo info;
  std::int64_t position = 0, non_finite_count = 0;
  std::vector<float> interleaved;

  State(std::string name_in, NonFinite rule, Descriptor opened)
      : name(std::move(name_in)), non_finite(rule), descriptor(std::move(opened)), bytes(descriptor.get()) {}

  void open();
  std::int64_t count_frames();
  void seek_to_start();
  void check_finite(const float* samples, std::int64_t frames);
  at::Tensor read_block(std::int64_t frames);
};

void AudioReader::State::open() {
  detail::check_container(descriptor.get(), name);
  SF_INFO header{};
  file = bytes.open(SFM_READ, header);
  RESEDA_REQUIRE(file != nullptr, Errc::kInput, name,
                 ": cannot be decoded as audio: ", first_line(sf_strerror(nullptr)));
  RESEDA_REQUIRE(header.channels >= 1 && header.channels <= kMaxChannels, Errc::kInput, name, ": has ", header.channels,
                 " channels, expected 1 to ", kMaxChannels);
  RESEDA_REQUIRE(header.samplerate >= kMinSampleRateHz && header.samplerate <= kMaxSampleRateHz, Errc::kInput, name,
                 ": sample rate is ", header.samplerate, " Hz, expected ", kMinSampleRateHz, " to ", kMaxSampleRateHz);
  info.format.sample_rate_hz = header.samplerate;
  info.format.channels = header.channels;
  info.format.encoding = header.format;
  info.frames = header.frames < 0 || header.frames == SF_COUNT_MAX ? count_frames() : header.frames;
  detail::read_tags(file.get(), info.format);
}

/// For streams whose header does not tell their length: decodes them once.
std::int64_t AudioReader::State::count_frames() {
  interleaved.resize(static_cast<std::size_t>(kBlockFrames * info.format.channels));
  std::int64_t frames = 0;
  while (const sf_count_t got = sf_readf_float(file.get(), interleaved.data(), kBlockFrames)) frames += got;
  seek_to_start();
  return frames;
}

void AudioReader::State::seek_to_start() {
  if (sf_seek(file.get(), 0, SEEK_SET) == 0) return;
  SF_INFO header{};  // some codecs cannot seek: start over
  file.reset();
  file = bytes.open(SFM_READ, header);
  RESEDA_REQUIRE(file != nullptr, Errc::kInput, name, ": cannot go back to its start");
}

void AudioReader::State::check_finite(const float* samples, std::int64_t frames) {
  const std::int64_t count = frames * info.format.channels;
  for (std::int64_t i = 0; i < count; ++i) {
    if (std::isfinite(samples[i])) continue;
    RESEDA_REQUIRE(non_finite == NonFinite::kKeep, Errc::kInput, name, ": sample is ",
                   std::isnan(samples[i]) ? "NaN" : "infinite", " at frame ", position + i / info.format.channels,
                   ", channel ", i % info.format.channels);
    ++non_finite_count;
  }
}

at::Tensor AudioReader::State::read_block(std::int64_t frames) {
  const std::int64_t channels = info.format.channels;
  interleaved.resize(static_cast<std::size_t>(frames * channels));
  const sf_count_t got = sf_readf_float(file.get(), interleaved.data(), frames);
  RESEDA_REQUIRE(bytes.system_error() == 0, Errc::kInput, name, ": cannot read: ", std::strerror(bytes.system_error()));
  RESEDA_REQUIRE(sf_error(file.get()) == SF_ERR_NO_ERROR, Errc::kInput, name, ": cannot be decoded near frame ",
                 position, ": ", first_line(sf_strerror(file.get())), " (damaged or cut short)");
  RESEDA_REQUIRE(got == frames, Errc::kInput, name, ": is cut short: ends after frame ",
                 position + std::max<sf_count_t>(got, 0), ", its header says ", info.frames);
  check_finite(interleaved.data(), got);
  position += got;
  return at::from_blob(interleaved.data(), {got, channels}, at::kFloat).t().contiguous().clone();
}

AudioReader::AudioReader(const std::filesystem::path& path, NonFinite non_finite) {
  const bool piped = path == "-";
  const std::string name = piped ? "standard input" : path.string();
  state_ = std::make_unique<State>(name, non_finite, piped ? detail::spool_standard_input() : open_file(path, name));
  state_->open();
}

AudioReader::~AudioReader() = default;
AudioReader::AudioReader(AudioReader&&) noexcept = default;
AudioReader& AudioReader::operator=(AudioReader&&) noexcept = default;

const AudioInfo& AudioReader::info() const { return state_->info; }
std::int64_t AudioReader::position() const { return state_->position; }
std::int64_t AudioReader::non_finite_count() const { return state_->non_finite_count; }

at::Tensor AudioReader::read(std::int64_t max_frames) {
  RESEDA_REQUIRE(max_frames >= 0, Errc::kInternal, "AudioReader::read: max_frames must be >= 0, got ", max_frames);
  // Block by block: what a header claims about the length never decides how much memory is taken.
  std::vector<at::Tensor> blocks;
  std::int64_t wanted = std::min(max_frames, state_->info.frames - state_->position);
  while (wanted > 0) {
    blocks.push_back(state_->read_block(std::min(wanted, kBlockFrames)));
    wanted -= blocks.back().size(1);
  }
  if (blocks.empty()) return at::empty({state_->info.format.channels, 0}, at::kFloat);
  return blocks.size() == 1 ? blocks.front() : at::cat(blocks, 1);
}

at::Tensor AudioReader::read_all() { return read(std::numeric_limits<std::int64_t>::max()); }

void AudioReader::rewind() {
  state_->seek_to_start();
  state_->position = state_->non_finite_count = 0;
}

at::Tensor read_audio(const std::filesystem::path& path, AudioInfo* info) {
  AudioReader reader(path);
  if (info != nullptr) *info = reader.info();
  return reader.read_all();
}

}  // namespace reseda::io
