#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "modules/diffusion/processes/karras_ve.hpp"
#include "modules/train/rrcm_schedule.hpp"
#include "pipelines/certify/cohen_log.hpp"
#include "pipelines/certify/rrcm_classifier.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/recorded_votes.hpp"
#include "tests/golden/rrcm_network.hpp"

namespace reseda::golden {
namespace {

using Json = nlohmann::json;

/// The official grid is float32, which moves 250 ln t by 2e-4 and with it the time token and what follows from it.
constexpr Tolerance kGridInSingle = {.atol = 1e-3, .rtol = 0};

train::RrcmScheduleConfig schedule(const Json& given) {
  train::RrcmScheduleConfig config;
  config.scale_mode = given.at("scale_mode");
  config.target_ema_mode = given.at("target_ema_mode");
  config.start_scales = given.at("start_scales");
  config.end_scales = given.at("end_scales");
  config.total_steps = given.at("total_steps");
  config.ema_decay_steps = given.value("ema_decay_steps", std::int64_t{0});
  config.start_ema = given.at("start_ema");
  config.end_ema = given.at("end_ema");
  config.target_ema_A = given.at("target_ema_A");
  config.validate();
  return config;
}

void check_projection_in_training(GoldenCase& golden, nets::RrcmVit& network, const at::Tensor& x,
                                  const at::Tensor& t) {
  network.train();
  golden.check("out.proj_train", network.forward(x, {}, t).detach());
  for (const char* number : {"1", "4"})
    for (const char* what : {"running_mean", "running_var"})
      golden.check(std::string("out.bn") + number + "_" + what + "_after",
                   tensor_of(network, std::string("projection_head.") + number + "." + what));
}

}  // namespace

/// The encoder and its projector.
void run_rrcm_vit(GoldenCase& golden) {
  const auto network = make_rrcm(golden.config(), 0, golden.weights());
  const at::Tensor x = golden.input("x"), t = golden.input("timesteps");
  golden.check("out.proj", network->forward(x, {}, t).detach());
  {
    const c10::InferenceMode inference;
    network->set_probe([&](const std::string& name, const at::Tensor& value) {
      if (name == "patch_embed") golden.check("mid.patch_tokens", value);
      if (name == "time_embed") golden.check("mid.time_embedding", value);
      if (name == "tokens") golden.check("mid.tokens_plus_pos", value);
      if (name == "blocks.0.attn") golden.check("mid.block0_attn", value);
      if (name == "blocks.0.mlp") golden.check("mid.block0_mlp", value);
      if (name == "blocks.0") golden.check("mid.block0", value);
      if (name == "blocks.1") golden.check("mid.block1", value);
    });
    const nets::RrcmFeatures features = network->features(x, t);
    network->set_probe({});
    golden.check("out.cls", features.representation);
    golden.check("out.finetune_feature_ln1", features.representation);
    golden.check("out.finetune_feature_ln0", features.token);
    golden.check("out.proj", network->project(features.representation));
  }
  check_projection_in_training(golden, *network, x, t);
}

/// Scaling of the input and the time that the network is told.
void run_rrcm_denoise(GoldenCase& golden) {
  const c10::InferenceMode inference;
  const Json& config = golden.config();
  const auto network = make_rrcm(config, 0, golden.weights());
  const diffusion::KarrasVe process({.scales = config.at("num_scales")});
  const at::Tensor t = golden.input("t"), times = t.to(at::kDouble);
  for (std::int64_t i = 0; i < t.size(0); ++i) {
    const auto index = config.at("grid_indices")[static_cast<std::size_t>(i)].get<std::size_t>();
    EXPECT_EQ(process.nearest(times[i].item<double>()), index);
    EXPECT_NEAR(process.grid()[index] / times[i].item<double>(), 1, 1e-6);
  }
  const at::Tensor ones = at::ones_like(golden.input("x_t"));
  const at::Tensor c_in = diffusion::network_input_state(process, ones, times).select(1, 0).select(1, 0).select(1, 0);
  golden.check("out.scalings.c_in", c_in, {.atol = 2e-6});
  golden.check("out.scalings_boundary.c_in", c_in, {.atol = 2e-6});
  for (const char* unused : {"c_skip", "c_out"})  // computed by the official code and thrown away
    for (const char* form : {"out.scalings.", "out.scalings_boundary."}) golden.tensor(std::string(form) + unused);
  const at::Tensor told = diffusion::network_input_times(process, times);
  golden.check("out.time_condition", told, {.atol = 1e-3});
  const at::Tensor shown = diffusion::network_input_state(process, golden.input("x_t"), times);
  const nets::RrcmFeatures features = network->features(shown, told);
  golden.check("out.cls", features.representation, kGridInSingle);
  golden.check("out.proj", network->project(features.representation), kGridInSingle);
  golden.check("out.cls_no_rescale", network->features(shown, t).representation);
}

/// The whole of certification with a fine-tuned network and recorded noise.
void run_rrcm_certify(GoldenCase& golden) {
  const Json& config = golden.config();
  const std::int64_t classes = config.at("classes");
  const std::int64_t scales = train::rrcm_scales(schedule(config.at("ema_scale")), config.at("step"));
  golden.check("out.num_scales", at::full({1}, scales, at::kLong));
  const diffusion::KarrasVe process({.scales = scales});
  golden.check("out.fine_tune_grid", at::tensor(process.grid(), at::kDouble).to(at::kFloat), {.rtol = 1e-6});
  const auto network = make_rrcm(config, classes, golden.weights());
  const certify::ImageInput input = {.size = config.at("image_size")};
  const at::Tensor images = golden.input("images"), labels = golden.input("labels");
  RecordedVotes votes;
  for (std::size_t s = 0; s < config.at("sigmas").size(); ++s) {
    const double sigma = config["sigmas"][s];
    const std::string end = "_s" + std::to_string(s);
    const auto count = images.size(0);
    golden.check("out.grid_index" + end,
                 at::full({count}, static_cast<std::int64_t>(process.nearest(2 * sigma)), at::kLong));
    golden.check("out.t" + end, at::full({count}, process.grid()[process.nearest(2 * sigma)], at::kFloat),
                 {.rtol = 1e-6});
    const certify::Classifier classifier = certify::rrcm_classifier(*network, process, input, sigma);
    const at::Tensor noisy = images + sigma * golden.input("eps");
    golden.check("mid.network_input" + end, process.network_scale(2 * sigma) * input.normalised(noisy), {.atol = 5e-6});
    golden.check("out.logits" + end, classifier(noisy).detach(), kGridInSingle);
    const certify::SmoothedClassifier smoothed(classifier, certify::gaussian_smoother(golden.noise(), sigma), classes,
                                               {.sigma = sigma,
                                                .n0 = config.at("n0"),
                                                .n = config.at("n"),
                                                .alpha = config.at("alpha"),
                                                .batch = config.at("batch")});
    for (const auto& index : config.at("certify_images")) {
      const stats::Certificate made = votes.certify(smoothed, images[index.get<std::int64_t>()]);
      const std::string text = certify::cohen_line({.index = 0,
                                                    .label = labels[index.get<std::int64_t>()].item<std::int64_t>(),
                                                    .predicted = made.label,
                                                    .radius = made.radius,
                                                    .seconds = 0.125});
      EXPECT_EQ(text.substr(2), golden.json().at("out.log_lines")[votes.radii.size() - 1].get<std::string>());
    }
  }
  votes.check(golden);
  golden.check("out.radius", at::tensor(votes.radii, at::kDouble).to(at::kFloat), {.atol = 1e-7});
}

/// The grid, what sigma is told, and how training grows harder.
void run_rrcm_schedules(GoldenCase& golden) {
  const Json& out = golden.json().at("out");
  for (const auto& [scales, grids] : out.at("grids").items()) {
    const diffusion::KarrasVe process({.scales = std::stoll(scales)});
    for (const auto& [name, grid] : grids.items())
      for (std::size_t i = 0; i < grid.size(); ++i)
        EXPECT_NEAR(process.grid().at(i) / grid[i].get<double>(), 1, name == "double" ? 1e-14 : 2e-6) << name << i;
    golden.count_check();
  }
  for (const Json& row : out.at("sigma_to_time")) {
    const diffusion::KarrasVe process({.scales = row.at("num_scales")});
    const double target = 2 * row.at("sigma").get<double>();
    EXPECT_EQ(process.nearest(target), row.at("index").get<std::size_t>()) << row;
    EXPECT_NEAR(process.grid()[process.nearest(target)], row.at("t_double").get<double>(),
                1e-12 * row.at("t_double").get<double>());
    EXPECT_NEAR(process.network_scale(target) / row.at("c_in_f32").get<double>(), 1, 1e-6) << row;
    EXPECT_NEAR(process.network_time(target), row.at("time_condition_double").get<double>(), 1e-9) << row;
    EXPECT_NEAR(process.network_time(target), row.at("time_condition_f32").get<double>(), 1e-3) << row;
  }
  for (const Json& curve : out.at("curriculum")) {
    const train::RrcmScheduleConfig config = schedule(curve.at("config"));
    for (const Json& row : curve.at("rows")) {
      EXPECT_EQ(train::rrcm_scales(config, row.at("step")), row.at("num_scales").get<std::int64_t>()) << row;
      EXPECT_NEAR(train::rrcm_target_ema(config, row.at("step")), row.at("target_ema").get<double>(), 1e-12) << row;
    }
  }
  for (const Json& curve : out.at("lr")) {
    const Json& config = curve.at("config");
    // A floor of 1 leaves the warm-up alone.
    const double floor = config.at("name") == "warmup" ? 1.0 : std::max(0.0, config.value("min_scale", 0.0));
    for (const Json& row : curve.at("rows"))
      EXPECT_NEAR(
          train::warmup_cosine(row.at("step"), config.at("warmup_steps"), config.at("total_training_steps"), floor),
          row.at("factor").get<double>(), 1e-12)
          << row;
  }
}

}  // namespace reseda::golden
