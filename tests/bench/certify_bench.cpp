#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "modules/core/noise.hpp"
#include "pipelines/certify/certify_model.hpp"
#include "pipelines/certify/smoothed_classifier.hpp"

/// Votes per second of the CIFAR ResNet-110 in float32, one line of JSON: LibTorch called as the official certify.py
/// calls it (batch.repeat, randn_like, argmax, count; contiguous maps, batches of 400), and our path as `reseda certify
/// run` calls it, in turn, several times. Ratios are medians over the turns. A machine that does other work beside it
/// disturbs the clock more than the processor's time.
///   certify_bench [THREADS [TURNS [MODEL]]]    without MODEL: random weights from a seed
/// Source: locuslab/smoothing, code/core.py and code/archs/cifar_resnet.py.
namespace {

using namespace reseda;

constexpr std::int64_t kBatch = 400;
constexpr double kSigma = 0.25;

struct Seconds {
  double clock = 0, processor = 0;
};

Seconds seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  const std::clock_t processor = std::clock();
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// A ResNet-110 whose running statistics are those of its own maps, as a trained one's are, and whose votes differ.
certify::CertifyModel random_model(const at::Tensor& images) {
  at::manual_seed(7);
  certify::CertifyModelConfig config;
  config.network["name"] = ConfigNode("cifar_resnet");
  certify::CertifyModel model(std::move(config));
  StateDict weights;
  for (const auto& [name, tensor] : model.network().tensors()) weights.add(name, tensor.detach());
  const at::NoGradGuard no_grad;
  at::Tensor h = model.config().input.normalised(images);
  const auto settle = [&](const at::Tensor& map, const std::string& norm) {
    weights.at(norm + ".running_mean").copy_(map.mean({0, 2, 3}));
    weights.at(norm + ".running_var").copy_(map.var({0, 2, 3}, false));
    return at::batch_norm(map, weights.at(norm + ".weight"), weights.at(norm + ".bias"),
                          weights.at(norm + ".running_mean"), weights.at(norm + ".running_var"), false, 0.1, 1e-5,
                          false);
  };
  const auto conv = [&](const at::Tensor& map, const std::string& name, std::int64_t stride) {
    const at::Tensor& w = weights.at(name + ".weight");
    return at::conv2d(map, w, {}, stride, w.size(2) / 2);
  };
  h = at::relu(settle(conv(h, "conv1", 1), "bn1"));
  for (int s = 1; s <= 3; ++s)
    for (int b = 0; b < 18; ++b) {
      const std::string block = "layer" + std::to_string(s) + "." + std::to_string(b) + ".";
      const std::int64_t stride = s > 1 && b == 0 ? 2 : 1;
      const at::Tensor shortcut = stride == 2 ? settle(conv(h, block + "downsample.0", 2), block + "downsample.1") : h;
      const at::Tensor inner = at::relu(settle(conv(h, block + "conv1", stride), block + "bn1"));
      h = at::relu(shortcut + settle(conv(inner, block + "conv2", 1), block + "bn2"));
    }
  // Logits that are 0 on average: votes go to several classes.
  weights.at("fc.bias").sub_(at::linear(h.mean({2, 3}), weights.at("fc.weight"), weights.at("fc.bias")).mean(0));
  return model;
}

/// The network as the official code defines it, on contiguous maps.
class OfficialClassifier {
 public:
  OfficialClassifier(const certify::CertifyModel& model) : input_(model.config().input) {
    for (const auto& [name, tensor] : model.network().tensors()) weights_.add(name, tensor.detach().clone());
  }

  at::Tensor operator()(const at::Tensor& x) const {
    at::Tensor h = at::relu(norm(conv(input_.normalised(x), "conv1", 1), "bn1"));
    for (int s = 1; s <= 3; ++s)
      for (int b = 0; weights_.contains(layer(s, b) + "conv1.weight"); ++b) h = block(h, layer(s, b), s > 1 && b == 0);
    return at::linear(at::avg_pool2d(h, 8).flatten(1), weights_.at("fc.weight"), weights_.at("fc.bias"));
  }

 private:
  static std::string layer(int s, int b) { return "layer" + std::to_string(s) + "." + std::to_string(b) + "."; }

  at::Tensor conv(const at::Tensor& x, const std::string& name, std::int64_t stride) const {
    const at::Tensor& w = weights_.at(name + ".weight");
    return at::conv2d(x, w, {}, stride, w.size(2) / 2);
  }
  at::Tensor norm(const at::Tensor& x, const std::string& name) const {
    return at::batch_norm(x, weights_.at(name + ".weight"), weights_.at(name + ".bias"),
                          weights_.at(name + ".running_mean"), weights_.at(name + ".running_var"), false, 0.1, 1e-5,
                          true);
  }
  at::Tensor block(const at::Tensor& x, const std::string& name, bool halves) const {
    const at::Tensor shortcut = halves ? norm(conv(x, name + "downsample.0", 2), name + "downsample.1") : x;
    at::Tensor inner = norm(conv(x, name + "conv1", halves ? 2 : 1), name + "bn1");
    at::relu_(inner);
    at::Tensor out = norm(conv(inner, name + "conv2", 1), name + "bn2");
    out += shortcut;
    return at::relu_(out);
  }

  certify::ImageInput input_;
  StateDict weights_;
};

/// core.py, _sample_noise().
at::Tensor official_counts(const OfficialClassifier& classifier, const at::Tensor& image, std::int64_t classes) {
  const at::NoGradGuard no_grad;
  const at::Tensor batch = image.repeat({kBatch, 1, 1, 1});
  const at::Tensor noise = at::randn_like(batch) * kSigma;
  return at::bincount(classifier(batch + noise).argmax(1), {}, classes);
}

}  // namespace

int main(int argc, char** argv) {
  at::set_num_threads(argc > 1 ? std::atoi(argv[1]) : 1);
  const int turns = argc > 2 ? std::atoi(argv[2]) : 5;
  CounterNoise noise(0);
  const at::Tensor image = noise.uniform({"bench", "image"}, {3, 32, 32});
  certify::CertifyModel model = argc > 3
                                    ? certify::CertifyModel::load(argv[3])
                                    : random_model(image + kSigma * noise.normal({"bench", "made"}, {64, 3, 32, 32}));
  const OfficialClassifier official(model);
  model.prepare(c10::kCPU, Precision::kF32);
  const std::int64_t classes = model.config().classes;
  const certify::NoisyClassifier noisy = model.under_noise(kSigma, noise);
  const certify::SmoothedClassifier smoothed(noisy.classifier, noisy.smoother, classes,
                                             {.sigma = kSigma, .batch = kBatch});

  const at::Tensor copies = noisy.smoother(image, {"bench", "estimation"}, kBatch);
  at::Tensor theirs, ours;
  {
    const c10::InferenceMode inference;
    theirs = official(copies);
    ours = noisy.classifier(copies);
  }
  std::vector<double> official_clock, official_processor, clock, processor, clock_ratio, processor_ratio;
  for (int i = 0; i < turns; ++i) {
    const Seconds a = seconds_of([&] { official_counts(official, image, classes); });
    const Seconds b = seconds_of([&] { smoothed.votes(image, {"bench", "estimation", kBatch * i, kBatch}); });
    official_clock.push_back(kBatch / a.clock);
    official_processor.push_back(kBatch / a.processor);
    clock.push_back(kBatch / b.clock);
    processor.push_back(kBatch / b.processor);
    clock_ratio.push_back(a.clock / b.clock);
    processor_ratio.push_back(a.processor / b.processor);
  }
  std::printf(
      "{\"bench\": \"certify_resnet\", \"threads\": %d, \"turns\": %d, \"batch\": %lld, \"official_per_second\": %.1f, "
      "\"reseda_per_second\": %.1f, \"ratio\": %.2f, \"official_per_cpu_second\": %.1f, \"reseda_per_cpu_second\": "
      "%.1f, "
      "\"cpu_ratio\": %.2f, \"equal_votes\": %lld, \"classes_voted\": %lld, \"largest_logit\": %.3g, "
      "\"largest_logit_difference\": %.2e}\n",
      at::get_num_threads(), turns, static_cast<long long>(kBatch), median(official_clock), median(clock),
      median(clock_ratio), median(official_processor), median(processor), median(processor_ratio),
      static_cast<long long>(theirs.argmax(1).eq(ours.argmax(1)).sum().item<std::int64_t>()),
      static_cast<long long>(at::bincount(theirs.argmax(1)).ne(0).sum().item<std::int64_t>()),
      theirs.abs().max().item<double>(), (theirs - ours).abs().max().item<double>());
  return 0;
}
