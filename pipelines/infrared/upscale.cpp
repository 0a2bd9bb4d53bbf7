#include "pipelines/infrared/upscale.hpp"

#include <optional>

#include "io/record/sha256.hpp"
#include "modules/core/byte_size.hpp"
#include "modules/core/error.hpp"
#include "pipelines/common/batch_runner.hpp"
#include "pipelines/common/model_files.hpp"
#include "pipelines/infrared/frame_sequence.hpp"
#include "pipelines/infrared/infrared_model.hpp"
#include "pipelines/infrared/interpolation.hpp"
#include "pipelines/infrared/sharpened.hpp"
#include "pipelines/infrared/upscale_flags.hpp"
#include "pipelines/infrared/upscale_job.hpp"

namespace reseda::infrared {
namespace {

/// How frames are enlarged.
struct OpenedUpscaler {
  std::unique_ptr<Upscaler> upscaler;
  std::string model_sha256 = {};  ///< "" without a model
  std::string words;              ///< for the provenance
};

PictureOptions picture_of(const app::Flags& flags) {
  PictureOptions picture;
  picture.sample = flags.text("mode") == "sample";
  for (const char* name : {"steps", "strength", "noise"})
    RESEDA_REQUIRE(picture.sample || !flags.given(name), Errc::kUsage, "--", name, " is for --mode sample alone");
  RESEDA_REQUIRE(flags.text("mode") == "perceptual" || !flags.given("sharpness"), Errc::kUsage,
                 "--sharpness is for --mode perceptual alone");
  picture.steps = flags.integer("steps");
  picture.strength = flags.number("strength");
  picture.uniform_noise = flags.text("noise") == "uniform";
  return picture;
}

OpenedUpscaler open_model(const app::Flags& flags, std::int64_t scale, std::int64_t max_memory,
                          const app::Compute& compute) {
  const PictureOptions picture = picture_of(flags);
  const std::filesystem::path file = app::find_model(flags.text("model"));
  const auto model = std::make_shared<InfraredModel>(InfraredModel::load(file));
  model->compute_on(compute.device, compute.precision);
  RESEDA_REQUIRE(model->scale() % scale == 0, Errc::kUsage, "--scale ", scale, ": ", file.string(), " enlarges ",
                 model->scale(), " times");
  const TileNetworkTraits traits = model->traits(picture);
  const diffusion::Tiling tiling = choose_tiling(traits, flags.integer("tile"), call_bytes(max_memory));
  const TileNetwork network = [model, inner = model->on_tiles(picture)](
                                  const at::Tensor& low, const at::Tensor& noise) { return inner(low, noise); };
  OpenedUpscaler opened;
  opened.upscaler = std::make_unique<TiledUpscaler>(network, traits, tiling);
  if (flags.text("mode") == "perceptual")
    opened.upscaler = std::make_unique<Sharpened>(std::move(opened.upscaler), flags.number("sharpness"));
  if (scale < model->scale()) opened.upscaler = std::make_unique<Shrunk>(std::move(opened.upscaler), scale);
  opened.model_sha256 = io::sha256_file(file, Errc::kCheckpoint);
  opened.words = "model " + model->config().name + " " + opened.model_sha256.substr(0, 12) + ", " + flags.text("mode") +
                 (picture.uniform_noise ? ", uniform noise" : "") + ", " + precision_name(compute.precision);
  return opened;
}

OpenedUpscaler open_upscaler(const app::Flags& flags, std::int64_t max_memory, const app::Compute& compute) {
  const std::string& method = flags.text("method");
  const bool identity = method == "identity";
  RESEDA_REQUIRE(identity || flags.text("scale") != "1", Errc::kUsage, "--scale 1 is for --method identity alone");
  RESEDA_REQUIRE(!identity || !flags.given("scale") || flags.text("scale") == "1", Errc::kUsage,
                 "--method identity is for --scale 1");
  const std::int64_t scale = identity ? 1 : std::stoll(flags.text("scale"));
  if (method == "model") return open_model(flags, scale, max_memory, compute);
  for (const char* name : {"model", "mode", "sharpness", "steps", "strength", "noise", "tile", "precision"})
    RESEDA_REQUIRE(!flags.given(name), Errc::kUsage, "--", name, " is for --method model alone");
  RESEDA_REQUIRE(compute.device.is_cpu() || flags.text("device") == "auto", Errc::kUsage, "--device ",
                 flags.text("device"), " is for --method model alone: ", method, " is computed on the CPU");
  return {std::make_unique<Interpolation>("pillow_" + method, scale), "", method};
}

UpscaleRequest request_of(const app::Flags& flags) {
  UpscaleRequest request;
  request.samples = flags.integer("samples");
  request.consistency = flags.integer("consistency");
  request.uncertainty = flags.on("uncertainty");
  request.sequence = flags.on("sequence");
  if (flags.given("range")) request.range = parse_range(flags.text("range"));
  const std::string& format = flags.text("format");
  request.extension = format == "keep" ? "" : format == "png" ? ".png" : format == "tiff" ? ".tif" : ".jpg";
  request.jpeg_quality = static_cast<int>(flags.integer("quality"));
  request.max_memory = parse_bytes("--max-memory", flags.text("max-memory"));
  return request;
}

/// All that decides the bytes of outputs besides frames and models, and what other files there are.
ConfigNode effective_config(const app::Flags& flags, const app::Compute& compute) {
  ConfigNode all = ConfigNode::map();
  for (const char* name : {"scale", "method", "mode", "sharpness", "steps", "strength", "noise", "samples",
                           "consistency", "range", "tile", "max-memory", "quality"})
    all[name] = ConfigNode(flags.text(name));
  for (const char* name : {"sequence", "uncertainty"}) all[name] = ConfigNode(flags.on(name) ? "true" : "false");
  all["seed"] = ConfigNode(std::to_string(compute.seed));
  all["precision"] = ConfigNode(precision_name(compute.precision));
  return all;
}

std::string provenance_of(const app::Flags& flags, const app::Compute& compute, const OpenedUpscaler& opened) {
  const Upscaler& upscaler = *opened.upscaler;
  std::string words = std::string("reseda ") + app::version() + " infrared upscale, x" +
                      std::to_string(upscaler.scale()) + ", " + opened.words;
  if (flags.integer("samples") > 1) words += ", mean of " + flags.text("samples") + " samples";
  if (flags.integer("consistency") > 0) words += ", consistency " + flags.text("consistency");
  if (upscaler.draws_noise()) words += ", seed " + std::to_string(compute.seed);
  if (upscaler.adds_detail()) words += "; detail finer than the source's pixels is generated";
  return words;
}

/// The inputs of the run as sequences.
std::optional<FrameSequences> find_sequences(app::BatchOptions& options) {
  RESEDA_REQUIRE(options.inputs != std::vector<std::string>{"-"}, Errc::kUsage, "--sequence needs files");
  io::DiscoveryOptions search{options.recursive, options.extensions, {}};
  if (!options.output.empty()) search.leave_out.emplace_back(options.output);
  options.found = io::discover_inputs(options.inputs, search);
  return FrameSequences(options.found->files);
}

int upscale(const app::Flags& flags) {
  UpscaleRequest request = request_of(flags);
  const app::Compute compute = app::open_compute(flags);
  const OpenedUpscaler opened = open_upscaler(flags, request.max_memory, compute);
  request.check(*opened.upscaler);
  request.provenance = provenance_of(flags, compute, opened);

  app::BatchOptions options = app::batch_options(flags);
  RESEDA_REQUIRE(!options.inputs.empty(), Errc::kUsage, "an input is missing; see --help");
  const bool piped = options.output == "-" || options.inputs == std::vector<std::string>{"-"};
  RESEDA_REQUIRE(!request.uncertainty || !piped, Errc::kUsage, "--uncertainty needs files");
  options.extensions = io::image_extensions();
  options.output_extension = request.extension;
  options.model_sha256 = opened.model_sha256;
  options.config = effective_config(flags, compute);
  std::optional<FrameSequences> sequences;
  if (request.sequence) sequences = find_sequences(options);

  CounterNoise noise(compute.seed);
  return app::run_batch(options, [&](const app::BatchItem& item) -> std::unique_ptr<app::ItemJob> {
    const io::Image image = read_frame(item, request);
    ValueRange range = request.range ? *request.range : natural_range(image);
    if (sequences && !request.range && image.bits > 8) range = sequences->range(item.id).value_or(range);
    const std::string noise_name = sequences ? FrameSequences::name(item.id) : item.id;
    return std::make_unique<UpscaleJob>(item, noise_name, image, range, request, *opened.upscaler, noise);
  });
}

}  // namespace

app::Verb upscale_verb() {
  app::Verb verb;
  verb.name = "upscale";
  verb.about = "Enlarges thermal frames 2 or 4 times; units, depth, channels, format and metadata stay as they are.";
  verb.example = "reseda infrared upscale -r frames -o enlarged";
  verb.flags.add(app::batch_flags());
  verb.flags.add(upscale_flags());
  verb.flags.add(app::compute_flags());
  verb.run = upscale;
  return verb;
}

}  // namespace reseda::infrared
