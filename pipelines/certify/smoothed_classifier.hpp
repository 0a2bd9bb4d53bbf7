#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "modules/core/noise.hpp"
#include "modules/stats/certificate.hpp"
#include "modules/stats/confidence_sequence.hpp"
#include "modules/stats/discrete_gaussian.hpp"

namespace reseda::certify {

/// Noisy images [B,C,H,W] -> logits [B,K].
using Classifier = std::function<at::Tensor(const at::Tensor& noisy)>;
/// Noisy copies [count,C,H,W] of one image [C,H,W], from the elements of this draw.
using Smoother = std::function<at::Tensor(const at::Tensor& image, const DrawKey& key, std::int64_t count)>;

/// x + sigma eps, in float32 as every published number. Not sound against a classifier that reads x from the last bits.
Smoother gaussian_smoother(NoiseSource& noise, double sigma);
/// The integer noise of DiscreteGaussian, from the words of a seed. @param image of the result's call: uint8 levels
Smoother integer_smoother(std::uint64_t seed, double sigma);

struct SmoothingConfig {
  double sigma = 0.25;
  std::int64_t n0 = 100;
  std::int64_t n = 100000;
  double alpha = 0.001;
  std::int64_t batch = 400;
  /// Whether a call that has fewer copies than `batch` is filled up, for classifiers whose answer to an image may depend
  /// on the shape of the batch.
  bool fixed_shape = true;
  template <class V>
  void fields(V& v) {
    v("sigma", sigma, "standard deviation of the noise, of values in [0, 1]");
    v("n0", n0, "votes that select the class");
    v("n", n, "votes that bound its probability, at most");
    v("alpha", alpha, "probability with which a certificate may be wrong");
    v("batch", batch, "noisy copies in one call of the network");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Which votes: those of one image for one purpose. Selection and estimation never share a draw.
struct VoteRange {
  std::string_view item;    ///< the image's stable name
  std::string_view stream;  ///< "selection" or "estimation"
  std::int64_t first = 0;   ///< number of the first vote
  std::int64_t count = 0;
};

/// Whether one class is certified at several radii, decided one after the other.
struct RaceResult {
  stats::Certificate certificate;        ///< from the bound that holds at the time it stopped
  std::vector<stats::Verdict> verdicts;  ///< of each radius
};

/// g(x) = argmax_c P[f(x under noise) = c]: a classifier asked about noisy copies of an image.
/// Vote i draws (item, stream, 0) from element i C H W on, so that votes depend neither on the batch nor on where a run
/// was cut into shards. The network always sees a whole batch, filled up where votes are fewer: other shapes may take
/// other kernels, and f must be one function. Logits that are not finite vote for no class: a failure of every class.
class SmoothedClassifier {
 public:
  /// @param classes  K, 1 or more   @throws Error{kUsage} as the config's validate()
  SmoothedClassifier(Classifier classifier, Smoother smoother, std::int64_t classes, SmoothingConfig config,
                     c10::Device device = c10::kCPU);

  /// Votes per class [K + 1], the last for logits that are not finite; counted on the device.
  /// @param image  [C,H,W] as the smoother takes it   @throws Error{kInternal} where logits are not [batch,K]
  std::vector<std::int64_t> votes(const at::Tensor& image, const VoteRange& range) const;

  /// The class of each vote in order, K for logits that are not finite.
  std::vector<std::int64_t> ordered_votes(const at::Tensor& image, const VoteRange& range) const;

  /// n0 votes select, n others bound.
  stats::Certificate certify(const at::Tensor& image, std::string_view item) const;
  /// The class from n votes, or kAbstain.
  std::int64_t predict(const at::Tensor& image, std::string_view item) const;
  /// n0 votes select; then batches vote until every radius is decided or n votes are spent, often a hundredth.
  RaceResult certify_at(const at::Tensor& image, std::string_view item, const std::vector<double>& radii) const;

  const SmoothingConfig& config() const { return config_; }

 private:
  at::Tensor choices(const at::Tensor& image, const VoteRange& range) const;

  Classifier classifier_;
  Smoother smoother_;
  std::int64_t classes_;
  SmoothingConfig config_;
  c10::Device device_;
};

}  // namespace reseda::certify
