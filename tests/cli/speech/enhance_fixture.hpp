#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "io/audio/audio_file.hpp"
#include "modules/core/config.hpp"
#include "program_run.hpp"

namespace reseda::test {

/// One channel; libsndfile's number of the encoding, WAV of 16 bits where none is given.
io::AudioFormat mono(std::int64_t rate_hz = 4000, int encoding = 0x010002);

/// `reseda speech enhance` as a person uses it: the real program in a folder of its own, with two tiny models that work
/// at 4 kHz. "half" answers half of its input whatever the sampler; "random" has random weights.
class EnhanceCommand : public testing::Test {
 protected:
  EnhanceCommand();
  ~EnhanceCommand() override;

  /// A path in the test's folder.
  std::filesystem::path at(const std::string& name) const { return folder_ / name; }
  std::string text(const std::string& name) const { return at(name).string(); }
  std::vector<std::string> command(const std::vector<std::string>& words, const std::string& model = "half") const;
  Outcome enhance(const std::vector<std::string>& words, const std::string& model = "half",
                  const Surroundings& surroundings = {}) const;
  /// Runs, and expects this code and one line on standard error, "reseda-speech: " + line.
  void expect_refused(int code, const std::string& line, const std::vector<std::string>& words,
                      const std::string& model = "half", const Surroundings& surroundings = {}) const;

  /// Names of all files and folders below, relative; the models are not among them.
  std::set<std::string> listing(const std::string& folder = "") const;
  /// Relative name and bytes of every file below but the ledger.
  std::map<std::string, std::string> contents(const std::string& folder) const;
  void write_text(const std::string& name, const std::string& bytes) const;
  void write(const std::string& name, const at::Tensor& samples, io::AudioFormat format = mono()) const;
  at::Tensor read(const std::string& name, io::AudioInfo* info = nullptr) const;

 private:
  std::filesystem::path folder_, models_;
};

std::string bytes_of(const std::filesystem::path& file);
/// Speech-like: harmonics in syllables over noise, peak below 0.5. [channels, frames] float32
at::Tensor made_recording(std::int64_t frames, std::int64_t channels = 1, double rate_hz = 4000);
double largest(const at::Tensor& difference);
/// Every line of standard output as JSON.
std::vector<ConfigNode> json_lines(const std::string& text);

}  // namespace reseda::test
