#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "modules/core/config.hpp"
#include "modules/stats/certificate.hpp"
#include "pipelines/certify/cohen_log.hpp"

namespace reseda::certify {

/// All that decides the results of a run, but for the images themselves.
struct RunSettings {
  std::string model = "", model_sha256 = "";
  double sigma = 0.25;
  std::int64_t n0 = 100, n = 1000;
  double alpha = 0.001;
  std::string bound = "clopper-pearson";
  std::vector<double> target_radii = {};
  std::string noise = "gaussian";
  std::string precision = "f32";
  std::int64_t seed = 0;
  std::string split = "test", crop = "none";
  std::int64_t images = 0, skip = 1, max = -1;
  template <class V>
  void fields(V& v) {
    v("model", model, "name of the model");
    v("model_sha256", model_sha256, "hash of its file");
    v("sigma", sigma, "standard deviation of the noise, of values in [0, 1]");
    v("n0", n0, "votes that select the class");
    v("n", n, "votes that bound its probability, at most");
    v("alpha", alpha, "probability with which a certificate may be wrong");
    v("bound", bound, "clopper-pearson or sequential");
    v("target_radii", target_radii, "of the sequential bound: voting ends once all are decided");
    v("noise", noise, "gaussian or integer");
    v("precision", precision, "of the networks");
    v("seed", seed, "of the noise");
    v("split", split, "test or train");
    v("crop", crop, "how images are brought to the model's size");
    v("images", images, "images of the data set");
    v("skip", skip, "every how many are certified");
    v("max", max, "the first image that is not; -1 for none");
  }
  /// @throws Error{kUsage}
  void validate() const;
  /// The images of all shards are 0, skip, 2 skip, ..., below max: how many, and whether one is among them.
  std::int64_t count() const;
  bool takes(std::int64_t index) const;
  std::vector<std::int64_t> indices() const;

 private:
  std::int64_t end() const;
};

/// Votes by class; classes without votes are left out.
using VoteTable = std::map<std::int64_t, std::int64_t>;
VoteTable vote_table(const std::vector<std::int64_t>& votes);

/// What is known of one image.
struct ImageRecord {
  std::int64_t index = 0, label = 0;
  std::string name;           ///< in the data set; it names the noise
  std::string pixels_sha256;  ///< of the bytes [C,H,W] that were certified
  stats::Certificate certificate;
  VoteTable selection, estimation;  ///< of classes
  std::int64_t not_finite = 0;      ///< votes of both kinds whose logits were not finite: for no class
  double seconds = 0;               ///< 0 where times are not recorded

  bool correct() const { return certificate.label == label; }
  /// The row of the official log.
  CohenRow row() const;
};

/// One line of JSON, without its end; equal records give equal bytes. Radius and bound read back to the same doubles.
std::string record_line(const ImageRecord& record, const RunSettings& settings);

struct RecordWithSettings {
  ImageRecord record;
  RunSettings settings;
};
/// @throws Error{kInput} "where: ..." where it is no such line, or its counts contradict each other
RecordWithSettings parse_record(const std::string& line, const std::string& where);

/// The name of the first setting that differs, with both values: "sigma is 0.5, expected 0.25"; "" where none does.
std::string settings_difference(const RunSettings& found, const RunSettings& expected);

}  // namespace reseda::certify
