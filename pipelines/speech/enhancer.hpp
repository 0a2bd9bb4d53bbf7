#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "modules/core/noise.hpp"
#include "modules/core/progress.hpp"
#include "modules/diffusion/denoiser.hpp"
#include "modules/diffusion/sampler.hpp"
#include "modules/signal/fftw_stft.hpp"
#include "pipelines/speech/speech_model.hpp"

namespace reseda::speech {

struct EnhanceConfig {
  double chunk_seconds = 12.0;
  double overlap_seconds = 1.6;
  double mix = 1.0;
  double attenuation_limit_db = 0.0;
  ConfigNode sampler = {};
  template <class V>
  void fields(V& v) {
    v("chunk_seconds", chunk_seconds, "recordings longer than this go through the network in pieces of this length");
    v("overlap_seconds", overlap_seconds, "how much neighbouring pieces share; they are cross-faded inside it");
    v("mix", mix, "share of the enhanced signal in the output, 0 to 1; the rest is the input");
    v("attenuation_limit_db", attenuation_limit_db, "most that noise is lowered by, dB; 0 is no limit");
    v("sampler", sampler, "sampler: name and its options; by default the model's own");
  }
  void validate() const;
};

/// The sampler in force: the config's, whose keys without a name are laid on the model's own.
ConfigNode chosen_sampler(const SpeechModelConfig& model, const EnhanceConfig& config);

/// In which order a piece takes its noise from the source.
enum class NoiseLayout {
  kFrames,   ///< frame after frame, from the piece's place in the recording: the same noise for any cutting into pieces
  kOfficial  ///< [1,1,F,T] as the official code draws it; equals Python with the same generator and recorded draws
};

/// Enhances speech at the model's rate.
class Enhancer {
 public:
  /// @param noise  must outlive the enhancer
  Enhancer(SpeechModel model, EnhanceConfig config, c10::Device device, NoiseSource& noise,
           NoiseLayout layout = NoiseLayout::kFrames);

  const SpeechModel& model() const { return model_; }
  /// Network calls per piece; -1 where it depends on the data.
  std::int64_t network_calls() const { return sampler_->network_calls(); }
  std::int64_t chunk_frames() const { return chunk_; }
  std::int64_t overlap_frames() const { return overlap_; }
  /// Share of the input in the output: 1 - mix, or what the attenuation limit asks for if that is more.
  double dry_share() const;

  /// What the recording is divided by: its peak or RMS over all channels, over the model's level; 0 for silence.
  double level(double peak, double mean_square) const;

  /// One piece: spectrum -> sampler -> spectrum. The noise is that of frames first_frame.. of the whole recording.
  /// @param spectrum  compressed, padded to the network's multiple, [1,1,F,T] complex64
  at::Tensor restore(const at::Tensor& spectrum, const std::string& item, std::int64_t first_frame,
                     const ProgressSink& progress) const;

  /// A whole recording as the official enhancement does it: divide, transform, pad on the right, sample, invert,
  /// multiply.
  /// @param wave  [1,L] float32   @return [1,L]
  at::Tensor enhance_whole(const at::Tensor& wave, double divisor, const std::string& item,
                           const ProgressSink& progress) const;

  /// Compressed spectrum [1,1,F,T] of a wave [1,L] on the CPU, and back; FFTW.
  at::Tensor analyse(const at::Tensor& wave) const;
  at::Tensor synthesise(const at::Tensor& spectrum, std::int64_t samples) const;
  at::Tensor pad(const at::Tensor& spectrum, std::int64_t multiple) const;

 private:
  SpeechModel model_;
  EnhanceConfig config_;
  c10::Device device_;
  NoiseSource& noise_;
  NoiseLayout layout_;
  signal::FftwStft stft_;
  std::unique_ptr<diffusion::Sampler> sampler_;
  std::unique_ptr<diffusion::Denoiser> denoiser_;
  std::int64_t chunk_, overlap_;
};

/// Enhances a recording that arrives in pieces, in memory that does not depend on its length. A recording no longer
/// than one chunk goes through whole; a longer one in chunks of equal length on the same frame grid, each cross-faded
/// with the next over the middle of their overlap, with the noise field of the whole.
class StreamEnhancer {
 public:
  /// @param samples  length of the whole recording at the model's rate, > 0
  /// @param divisor  of Enhancer::level; 0 (silence) passes the recording through
  StreamEnhancer(const Enhancer& enhancer, std::string item, std::int64_t channels, std::int64_t samples,
                 double divisor, ProgressSink progress);
  /// @param wave  the next samples, [C,n] float32   @return enhanced samples that are final, [C,m]
  at::Tensor push(const at::Tensor& wave);
  std::int64_t chunks() const { return chunks_; }

 private:
  bool ready() const;
  at::Tensor next();
  at::Tensor enhance_chunk(std::int64_t channel, std::int64_t first, std::int64_t frames,
                           const ProgressSink& progress) const;

  const Enhancer& enhancer_;
  std::string item_;
  std::int64_t channels_, samples_, frames_, hop_, step_, chunks_, done_ = 0;
  double divisor_;
  ProgressSink progress_;
  at::Tensor pending_;  ///< [C, n] input from sample pending_first_
  std::int64_t pending_first_ = 0;
  at::Tensor tail_;  ///< [C, m] weighted output of the last chunk beyond what is final
};

}  // namespace reseda::speech
