#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "io/audio/audio_file.hpp"
#include "io/audio/resampler.hpp"
#include "pipelines/common/batch_runner.hpp"
#include "pipelines/speech/enhancer.hpp"

namespace reseda::speech {

/// One recording through the enhancer: same rate, channels, length, encoding and tags (standard output gets WAV); what
/// the model's rate cannot carry is not in the output. The file is read twice where it is long (once for its level),
/// and neither input nor output is ever whole in memory then.
class EnhanceJob final : public app::ItemJob {
 public:
  /// Opens the input; short ones are decoded here. @throws Error{kInput}
  EnhanceJob(const Enhancer& enhancer, const app::BatchItem& item, std::string provenance);
  void compute(app::ItemContext& context) override;
  void save() override;
  ConfigNode facts() const override;

 private:
  void decode();
  void open_writer();
  at::Tensor read_piece();
  void rewind();
  double measure(app::ItemContext& context);
  void enhance(app::ItemContext& context, double divisor);
  void pass_through(app::ItemContext& context);
  void put(const at::Tensor& samples);

  const Enhancer& enhancer_;
  app::BatchItem item_;
  std::string provenance_;
  io::AudioReader reader_;
  io::AudioFormat written_format_;
  std::vector<at::Tensor> decoded_;  ///< the whole input where it is short
  bool short_ = false;
  std::size_t next_piece_ = 0;
  std::vector<at::Tensor> finished_;  ///< the output of a short one, until save()
  std::unique_ptr<io::AudioWriter> writer_;
  std::int64_t clipped_ = 0;
  double seconds_ = 0, level_ = 0;
};

}  // namespace reseda::speech
