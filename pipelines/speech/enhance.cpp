#include "pipelines/speech/enhance.hpp"

#include "io/record/sha256.hpp"
#include "pipelines/common/batch_runner.hpp"
#include "pipelines/common/config_layers.hpp"
#include "pipelines/common/model_files.hpp"
#include "pipelines/speech/enhance_job.hpp"

namespace reseda::speech {
namespace {

constexpr const char* kDefaultModel = "reseda-16k";

std::unique_ptr<NoiseSource> open_noise(const std::string& kind, std::uint64_t seed) {
  if (kind == "torch") return std::make_unique<TorchNoise>(seed);
  return std::make_unique<CounterNoise>(seed);
}

int enhance(const app::Flags& flags) {
  const EnhanceConfig config = [&] {
    EnhanceConfig defaults;
    ConfigNode shortcuts = ConfigNode::map();
    if (flags.given("mix")) shortcuts["mix"] = ConfigNode(number_text(flags.number("mix")));
    if (flags.given("attenuation-limit"))
      shortcuts["attenuation_limit_db"] = ConfigNode(number_text(flags.number("attenuation-limit")));
    return app::ConfigLayers().add_flags(flags).add(std::move(shortcuts)).read(defaults);
  }();
  const auto model_file = app::find_model(flags.text("model"));
  SpeechModel model = SpeechModel::load(model_file);
  ConfigNode effective = write_config(config);
  if (config.sampler.is_null()) effective["sampler"] = model.config().sampler;
  if (app::printed_config(flags, effective)) return 0;

  const app::Compute compute = app::open_compute(flags);
  if (compute.precision == Precision::kBf16) model.network().set_compute_type(at::kBFloat16);
  const auto noise = open_noise(flags.text("rng"), compute.seed);
  app::BatchOptions options = app::batch_options(flags);
  options.extensions = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".w64", ".caf", ".au"};
  options.model_sha256 = io::sha256_file(model_file);
  options.config = effective;
  options.config["seed"] = ConfigNode(std::to_string(compute.seed));
  options.config["precision"] = ConfigNode(precision_name(compute.precision));
  options.config["rng"] = ConfigNode(flags.text("rng"));
  const std::string provenance = std::string("reseda ") + app::version() + " speech enhance, model " +
                                 model.config().name + " " + options.model_sha256.substr(0, 12) + ", seed " +
                                 std::to_string(compute.seed) + ", " + precision_name(compute.precision);
  const Enhancer enhancer(std::move(model), config, compute.device, *noise);
  return app::run_batch(options, [&](const app::BatchItem& item) -> std::unique_ptr<app::ItemJob> {
    return std::make_unique<EnhanceJob>(enhancer, item, provenance);
  });
}

}  // namespace

app::Verb enhance_verb() {
  app::Verb verb;
  verb.name = "enhance";
  verb.about = "Removes noise from recordings of speech; rate, channels, length, bit depth and tags stay as they are.";
  verb.example = "reseda speech enhance -r recordings -o cleaned";
  verb.flags.add(app::batch_flags());
  verb.flags.add({.name = "model",
                  .letter = 'm',
                  .value = kDefaultModel,
                  .word = "NAME|FILE",
                  .help = "a shipped model by name, or a safetensors file",
                  .group = "Model",
                  .hint = app::ValueHint::kFile});
  verb.flags.add({.name = "mix",
                  .type = app::FlagType::kNumber,
                  .value = "1",
                  .help = "share of the enhanced signal in the output; the rest is the input",
                  .group = "Model",
                  .least = 0.0,
                  .most = 1.0});
  verb.flags.add({.name = "attenuation-limit",
                  .type = app::FlagType::kNumber,
                  .value = "0",
                  .word = "DB",
                  .help = "most that noise is lowered by; 0 is no limit",
                  .group = "Model",
                  .least = 0.0,
                  .most = 200.0});
  verb.flags.add({.name = "rng",
                  .value = "counter",
                  .help = "source of randomness: counter (same for any batch, shard and restart) or torch (order of "
                          "draws as in Python)",
                  .group = "Model",
                  .choices = {"counter", "torch"}});
  verb.flags.add(app::config_flags());
  verb.flags.add(app::compute_flags());
  verb.run = enhance;
  return verb;
}

}  // namespace reseda::speech
