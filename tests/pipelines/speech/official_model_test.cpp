#include "pipelines/speech/official_model.hpp"

#include <gtest/gtest.h>

#include "io/record/json.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::speech {
namespace {

using tests::expect_error;

OfficialModel read(const std::string& json) { return read_official_model(io::parse_json(json, "test")); }

std::string value(const ConfigNode& tree, const std::string& group, const std::string& key) {
  const ConfigNode* node = tree.find(group);
  if (node != nullptr && !key.empty()) node = node->find(key);
  return node == nullptr ? "absent" : node->kind() == ConfigNode::Kind::kScalar ? node->scalar() : node->to_json();
}

TEST(OfficialModel, OfTheFirstBackbone) {
  const OfficialModel model = read(R"({"backbone": "ncsnpp", "sde": "ouve", "theta": 1.5, "sigma_min": 0.05,
      "sigma_max": 0.5, "N": 1000, "t_eps": 0.03, "n_fft": 510, "hop_length": 128, "ch_mult": [1, 1, 2],
      "loss_type": "mse", "lr": 0.0001, "base_dir": "data"})");
  EXPECT_EQ(model.trained.to_json(),
            R"({"stft": {"n_fft": 510, "hop": 128}, "network": {"name": "ncsnpp", "ch_mult": [1, 1, 2]}, )"
            R"("process": {"name": "ou_ve", "theta": 1.5, "sigma_min": 0.05, "sigma_max": 0.5, "t_end": 0.03}, )"
            R"("parametrization": {"backbone": "v1", "loss_type": "score_matching"}})");
  EXPECT_EQ(value(model.defaults, "padding", ""), "zero");
  EXPECT_EQ(value(model.defaults, "sample_rate", ""), "16000");
  EXPECT_EQ(value(model.defaults, "stft", "window"), "hann");
  EXPECT_EQ(value(model.defaults, "transform", "factor"), "0.15");
  // N of the training is not that of enhancement.
  EXPECT_EQ(model.defaults.find("sampler")->to_json(),
            R"({"name": "pc", "steps": 30, "corrector": "ald", "corrector_steps": 1, "snr": 0.5, "t_eps": 0.03})");
}

TEST(OfficialModel, OfTheWideBand) {
  const OfficialModel model = read(R"({"backbone": "ncsnpp_48k", "sr": 16000, "theta": 2.0, "n_fft": 1534})");
  EXPECT_EQ(value(model.defaults, "sample_rate", ""), "48000");
  EXPECT_EQ(value(model.defaults, "padding", ""), "reflection");
  EXPECT_EQ(value(model.defaults, "stft", "hop"), "384");
  EXPECT_EQ(value(model.defaults, "transform", "exponent"), "0.667");
  EXPECT_EQ(value(model.defaults, "process", "sigma_max"), "0.5");
  EXPECT_EQ(value(model.trained, "process", "theta"), "2.0");
  EXPECT_EQ(value(model.trained, "parametrization", "backbone"), "v1");
}

TEST(OfficialModel, OfTheBridge) {
  const OfficialModel model = read(R"({"backbone": "ncsnpp_v2", "sde": "sbve", "k": 2.6, "c": 0.4, "N": 40,
      "sampler_type": "sde", "loss_type": "data_prediction", "network_scaling": null, "c_in": "1", "c_out": "1",
      "c_skip": "0", "sigma_data": 0.1, "sr": 24000})");
  EXPECT_EQ(model.trained.find("parametrization")->to_json(),
            R"({"backbone": "v2", "loss_type": "data_prediction", "network_scaling": "none", "c_in": 1, "c_out": 1, )"
            R"("c_skip": 0, "sigma_data": 0.1})");
  EXPECT_EQ(model.trained.find("process")->to_json(), R"({"name": "sb_ve", "k": 2.6, "c": 0.4})");
  EXPECT_EQ(value(model.defaults, "process", "eps"), "1e-8");
  EXPECT_EQ(model.defaults.find("sampler")->to_json(), R"({"name": "sb_ode", "steps": 40})");
  EXPECT_EQ(value(model.defaults, "sample_rate", ""), "24000");
  EXPECT_EQ(value(model.defaults, "padding", ""), "reflection");
}

TEST(OfficialModel, ScalesWhereTheFileSaysSo) {
  const OfficialModel model = read(R"({"backbone": "ncsnpp_v2", "network_scaling": "1/sigma", "c_skip": "edm"})");
  EXPECT_EQ(value(model.trained, "parametrization", "network_scaling"), "1/sigma");
  EXPECT_EQ(value(model.trained, "parametrization", "c_skip"), "edm");
  EXPECT_EQ(value(model.trained, "parametrization", "loss_type"), "score_matching");
}

TEST(OfficialModel, RefusesWhatIsNotKnown) {
  expect_error(Errc::kCheckpoint, "hyper-parameter backbone is 'dcunet', known are ncsnpp, ncsnpp_48k, ncsnpp_v2",
               [] { read(R"({"backbone": "dcunet"})"); });
  expect_error(Errc::kCheckpoint, "hyper-parameter sde is 'ouvp', known are ouve, sbve",
               [] { read(R"({"backbone": "ncsnpp", "sde": "ouvp"})"); });
  expect_error(Errc::kCheckpoint, "hyper-parameter backbone is ''", [] { read(R"({"backbone": [1]})"); });
}

}  // namespace
}  // namespace reseda::speech
