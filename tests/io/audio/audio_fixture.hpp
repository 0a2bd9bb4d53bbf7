#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sndfile.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numbers>
#include <string>

#include "modules/core/error.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::io {

namespace fs = std::filesystem;

/// A folder of its own for each test.
class AudioTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / ("reseda_audio_" + std::to_string(::getpid()) + "_" + test->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path file(const std::string& name) const { return folder_ / name; }
  fs::path put(const std::string& name, const std::string& bytes) const {
    std::ofstream(file(name), std::ios::binary) << bytes;
    return file(name);
  }
  std::size_t files_left() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

inline std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

using tests::expect_error;

/// Channel c holds a sine of 200 (c + 1) Hz with amplitude 0.5.
inline at::Tensor tones(std::int64_t channels, std::int64_t frames, std::int64_t rate) {
  const at::Tensor time = at::arange(frames, at::kDouble) / static_cast<double>(rate);
  const at::Tensor rates = (at::arange(channels, at::kDouble) + 1) * (400.0 * std::numbers::pi);
  return (0.5 * at::sin(rates.unsqueeze(1) * time.unsqueeze(0))).to(at::kFloat);
}

inline double snr_db(const at::Tensor& clean, const at::Tensor& other) {
  const double error = (clean - other).to(at::kDouble).square().sum().item<double>();
  return 10 * std::log10(clean.to(at::kDouble).square().sum().item<double>() / error);
}

}  // namespace reseda::io
