#include "pipelines/medical/restore.hpp"

#include "pipelines/common/batch_runner.hpp"
#include "pipelines/common/config_layers.hpp"
#include "pipelines/medical/restore_job.hpp"

namespace reseda::medical {
namespace {

struct RestoreConfig {
  ConfigNode sampler;
  std::int64_t tile = diffusion::Tiling().tile, overlap = diffusion::Tiling().overlap,
               tiles = diffusion::Tiling().batch;
  template <class V>
  void fields(V& v) {
    v("sampler", sampler, "sampler in place of the model's own: name and its options");
    v("tile", tile, "longest side of the tiles that the network sees, pixels");
    v("overlap", overlap, "least overlap of neighbouring tiles, pixels");
    v("tiles", tiles, "tiles of one call");
  }
};

RestoreConfig read_restore_config(const app::Flags& flags) {
  app::ConfigLayers layers;
  layers.add_flags(flags);
  if (flags.given("sampler")) {
    ConfigNode keys = ConfigNode::map();
    keys["sampler"]["name"] = ConfigNode(flags.text("sampler"));
    layers.add(keys);
  }
  return layers.read(RestoreConfig{});
}

RestoreRequest request_of(const app::Flags& flags, const RestoreConfig& config) {
  RestoreRequest request;
  request.task = flags.text("task");
  request.modality = find_modality(flags.text("modality"));
  if (flags.given("noise")) request.sigma = flags.number("noise");
  request.restorer.sampler = config.sampler;
  request.restorer.tiling.tile = config.tile;
  request.restorer.tiling.overlap = config.overlap;
  request.restorer.tiling.batch = config.tiles;
  request.version = app::version();
  request.derivation.software_version = app::version();
  return request;
}

/// All that decides the bytes of outputs besides volumes and models.
ConfigNode effective_config(const app::Flags& flags, const RestoreConfig& config, const app::Compute& compute) {
  ConfigNode all = write_config(config);
  all["task"] = ConfigNode(flags.text("task"));
  all["modality"] = ConfigNode(flags.text("modality"));
  all["noise"] = ConfigNode(flags.given("noise") ? number_text(flags.number("noise")) : "");
  all["seed"] = ConfigNode(std::to_string(compute.seed));
  all["precision"] = ConfigNode(precision_name(compute.precision));
  return all;
}

int restore(const app::Flags& flags) {
  const RestoreConfig config = read_restore_config(flags);
  if (app::printed_config(flags, write_config(config))) return 0;
  RestoreRequest request = request_of(flags, config);
  const app::Compute compute = app::open_compute(flags);
  request.seed = compute.seed;
  ModelsByModality models(flags.text("model"), request.enlarges(), compute.device, compute.precision);

  app::BatchOptions options = app::batch_options(flags);
  RESEDA_REQUIRE(!options.inputs.empty(), Errc::kUsage, "an input is missing; see --help");
  ScanSearch search;
  search.recursive = options.recursive;
  search.series = flags.text("series");
  search.any_modality = request.modality.has_value();
  search.skip_damaged = flags.on("skip-damaged");
  search.output = options.output;
  const std::vector<Scan> scans = find_scans(options.inputs, search);
  options.found = items_of(scans, options.inputs);
  options.config = effective_config(flags, config, compute);
  options.model_sha256 = models.sha256();
  return app::run_batch(options, [&](const app::BatchItem& item) -> std::unique_ptr<app::ItemJob> {
    const auto scan =
        std::find_if(scans.begin(), scans.end(), [&](const Scan& one) { return one.input.id == item.id; });
    RESEDA_INVARIANT(scan != scans.end());
    return std::make_unique<RestoreJob>(*scan, request, models, item);
  });
}

app::FlagTable restore_flags() {
  const std::string group = "Restoration";
  app::FlagTable table;
  table.add({.name = "task",
             .value = "denoise",
             .help = "denoise; sr-inplane: twice the rows and columns; sr-through: twice the slices",
             .group = group,
             .choices = {"denoise", "sr-inplane", "sr-through"}});
  table.add({.name = "model",
             .letter = 'm',
             .word = "NAME|FILE",
             .help = "a shipped model by name, or a safetensors file; by default medical-denoise-ct for CT, "
                     "medical-denoise-mr for MR and PET, medical-sr",
             .group = group,
             .hint = app::ValueHint::kFile});
  table.add({.name = "modality",
             .value = "auto",
             .help = "by default as DICOM says, of other files by their values: CT where one is -500 or less, else MR",
             .group = group,
             .choices = {"auto", "ct", "mr", "pet"}});
  table.add({.name = "noise",
             .type = app::FlagType::kNumber,
             .word = "SIGMA",
             .help = "standard deviation of the noise in units of the volume, e.g. HU; by default measured",
             .group = group,
             .least = 0.0});
  table.add({.name = "series",
             .word = "UID|N",
             .help = "only this series of a study: its UID, or its place in the list",
             .group = group});
  table.add({.name = "skip-damaged",
             .type = app::FlagType::kSwitch,
             .help = "leave damaged DICOM images out, where otherwise nothing is done",
             .group = group});
  table.add({.name = "sampler", .word = "NAME", .help = "a sampler in place of the model's own", .group = group});
  return table;
}

}  // namespace

app::Verb restore_verb() {
  app::Verb verb;
  verb.name = "restore";
  verb.about =
      "Denoises CT, MR and PET volumes, or gives them finer pixels or slices: DICOM becomes a new derived series, "
      "NIfTI, "
      "NRRD and MetaImage a file of the same kind. For research.";
  verb.example = "reseda medical restore study -o restored";
  verb.flags.add(app::batch_flags());
  verb.flags.add(restore_flags());
  verb.flags.add(app::config_flags());
  verb.flags.add(app::compute_flags());
  verb.run = restore;
  return verb;
}

}  // namespace reseda::medical
