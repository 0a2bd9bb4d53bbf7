#include "io/audio/audio_writer.hpp"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <sndfile.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "io/audio/ogg_pages.hpp"
#include "io/audio/sound_file.hpp"
#include "io/audio/spool.hpp"
#include "io/audio/tags.hpp"
#include "io/record/atomic_file.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

// libsndfile gets blocks of one size: what the Vorbis encoder makes depends on how its input is cut.
constexpr std::int64_t kBlockFrames = 1 << 14;
constexpr std::int64_t kLargestSampleBytes = 8;
constexpr std::uint32_t kOggSerial = 0x52455345;

/// Whether libsndfile makes a valid file of no samples.
bool can_be_empty(int encoding) {
  const int container = encoding & SF_FORMAT_TYPEMASK;
  return container != SF_FORMAT_FLAC && container != SF_FORMAT_MPEG && container != SF_FORMAT_AIFF &&
         (encoding & SF_FORMAT_SUBMASK) != SF_FORMAT_OPUS;
}

}  // namespace

struct AudioWriter::State {
  std::filesystem::path path;
  std::string name;
  bool piped;
  AudioFormat format;
  AudioWriterOptions options;
  std::unique_ptr<AtomicFile> staged;  ///< none for standard output
  Descriptor target;                   ///< where bytes go until commit()
  std::unique_ptr<detail::VirtualFile> bytes;
  detail::SoundFile file;
  std::int64_t frames = 0, pending_frames = 0, clipped = 0;  ///< frames: handed to libsndfile
  std::vector<float> pending;

  void open();
  void make_room(std::int64_t frames_to_come);
  void move_to_rf64();
  void append(const at::Tensor& samples);
  void flush();
  void close();
  void require_written(bool written) const;
};

void AudioWriter::State::require_written(bool written) const {
  RESEDA_REQUIRE(bytes->system_error() == 0, Errc::kOutput, name,
                 ": cannot write: ", std::strerror(bytes->system_error()));
  RESEDA_REQUIRE(written, Errc::kOutput, name, ": cannot write ", encoding_name(format.encoding), ": ",
                 sf_strerror(file.get()));
}

void AudioWriter::State::open() {
  RESEDA_REQUIRE(can_write(format), Errc::kOutput, name, ": cannot write ", encoding_name(format.encoding), " with ",
                 format.channels, " channels at ", format.sample_rate_hz, " Hz");
  if (piped) {
    target = detail::open_spool();
  } else {
    staged = std::make_unique<AtomicFile>(path);
    target = Descriptor(::open(staged->staged().c_str(), O_RDWR | O_CLOEXEC));
    RESEDA_REQUIRE(target.valid(), Errc::kOutput, name, ": cannot write: ", std::strerror(errno));
  }
  bytes = std::make_unique<detail::VirtualFile>(target.get());
  SF_INFO info{};
  info.format = format.encoding;
  info.channels = static_cast<int>(format.channels);
  info.samplerate = static_cast<int>(format.sample_rate_hz);
  file = bytes->open(SFM_WRITE, info);
  require_written(file != nullptr);
  sf_command(file.get(), SFC_SET_CLIPPING, nullptr, SF_TRUE);
  // The PEAK chunk carries the time of day.
  sf_command(file.get(), SFC_SET_ADD_PEAK_CHUNK, nullptr, SF_FALSE);
  detail::write_tags(file.get(), format, options.provenance);
}

void AudioWriter::State::make_room(std::int64_t frames_to_come) {
  const int container = format.encoding & SF_FORMAT_TYPEMASK;
  const bool wav = container == SF_FORMAT_WAV || container == SF_FORMAT_WAVEX;
  if (!wav && container != SF_FORMAT_AIFF && container != SF_FORMAT_AU) return;
  struct stat status {};
  const std::int64_t size = ::fstat(target.get(), &status) == 0 ? status.st_size : 0;
  if (size + frames_to_come * format.channels * kLargestSampleBytes <= options.riff_limit_bytes) return;
  RESEDA_REQUIRE(wav, Errc::kOutput, name, ": ", encoding_name(format.encoding),
                 " cannot hold more than 4 GiB; choose wav, w64, caf or flac");
  move_to_rf64();
}

/// Ends the WAV file so far, and goes on in an RF64 file that starts with the same samples.
void AudioWriter::State::move_to_rf64() {
  close();
  const Descriptor old = std::move(target);  // keeps the bytes when the staged file loses its name
  staged.reset();
  format.encoding = SF_FORMAT_RF64 | (format.encoding & SF_FORMAT_SUBMASK);
  open();
  detail::VirtualFile old_bytes(old.get());
  SF_INFO info{};
  const detail::SoundFile source = old_bytes.open(SFM_READ, info);
  RESEDA_REQUIRE(source != nullptr, Errc::kOutput, name, ": cannot read back: ", sf_strerror(nullptr));
  std::vector<int> samples(static_cast<std::size_t>(kBlockFrames * format.channels));
  std::int64_t copied = 0;
  while (copied < frames) {
    const bool floats = stores_float(format.encoding);
    auto* reals = reinterpret_cast<float*>(samples.data());
    const sf_count_t got = floats ? sf_readf_float(source.get(), reals, kBlockFrames)
                                  : sf_readf_int(source.get(), samples.data(), kBlockFrames);
    RESEDA_REQUIRE(got > 0, Errc::kOutput, name, ": cannot read back what was written");
    require_written(
        (floats ? sf_writef_float(file.get(), reals, got) : sf_writef_int(file.get(), samples.data(), got)) == got);
    copied += got;
  }
}

/// Takes at most what the pending block has room for, and writes the block when it is full.
void AudioWriter::State::append(const at::Tensor& samples) {
  const std::int64_t count = samples.size(1), channels = format.channels;
  pending.resize(static_cast<std::size_t>(kBlockFrames * channels));
  float* begin = pending.data() + pending_frames * channels;
  at::from_blob(begin, {count, channels}, at::kFloat).copy_(samples.t());
  const bool floats = stores_float(format.encoding);
  for (std::int64_t i = 0; i < count * channels; ++i) {
    float& value = begin[i];
    RESEDA_REQUIRE(std::isfinite(value), Errc::kNumeric, name, ": sample to write is ",
                   std::isnan(value) ? "NaN" : "infinite", " at frame ", frames + pending_frames + i / channels,
                   ", channel ", i % channels);
    if (floats || std::abs(value) <= 1.0F) continue;
    value = std::copysign(1.0F, value);
    ++clipped;
  }
  pending_frames += count;
  if (pending_frames == kBlockFrames) flush();
}

void AudioWriter::State::flush() {
  make_room(pending_frames);
  require_written(sf_writef_float(file.get(), pending.data(), pending_frames) == pending_frames);
  frames += pending_frames;
  pending_frames = 0;
}

void AudioWriter::State::close() {
  const int failed = sf_close(file.release());
  require_written(failed == 0);
}

AudioWriter::AudioWriter(const std::filesystem::path& path, const AudioFormat& format, AudioWriterOptions options)
    : state_(std::make_unique<State>()) {
  state_->path = path;
  state_->piped = path == "-";
  state_->name = state_->piped ? "standard output" : path.string();
  state_->format = state_->piped ? fit_format(format, "standard_output.wav") : format;
  state_->options = std::move(options);
  state_->open();
}

AudioWriter::~AudioWriter() = default;
AudioWriter::AudioWriter(AudioWriter&&) noexcept = default;
AudioWriter& AudioWriter::operator=(AudioWriter&&) noexcept = default;

const AudioFormat& AudioWriter::format() const { return state_->format; }
std::int64_t AudioWriter::frames() const { return state_->frames + state_->pending_frames; }
std::int64_t AudioWriter::clipped_count() const { return state_->clipped; }

void AudioWriter::write(const at::Tensor& samples) {
  RESEDA_INVARIANT(state_->file != nullptr);
  RESEDA_INVARIANT(samples.dim() == 2 && samples.size(0) == state_->format.channels);
  RESEDA_INVARIANT(samples.scalar_type() == at::kFloat && samples.is_cpu());
  for (std::int64_t at = 0, count = 0; at < samples.size(1); at += count) {
    count = std::min(kBlockFrames - state_->pending_frames, samples.size(1) - at);
    state_->append(samples.narrow(1, at, count));
  }
}

void AudioWriter::commit() {
  State& state = *state_;
  RESEDA_INVARIANT(state.file != nullptr);
  state.flush();
  RESEDA_REQUIRE(state.frames > 0 || can_be_empty(state.format.encoding), Errc::kOutput, state.name, ": ",
                 encoding_name(state.format.encoding), " cannot hold zero samples");
  state.close();
  if ((state.format.encoding & SF_FORMAT_TYPEMASK) == SF_FORMAT_OGG)
    RESEDA_REQUIRE(detail::set_ogg_serial(state.target.get(), kOggSerial), Errc::kOutput, state.name,
                   ": cannot write: the Ogg pages cannot be numbered");
  if (state.piped)
    detail::copy_to_standard_output(state.target.get());
  else
    state.staged->commit(Existing::kReplace);
}

void write_audio(const std::filesystem::path& path, const at::Tensor& samples, const AudioFormat& format) {
  AudioWriter writer(path, format);
  writer.write(samples);
  writer.commit();
}

}  // namespace reseda::io
