#include <ATen/ATen.h>
#include <ATen/TensorIndexing.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "modules/diffusion/processes/ddpm.hpp"
#include "pipelines/certify/cohen_log.hpp"
#include "pipelines/certify/denoised_smoothing.hpp"
#include "pipelines/certify/image_input.hpp"
#include "pipelines/certify/smoothed_classifier.hpp"
#include "tests/golden/adm_network.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/recorded_votes.hpp"

namespace reseda::golden {
namespace {

using Json = nlohmann::json;
using certify::Classifier;

const certify::ImageInput kCifar = {.size = 4, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.2023, 0.1994, 0.2010}};

/// The stand-in classifier of Cohen's cases: normalisation, then two linear layers with ReLU between.
Classifier two_layers(const StateDict& weights) {
  return [weights](const at::Tensor& noisy) {
    const at::Tensor x = kCifar.normalised(noisy).flatten(1);
    const at::Tensor hidden = at::relu(at::linear(x, weights.at("fc1.weight"), weights.at("fc1.bias")));
    return at::linear(hidden, weights.at("fc2.weight"), weights.at("fc2.bias"));
  };
}

double clock_step(const Json& config) {
  const std::string text = config.at("clock");
  return std::stod(text.substr(text.find("by ") + 3));
}

}  // namespace

/// certify.py and predict.py from end to end, with recorded noise.
void run_cohen(GoldenCase& golden) {
  const Json& args = golden.config().at("args");
  const bool predicts = golden.kind() == "cohen_predict";
  const at::Tensor images = golden.input("images"), labels = golden.input("labels");
  const certify::SmoothingConfig config = {.sigma = args.at("sigma"),
                                           .n0 = args.value("N0", std::int64_t{1}),
                                           .n = args.at("N"),
                                           .alpha = args.at("alpha"),
                                           .batch = args.at("batch")};
  const std::int64_t classes = golden.config().at("classifier").at("classes");
  const certify::SmoothedClassifier smoothed(two_layers(golden.weights("1.")),
                                             certify::gaussian_smoother(golden.noise(), config.sigma), classes, config);
  RecordedVotes votes;
  std::string log = certify::cohen_header(!predicts) + "\n";
  for (const std::int64_t index : certify::cohen_subset(images.size(0), args.value("skip", std::int64_t{1}),
                                                        args.value("max", std::int64_t{-1}))) {
    certify::CohenRow row = {.index = index,
                             .label = labels[index].item<std::int64_t>(),
                             .radius = std::nullopt,
                             .seconds = clock_step(golden.config())};
    if (predicts) {
      row.predicted = votes.predict(smoothed, images[index]);
    } else {
      const stats::Certificate made = votes.certify(smoothed, images[index]);
      row.predicted = made.label;
      row.radius = made.radius;
    }
    log += certify::cohen_line(row) + "\n";
  }
  votes.check(golden);
  if (!predicts) golden.check("out.radius", at::tensor(votes.radii, at::kDouble), {.atol = 1e-12});
  EXPECT_EQ(log, golden.json().at("out.log_file").get<std::string>());
}

namespace {

std::unique_ptr<diffusion::Ddpm> make_ddpm(const std::string& schedule, std::int64_t steps, bool rescale) {
  diffusion::DdpmConfig config;
  config.coefficients.schedule = schedule;
  config.coefficients.steps = steps;
  config.coefficients.beta_steps = schedule == "linear" ? 1000 : 0;
  config.rescale_timesteps = rescale;
  return std::make_unique<diffusion::Ddpm>(config);
}

/// The arguments of the official script as those of the network's constructor.
Json unet_settings(const Json& args) {
  const std::int64_t size = args.at("image_size");
  std::vector<std::int64_t> multipliers, factors;
  const auto numbers = [](const Json& value, std::vector<std::int64_t>& out) {
    if (value.is_array()) {
      out = value.get<std::vector<std::int64_t>>();
      return;
    }
    std::string text = value.get<std::string>();
    for (std::size_t at = 0; at != std::string::npos;) {
      at = text.find(',');
      out.push_back(std::stoll(text.substr(0, at)));
      text = at == std::string::npos ? "" : text.substr(at + 1);
    }
  };
  numbers(args.contains("channel_mult_tuple") ? args["channel_mult_tuple"] : args.at("channel_mult"), multipliers);
  numbers(args.at("attention_resolutions"), factors);
  for (std::int64_t& resolution : factors) resolution = size / resolution;
  return {{"image_size", size},
          {"in_channels", 3},
          {"model_channels", args.at("num_channels")},
          {"out_channels", 6},
          {"num_res_blocks", args.at("num_res_blocks")},
          {"attention_resolutions", factors},
          {"dropout", args.at("dropout")},
          {"channel_mult", multipliers},
          {"num_heads", args.at("num_heads")},
          {"num_head_channels", args.value("num_head_channels", -1)},
          {"num_heads_upsample", args.value("num_heads_upsample", -1)},
          {"use_scale_shift_norm", args.at("use_scale_shift_norm")},
          {"resblock_updown", args.value("resblock_updown", false)},
          {"use_new_attention_order", args.value("use_new_attention_order", false)}};
}

/// The stand-in classifier of the cases: patches of 32, exact GELU, mean, linear layer.
at::Tensor patch_classifier(const StateDict& weights, const at::Tensor& x) {
  const at::Tensor h = at::gelu(at::conv2d(x, weights.at("conv.weight"), weights.at("conv.bias"), 32)).mean({2, 3});
  return at::linear(h, weights.at("fc.weight"), weights.at("fc.bias"));
}

}  // namespace

/// sigma -> step of the diffusion and its coefficients.
void run_dds_schedule(GoldenCase& golden) {
  for (const Json& table : golden.json().at("tables")) {
    const auto process = make_ddpm(table.at("schedule"), table.at("steps"), false);
    for (const Json& row : table.at("rows")) {
      const std::int64_t step = certify::matching_step(*process, row.at("sigma"));
      EXPECT_EQ(step, row.at("t_star").get<std::int64_t>()) << row;
      const diffusion::Marginal marginal =
          process->at(static_cast<double>(step + 1) / static_cast<double>(process->steps()));
      const double a = row.at("sqrt_alpha_bar"), c = row.at("sqrt_one_minus_alpha_bar");
      EXPECT_NEAR(marginal.a.scalar() / a, 1, 1e-13) << row;
      EXPECT_NEAR(marginal.c.scalar() / c, 1, 1e-13) << row;
      EXPECT_NEAR(0.5 * marginal.c.scalar() / marginal.a.scalar() / row.at("half_ratio").get<double>(), 1, 1e-12);
      golden.count_check();
    }
  }
}

/// One batch of denoised smoothing, part by part.
void run_dds(GoldenCase& golden) {
  const Json& config = golden.config();
  const Json& args = config.at("args");
  const auto process = make_ddpm(args.at("noise_schedule"), args.at("diffusion_steps"), args.at("rescale_timesteps"));
  const auto network = make_adm("adm_unet", unet_settings(args), golden.weights("unet."));
  const std::int64_t size = config.at("family") == "imagenet" ? 512 : 224;
  const std::vector<at::Tensor> draws = golden.draws();
  const at::Tensor images = golden.input("images");
  for (std::size_t i = 0; i < config.at("sigmas").size(); ++i) {
    const std::string s = "s" + std::to_string(i) + ".";
    at::Tensor told, predicted;
    const diffusion::NetworkDenoiser denoiser(
        [&](const at::Tensor& x, const at::Tensor&, const at::Tensor& t) {
          told = t;
          return predicted = network->forward(x, {}, t);
        },
        diffusion::Target::kEps, *process);
    const certify::DenoisedSmoothing smoothing(denoiser, *process, config["sigmas"][i], size);
    golden.check("out." + s + "t_star", at::full({1}, smoothing.step(), at::kLong));
    std::vector<at::Tensor> noisy;
    for (std::int64_t item = 0; item < images.size(0); ++item) {
      RecordedNoise noise({draws[2 * i].slice(0, item, item + 1)});  // the draw after it is thrown away
      noisy.push_back(smoothing.smoother(noise)(images[item], {"", "estimation"}, 1));
    }
    const at::Tensor x_t = at::cat(noisy);
    golden.check("mid." + s + "x_t", x_t, {.atol = 1e-6});
    golden.check("out." + s + "pred_xstart", smoothing.denoised(x_t), {.atol = 5e-6});
    golden.check("mid." + s + "unet_out", predicted, {.atol = 2e-6});
    const at::Tensor expected = golden.tensor("mid." + s + "model_timestep").to(at::kFloat);
    EXPECT_TRUE(at::allclose(told, expected, 1e-6, 0)) << told << expected;
    const at::Tensor shown = smoothing.shown(x_t);
    using at::indexing::Slice;
    golden.check("mid." + s + "resized_corner", shown.index({Slice(), Slice(), Slice(0, 16), Slice(0, 16)}),
                 {.atol = 1e-5});
    golden.check("mid." + s + "resized_strided",
                 shown.index({Slice(), Slice(), Slice(7, std::nullopt, 37), Slice(5, std::nullopt, 37)}),
                 {.atol = 1e-5});
    golden.check("out." + s + "logits", patch_classifier(golden.weights("classifier."), shown), {.atol = 6e-6});
  }
}

}  // namespace reseda::golden
