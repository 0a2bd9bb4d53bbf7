#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "modules/core/noise.hpp"

namespace reseda::speech {

/// Decoded recordings of one kind at the model's rate.
struct Recordings {
  std::vector<at::Tensor> waves;  ///< [L] int16 each, full scale 32768
  std::vector<double> weights;    ///< relative chance per second of recording
};

struct TrainingAudio {
  Recordings clean, noise, rooms;
};

/// How training pairs are made from clean speech, noise and room responses.
struct MixerConfig {
  double snr_low = -5.0, snr_high = 18.0;
  double p_noise = 0.72, p_babble = 0.18, p_synthetic = 0.05;
  std::int64_t max_noises = 3;
  double p_room = 0.12, early_ms = 50.0;
  double speed_low = 0.87, speed_high = 1.14;
  double speech_eq_db = 3.0, noise_eq_db = 5.0;
  double level_jitter_db = 3.0;
  template <class V>
  void fields(V& v) {
    v("snr_low", snr_low, "lowest signal-to-noise ratio over active speech, dB");
    v("snr_high", snr_high, "highest signal-to-noise ratio, dB");
    v("p_noise", p_noise, "chance of recorded noise alone");
    v("p_babble", p_babble, "chance of babble from other training voices alone");
    v("p_synthetic", p_synthetic,
      "chance of coloured synthetic noise alone; the rest mixes recorded noise with babble");
    v("max_noises", max_noises, "most noise recordings at once");
    v("p_room", p_room, "chance of a room response on the speech");
    v("early_ms", early_ms, "part of the room response that the target keeps, milliseconds");
    v("speed_low", speed_low, "slowest playback of speech and noise");
    v("speed_high", speed_high, "fastest playback");
    v("speech_eq_db", speech_eq_db, "standard deviation of the random equaliser on speech, dB");
    v("noise_eq_db", noise_eq_db, "standard deviation of the random equaliser on noise, dB");
    v("level_jitter_db", level_jitter_db, "standard deviation of the level around the model's nominal input level, dB");
  }
  void validate() const;
};

/// Mean power of a wave's active frames: 20 ms frames within 40 dB of the loudest.
double active_power(const at::Tensor& wave, std::int64_t rate_hz);

/// Mixes training pairs. Pair i of step s depends on (seed, s, i) alone.
class Mixer {
 public:
  Mixer(const TrainingAudio& audio, MixerConfig config, std::int64_t rate_hz, std::uint64_t seed);
  struct Batch {
    at::Tensor clean, noisy;  ///< [B, samples] float32, the noisy ones at RMS `level` up to the jitter
  };
  Batch batch(std::int64_t step, std::int64_t pairs, std::int64_t samples, double level) const;

 private:
  at::Tensor excerpt(const Recordings& from, std::int64_t samples, Chooser& choose) const;
  at::Tensor speech(std::int64_t samples, Chooser& choose, at::Tensor& target) const;
  at::Tensor noise(std::int64_t samples, Chooser& choose) const;
  at::Tensor recorded_noise(std::int64_t samples, Chooser& choose) const;
  at::Tensor babble(std::int64_t samples, Chooser& choose) const;
  at::Tensor synthetic(std::int64_t samples, Chooser& choose) const;

  const TrainingAudio& audio_;
  MixerConfig config_;
  std::int64_t rate_hz_;
  std::uint64_t seed_;
  std::vector<double> clean_chances_, noise_chances_;  // cumulative, by duration times weight
};

}  // namespace reseda::speech
