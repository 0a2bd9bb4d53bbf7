#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "modules/core/noise.hpp"
#include "modules/nets/network.hpp"
#include "modules/signal/fftw_stft.hpp"
#include "modules/signal/stft.hpp"

/// Each line runs two sides in turn, several times, and prints the ratio of their fastest times and the largest
/// difference of their results.
namespace {

struct Side {
  const char* name;
  std::function<at::Tensor()> run;
};

double seconds_of(const Side& side, at::Tensor& result) {
  const auto start = std::chrono::steady_clock::now();
  result = side.run();
  benchmark::DoNotOptimize(result);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void compare(const char* what, const Side& a, const Side& b) {
  double best_a = 1e9, best_b = 1e9;
  at::Tensor result_a, result_b;
  for (int i = 0; i < 7; ++i) {
    best_a = std::min(best_a, seconds_of(a, result_a));
    best_b = std::min(best_b, seconds_of(b, result_b));
  }
  const double difference = (result_a - result_b).abs().max().item<double>() / result_a.abs().max().item<double>();
  std::printf("%-34s %-8s %8.2f ms   %-8s %8.2f ms   ratio %5.2f   largest relative difference %.1e\n", what, a.name,
              1e3 * best_a, b.name, 1e3 * best_b, best_a / best_b, difference);
}

std::shared_ptr<reseda::nets::Network> default_network() {
  reseda::ConfigNode config = reseda::ConfigNode::map();
  config["name"] = reseda::ConfigNode("ncsnpp_lite");
  return reseda::nets::make_network(config);
}

}  // namespace

int main(int argc, char** argv) {
  c10::InferenceMode inference;
  at::set_num_threads(argc > 1 ? std::atoi(argv[1]) : 1);
  std::printf("threads: %d\n", at::get_num_threads());
  reseda::CounterNoise noise(0);

  const reseda::signal::StftConfig config{.n_fft = 510, .hop = 170};
  const reseda::signal::FftwStft fftw(config);
  const at::Tensor wave = noise.normal({"bench", "wave"}, {1, 60 * 16000});
  compare("STFT, 60 s at 16 kHz", {"aten", [&] { return reseda::signal::stft(wave, config); }},
          {"fftw", [&] { return fftw.forward(wave); }});
  const at::Tensor spectrum = fftw.forward(wave);
  compare("inverse STFT, 60 s", {"aten", [&] { return reseda::signal::istft(spectrum, config, wave.size(1)); }},
          {"fftw", [&] { return fftw.inverse(spectrum, wave.size(1)); }});

  const auto network = default_network();
  const at::Tensor y = 0.1 * noise.normal({"bench", "y"}, {1, 1, 256, 1088}, at::kComplexFloat), t = at::ones({1});
  const auto call = [&](at::ScalarType type) {
    network->set_compute_type(type);
    return network->forward(y, y, t);
  };
  compare("ncsnpp_lite, one call, 11.6 s", {"f32", [&] { return call(at::kFloat); }},
          {"bf16", [&] { return call(at::kBFloat16); }});
  return 0;
}
