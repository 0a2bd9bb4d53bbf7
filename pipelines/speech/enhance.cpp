#include "pipelines/speech/enhance.hpp"

#include "io/record/sha256.hpp"
#include "pipelines/common/batch_runner.hpp"
#include "pipelines/common/config_layers.hpp"
#include "pipelines/common/model_files.hpp"
#include "pipelines/speech/checkpoint_model.hpp"
#include "pipelines/speech/enhance_job.hpp"

namespace reseda::speech {
namespace {

constexpr const char* kDefaultModel = "reseda-16k";

std::unique_ptr<NoiseSource> open_noise(bool torch, std::uint64_t seed) {
  if (torch) return std::make_unique<TorchNoise>(seed);
  return std::make_unique<CounterNoise>(seed);
}

/// --mix and --attenuation-limit are the config's keys by another name.
ConfigNode shortcuts(const app::Flags& flags) {
  ConfigNode keys = ConfigNode::map();
  if (flags.given("mix")) keys["mix"] = ConfigNode(number_text(flags.number("mix")));
  if (flags.given("attenuation-limit"))
    keys["attenuation_limit_db"] = ConfigNode(number_text(flags.number("attenuation-limit")));
  return keys;
}

/// A model with the settings it is used with.
struct OpenedModel {
  SpeechModel model;
  EnhanceConfig config;
  std::filesystem::path file;
  std::string sha256;
  ConfigNode effective;  ///< what --print-config shows and the record keeps
};

OpenedModel open_shipped(const app::Flags& flags) {
  app::ConfigLayers layers;
  layers.add_flags(flags).add(shortcuts(flags));
  RESEDA_REQUIRE(layers.merged({}).find("checkpoint") == nullptr, Errc::kUsage,
                 "config: the key 'checkpoint' describes an official checkpoint; give the file with --checkpoint FILE");
  const EnhanceConfig config = layers.read(EnhanceConfig{});
  const auto file = app::find_model(flags.text("model"));
  return {SpeechModel::load(file), config, file, io::sha256_file(file), write_config(config)};
}

/// What a config says besides --checkpoint.
struct CheckpointConfig : EnhanceConfig {
  PublishedCheckpoint checkpoint;
  SpeechModelConfig model;
  template <class V>
  void fields(V& v) {
    EnhanceConfig::fields(v);
    v("checkpoint", checkpoint, "the published checkpoint");
    v("model", model, "its model, where the file does not say");
  }
};

/// The keys of one group of what the command line gives: of everything, or of --set alone.
ConfigNode given_model(const app::ConfigLayers& layers) {
  const ConfigNode tree = layers.merged({"sampler", "model.network", "model.process", "model.sampler"});
  const ConfigNode* model = tree.find("model");
  return model == nullptr || model->is_null() ? ConfigNode::map() : *model;
}

/// As load_checkpoint; where an error names a key that a flag sets, with the flag.
SpeechModel load_with_flags(const std::filesystem::path& file, const PublishedCheckpoint& published,
                            const ModelLayers& layers) {
  try {
    return load_checkpoint(file, published, layers);
  } catch (const Error& error) {
    const std::string text = error.what();
    throw Error(error.code(), text + (text.find("weights.classes") != std::string::npos ? " (here: --opaque)" : ""));
  }
}

OpenedModel open_checkpoint(const app::Flags& flags) {
  RESEDA_REQUIRE(!flags.given("model"), Errc::kUsage, "--model and --checkpoint cannot be given together");
  const std::filesystem::path file = flags.text("checkpoint");
  app::ConfigLayers layers, set_alone;
  layers.add_flags(flags).add(shortcuts(flags));
  app::Flags set_flags(app::config_flags());
  for (const std::string& assignment : flags.list("set")) set_flags.set("set", assignment);
  set_alone.add_flags(set_flags);
  CheckpointConfig config = layers.read(CheckpointConfig{});
  if (flags.on("opaque")) config.checkpoint.weights.classes = {"*"};

  const std::string sha256 = io::sha256_file(file, Errc::kCheckpoint), wanted = config.checkpoint.sha256;
  RESEDA_REQUIRE(wanted.empty() || wanted == sha256, Errc::kCheckpoint, file.string(), ": its SHA-256 is ", sha256,
                 ", that of ", config.checkpoint.name, " is ", wanted);
  SpeechModel model =
      load_with_flags(file, config.checkpoint, {.config = given_model(layers), .overrides = given_model(set_alone)});
  ConfigNode effective = write_config(config);
  effective["model"] = write_config(model.config());
  return {std::move(model), config, file, sha256, effective};
}

int enhance(const app::Flags& flags) {
  OpenedModel opened = flags.given("checkpoint") ? open_checkpoint(flags) : open_shipped(flags);
  opened.effective["sampler"] = chosen_sampler(opened.model.config(), opened.config);
  if (app::printed_config(flags, opened.effective)) return 0;

  const app::Compute compute = app::open_compute(flags);
  if (compute.precision == Precision::kBf16) opened.model.network().set_compute_type(at::kBFloat16);
  const bool torch = flags.text("rng") == "torch";
  const auto noise = open_noise(torch, compute.seed);
  app::BatchOptions options = app::batch_options(flags);
  options.extensions = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".w64", ".caf", ".au"};
  options.model_sha256 = opened.sha256;
  options.config = opened.effective;
  options.config["seed"] = ConfigNode(std::to_string(compute.seed));
  options.config["precision"] = ConfigNode(precision_name(compute.precision));
  options.config["rng"] = ConfigNode(flags.text("rng"));
  const std::string provenance = std::string("reseda ") + app::version() + " speech enhance, model " +
                                 opened.model.config().name + " " + opened.sha256.substr(0, 12) + ", seed " +
                                 std::to_string(compute.seed) + ", " + precision_name(compute.precision);
  const Enhancer enhancer(std::move(opened.model), opened.config, compute.device, *noise,
                          torch ? NoiseLayout::kOfficial : NoiseLayout::kFrames);
  return app::run_batch(options, [&](const app::BatchItem& item) -> std::unique_ptr<app::ItemJob> {
    return std::make_unique<EnhanceJob>(enhancer, item, provenance);
  });
}

app::FlagTable model_flags() {
  app::FlagTable table;
  table.add({.name = "model",
             .letter = 'm',
             .value = kDefaultModel,
             .word = "NAME|FILE",
             .help = "a shipped model by name, or a safetensors file",
             .group = "Model",
             .hint = app::ValueHint::kFile});
  table.add({.name = "checkpoint",
             .word = "FILE",
             .help = "an official checkpoint (.ckpt, .pt, .pth, .safetensors) instead of a model; --config "
                     "speech/NAME describes a published one",
             .group = "Model",
             .hint = app::ValueHint::kFile});
  table.add({.name = "opaque",
             .type = app::FlagType::kSwitch,
             .help = "read a checkpoint that names unknown Python classes, without what they hold",
             .group = "Model"});
  table.add({.name = "mix",
             .type = app::FlagType::kNumber,
             .value = "1",
             .help = "share of the enhanced signal in the output; the rest is the input",
             .group = "Model",
             .least = 0.0,
             .most = 1.0});
  table.add({.name = "attenuation-limit",
             .type = app::FlagType::kNumber,
             .value = "0",
             .word = "DB",
             .help = "most that noise is lowered by; 0 is no limit",
             .group = "Model",
             .least = 0.0,
             .most = 200.0});
  table.add({.name = "rng",
             .value = "counter",
             .help = "source of randomness: counter (same for any batch, shard and restart) or torch (the draws of "
                     "the official Python code on a CPU, one recording after the other)",
             .group = "Model",
             .choices = {"counter", "torch"}});
  return table;
}

}  // namespace

app::Verb enhance_verb() {
  app::Verb verb;
  verb.name = "enhance";
  verb.about = "Removes noise from recordings of speech; rate, channels, length, bit depth and tags stay as they are.";
  verb.example = "reseda speech enhance -r recordings -o cleaned";
  verb.flags.add(app::batch_flags());
  verb.flags.add(model_flags());
  verb.flags.add(app::config_flags());
  verb.flags.add(app::compute_flags());
  verb.run = enhance;
  return verb;
}

}  // namespace reseda::speech
