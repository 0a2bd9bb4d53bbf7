#include "pipelines/certify/smoothed_classifier.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "modules/core/error.hpp"
#include "modules/core/random_words.hpp"

namespace reseda::certify {
namespace {

std::vector<std::int64_t> copies_of(const at::Tensor& image, std::int64_t count) {
  std::vector<std::int64_t> shape = image.sizes().vec();
  shape.insert(shape.begin(), count);
  return shape;
}

}  // namespace

Smoother gaussian_smoother(NoiseSource& noise, double sigma) {
  return [&noise, sigma](const at::Tensor& image, const DrawKey& key, std::int64_t count) {
    return image + sigma * noise.normal(key, copies_of(image, count));
  };
}

Smoother integer_smoother(std::uint64_t seed, double sigma) {
  const auto law = std::make_shared<const stats::DiscreteGaussian>(sigma);
  return [law, seed](const at::Tensor& image, const DrawKey& key, std::int64_t count) {
    return law->smoothed(image, random_words(seed, key, copies_of(image, count)));
  };
}

void SmoothingConfig::validate() const {
  RESEDA_REQUIRE(std::isfinite(sigma) && sigma > 0, Errc::kUsage, "smoothing.sigma must be > 0, got ", sigma);
  RESEDA_REQUIRE(n0 >= 1, Errc::kUsage, "smoothing.n0 must be >= 1, got ", n0);
  RESEDA_REQUIRE(n >= 1, Errc::kUsage, "smoothing.n must be >= 1, got ", n);
  RESEDA_REQUIRE(alpha > 0 && alpha < 1, Errc::kUsage, "smoothing.alpha must be in (0, 1), got ", alpha);
  RESEDA_REQUIRE(batch >= 1, Errc::kUsage, "smoothing.batch must be >= 1, got ", batch);
}

SmoothedClassifier::SmoothedClassifier(Classifier classifier, Smoother smoother, std::int64_t classes,
                                       SmoothingConfig config, c10::Device device)
    : classifier_(std::move(classifier)),
      smoother_(std::move(smoother)),
      classes_(classes),
      config_(config),
      device_(device) {
  config_.validate();
  RESEDA_REQUIRE(classes >= 1, Errc::kUsage, "a classifier must have a class or more, got ", classes);
}

at::Tensor SmoothedClassifier::choices(const at::Tensor& image, const VoteRange& range) const {
  const auto elements = static_cast<std::uint64_t>(image.numel());
  const DrawKey key = {range.item, range.stream, 0, static_cast<std::uint64_t>(range.first) * elements};
  at::Tensor noisy = smoother_(image, key, range.count).to(device_);
  if (config_.fixed_shape && range.count < config_.batch)
    noisy = at::cat({noisy, noisy.slice(0, 0, 1).expand(copies_of(image, config_.batch - range.count))});
  const at::Tensor logits = classifier_(noisy);
  RESEDA_REQUIRE(logits.dim() == 2 && logits.size(0) == noisy.size(0) && logits.size(1) == classes_, Errc::kInternal,
                 "the classifier gave logits of ", logits.sizes(), ", expected ", noisy.size(0), " x ", classes_);
  const at::Tensor valid = logits.isfinite().all(1);
  return at::where(valid, logits.argmax(1), classes_).slice(0, 0, range.count);
}

std::vector<std::int64_t> SmoothedClassifier::votes(const at::Tensor& image, const VoteRange& range) const {
  const c10::InferenceMode inference;
  at::Tensor counts = at::zeros({classes_ + 1}, at::TensorOptions().dtype(at::kLong).device(device_));
  for (std::int64_t done = 0; done < range.count; done += config_.batch) {
    const VoteRange part = {range.item, range.stream, range.first + done, std::min(config_.batch, range.count - done)};
    counts += at::bincount(choices(image, part), {}, classes_ + 1);
  }
  counts = counts.to(at::kCPU);
  const auto* first = counts.data_ptr<std::int64_t>();
  return {first, first + counts.numel()};
}

std::vector<std::int64_t> SmoothedClassifier::ordered_votes(const at::Tensor& image, const VoteRange& range) const {
  const c10::InferenceMode inference;
  std::vector<std::int64_t> classes;
  for (std::int64_t done = 0; done < range.count; done += config_.batch) {
    const VoteRange part = {range.item, range.stream, range.first + done, std::min(config_.batch, range.count - done)};
    const at::Tensor chosen = choices(image, part).to(at::kCPU, at::kLong).contiguous();
    const auto* first = chosen.data_ptr<std::int64_t>();
    classes.insert(classes.end(), first, first + chosen.numel());
  }
  return classes;
}

stats::Certificate SmoothedClassifier::certify(const at::Tensor& image, std::string_view item) const {
  std::vector<std::int64_t> selection = votes(image, {item, "selection", 0, config_.n0});
  selection.back() = 0;
  const auto estimation = votes(image, {item, "estimation", 0, config_.n});
  return stats::certify(selection, estimation, config_.sigma, config_.alpha);
}

std::int64_t SmoothedClassifier::predict(const at::Tensor& image, std::string_view item) const {
  const std::int64_t label = stats::predict(votes(image, {item, "estimation", 0, config_.n}), config_.alpha);
  return label == classes_ ? stats::kAbstain : label;
}

RaceResult SmoothedClassifier::certify_at(const at::Tensor& image, std::string_view item,
                                          const std::vector<double>& radii) const {
  std::vector<std::int64_t> selection = votes(image, {item, "selection", 0, config_.n0});
  selection.back() = 0;
  const std::int64_t label = stats::top_class(selection);
  stats::RadiusRace race(radii, config_.sigma, config_.alpha, config_.n);
  bool open = !radii.empty();
  while (open && race.sequence().trials() < config_.n) {
    const std::int64_t done = race.sequence().trials(), count = std::min(config_.batch, config_.n - done);
    const auto counts = votes(image, {item, "estimation", done, count});
    open = race.observe(counts[static_cast<std::size_t>(label)], count);
  }
  RaceResult result;
  result.verdicts.assign(race.verdicts().begin(), race.verdicts().end());
  stats::Certificate& out = result.certificate;
  out.hits = race.sequence().successes();
  out.trials = race.sequence().trials();
  out.probability = race.sequence().lower();
  if (out.probability.p < 0.5) return result;
  out.label = label;
  out.radius = std::max(0.0, stats::certified_radius(config_.sigma, out.probability));
  return result;
}

}  // namespace reseda::certify
