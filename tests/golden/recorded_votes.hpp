#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "pipelines/certify/smoothed_classifier.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {

/// What official certification records of its run, image after image: the counts of every set of votes in the order of
/// the draws, the classes and the radii.
struct RecordedVotes {
  std::vector<at::Tensor> counts;
  std::vector<std::int64_t> classes;
  std::vector<double> radii;

  /// Votes of one set, without those for no class, of which there are none.
  std::vector<std::int64_t> take(const certify::SmoothedClassifier& smoothed, const at::Tensor& image,
                                 std::string_view stream, std::int64_t count) {
    std::vector<std::int64_t> votes = smoothed.votes(image, {"", stream, 0, count});
    EXPECT_EQ(votes.back(), 0);
    votes.pop_back();
    counts.push_back(at::tensor(votes, at::kLong));
    return votes;
  }

  stats::Certificate certify(const certify::SmoothedClassifier& smoothed, const at::Tensor& image) {
    const certify::SmoothingConfig& config = smoothed.config();
    const auto selection = take(smoothed, image, "selection", config.n0);
    const auto estimation = take(smoothed, image, "estimation", config.n);
    const stats::Certificate made = stats::certify(selection, estimation, config.sigma, config.alpha);
    classes.push_back(made.label);
    radii.push_back(made.radius);
    return made;
  }

  std::int64_t predict(const certify::SmoothedClassifier& smoothed, const at::Tensor& image) {
    classes.push_back(
        stats::predict(take(smoothed, image, "estimation", smoothed.config().n), smoothed.config().alpha));
    return classes.back();
  }

  void check(GoldenCase& golden) const {
    golden.check("out.counts", at::stack(counts));
    golden.check("out.class", at::tensor(classes, at::kLong));
    golden.tensor("out.predictions_per_draw");  // the counts hold them
  }
};

}  // namespace reseda::golden
