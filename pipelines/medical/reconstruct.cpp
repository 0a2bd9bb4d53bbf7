#include "pipelines/medical/reconstruct.hpp"

#include <memory>

#include "io/record/sha256.hpp"
#include "pipelines/common/batch_runner.hpp"
#include "pipelines/common/config_layers.hpp"
#include "pipelines/common/model_files.hpp"
#include "pipelines/medical/kspace_job.hpp"
#include "pipelines/medical/sinogram_job.hpp"

namespace reseda::medical {
namespace {

struct ReconstructConfig {
  KspaceConfig kspace;
  SinogramConfig sinogram;
  template <class V>
  void fields(V& v) {
    v("kspace", kspace, "magnetic resonance");
    v("sinogram", sinogram, "tomography, with --sinogram");
  }
  void validate() const {
    kspace.validate();
    sinogram.validate();
  }
};

/// Flags that are keys of the config by another name.
ConfigNode shortcuts(const app::Flags& flags) {
  ConfigNode keys = ConfigNode::map();
  if (flags.given("method")) keys.set(flags.on("sinogram") ? "sinogram.method" : "kspace.method", flags.text("method"));
  if (flags.given("maps")) keys.set("kspace.maps", flags.text("maps"));
  if (flags.given("pixel")) keys.set("sinogram.rays.pixel", number_text(flags.number("pixel")));
  if (flags.given("detector-spacing"))
    keys.set("sinogram.rays.detector_spacing", number_text(flags.number("detector-spacing")));
  if (flags.given("size")) keys.set("sinogram.size", std::to_string(flags.integer("size")));
  if (flags.on("hu")) keys.set("sinogram.hounsfield", "true");
  return keys;
}

app::BatchOptions batch_options_of(const app::Flags& flags, ConfigNode config) {
  app::BatchOptions options = app::batch_options(flags);
  options.extensions = {".npy", ".h5", ".hdf5"};
  if (flags.on("sinogram")) options.extensions.insert(options.extensions.end(), {".nrrd", ".mha"});
  options.output_extension = "." + flags.text("format");
  options.config = std::move(config);
  for (const char* name : {"mask", "angles", "dataset"}) options.config[name] = ConfigNode(flags.text(name));
  options.config["kind"] = ConfigNode(flags.on("sinogram") ? "sinogram" : "kspace");
  return options;
}

void require_free(const std::filesystem::path& file, const app::BatchOptions& options) {
  RESEDA_REQUIRE(file.empty() || options.overwrite || options.dry_run || !std::filesystem::exists(file), Errc::kOutput,
                 file.string(), ": exists; --overwrite replaces it");
}

int reconstruct(const app::Flags& flags) {
  app::ConfigLayers layers;
  layers.add_flags(flags).add(shortcuts(flags));
  const ReconstructConfig config = layers.read(ReconstructConfig{});
  if (app::printed_config(flags, write_config(config))) return 0;

  const bool sinogram = flags.on("sinogram");
  const std::string method = sinogram ? config.sinogram.method : config.kspace.method;
  const app::Compute compute = app::open_compute(flags);
  CounterNoise noise(compute.seed);
  app::BatchOptions options = batch_options_of(flags, write_config(config));
  options.config["seed"] = ConfigNode(std::to_string(compute.seed));
  const FurtherOutputs outputs{flags.text("kspace-out"), flags.text("picture"), options.overwrite};
  RESEDA_REQUIRE(!sinogram || outputs.prediction.empty(), Errc::kUsage, "--kspace-out does not go with --sinogram");
  require_free(outputs.prediction, options);
  require_free(outputs.picture, options);

  std::string provenance = std::string("reseda ") + app::version() + " medical reconstruct, " + method;
  std::unique_ptr<PriorDenoiser> prior;
  if (sinogram ? config.sinogram.needs_prior() : config.kspace.needs_prior()) {
    const auto file = app::find_model(flags.text("model"));
    options.model_sha256 = io::sha256_file(file);
    provenance += ", prior " + options.model_sha256.substr(0, 12);
    prior = std::make_unique<PriorDenoiser>(file, compute.device);
  }
  const KspaceRun kspace_run{config.kspace, prior.get(), &noise, flags.text("mask"), outputs, provenance};
  const SinogramRun sinogram_run{config.sinogram, prior.get(), &noise, flags.text("dataset"), outputs, provenance};
  return app::run_batch(options, [&](const app::BatchItem& item) -> std::unique_ptr<app::ItemJob> {
    RESEDA_REQUIRE(item.index == 0 || (outputs.prediction.empty() && outputs.picture.empty()), Errc::kUsage,
                   "--kspace-out and --picture need a single input");
    if (sinogram) return std::make_unique<SinogramJob>(sinogram_run, item, flags.text("angles"));
    return std::make_unique<KspaceJob>(kspace_run, item);
  });
}

app::FlagTable method_flags() {
  app::FlagTable table;
  table.add({.name = "method",
             .word = "NAME",
             .help = "k-space: zero-filled, cg-sense, wavelet-sense (the default), plug-and-play, red-diff; sinograms: "
                     "fbp, wavelet (the default), plug-and-play, red-diff; --print-config shows their settings",
             .group = "Reconstruction"});
  table.add({.name = "maps",
             .value = KspaceConfig{}.maps,
             .help = "how coil sensitivities are estimated from the middle of k-space",
             .group = "Reconstruction",
             .choices = {"espirit", "low-resolution"}});
  table.add({.name = "model",
             .letter = 'm',
             .value = "medical-prior",
             .word = "NAME|FILE",
             .help = "prior of slices for plug-and-play and red-diff",
             .group = "Reconstruction",
             .hint = app::ValueHint::kFile});
  return table;
}

app::FlagTable data_flags() {
  app::FlagTable table;
  table.add({.name = "mask",
             .word = "FILE.npy",
             .help = "sampling mask, [width], [height, width] or [slices, height, width]; else samples that are 0 in "
                     "every coil are taken as not measured",
             .group = "Data",
             .hint = app::ValueHint::kFile});
  table.add({.name = "format",
             .value = "npy",
             .help = "of outputs in a folder; a single output's name says it",
             .group = "Data",
             .choices = {"npy", "nii.gz", "nrrd", "mha"}});
  table.add({.name = "kspace-out",
             .word = "FILE.npy",
             .help = "also write the k-space that the image predicts for every coil",
             .group = "Data",
             .hint = app::ValueHint::kFile});
  table.add({.name = "picture",
             .word = "FILE.png",
             .help = "also write the middle slice as a picture",
             .group = "Data",
             .hint = app::ValueHint::kFile});
  return table;
}

app::FlagTable sinogram_flags() {
  const std::string group = "Tomography";
  app::FlagTable table;
  table.add({.name = "sinogram",
             .type = app::FlagType::kSwitch,
             .help = "inputs are sinograms, [views, detectors] or [slices, views, detectors] of line integrals (.npy, "
                     ".h5, .nrrd, .mha)",
             .group = group});
  table.add({.name = "angles",
             .word = "START:STEP|FILE",
             .help = "of the views, degrees: the first and the step, or a file with one number for each view; else "
                     "they are spread evenly over half a turn",
             .group = group});
  table.add({.name = "detector-spacing",
             .type = app::FlagType::kNumber,
             .value = "0",
             .word = "MM",
             .help = "distance of detector elements; 0 is a pixel",
             .group = group,
             .least = 0.0});
  table.add({.name = "pixel",
             .type = app::FlagType::kNumber,
             .value = "1",
             .word = "MM",
             .help = "side of a pixel of the image",
             .group = group});
  table.add({.name = "size",
             .type = app::FlagType::kInteger,
             .value = "0",
             .help = "pixels a side of the image; 0 is as many as detector elements",
             .group = group,
             .least = 0.0});
  table.add({.name = "hu", .type = app::FlagType::kSwitch, .help = "write HU in place of 1/mm", .group = group});
  table.add({.name = "dataset",
             .value = "sinogram",
             .word = "NAME",
             .help = "dataset of an HDF5 file that holds the sinogram",
             .group = group});
  return table;
}

}  // namespace

app::Verb reconstruct_verb() {
  app::Verb verb;
  verb.name = "reconstruct";
  verb.about = "Reconstructs images from undersampled multi-coil k-space, or slices from sparse or limited sinograms.";
  verb.example = "reseda medical reconstruct kspace.npy -o image.nii.gz --picture image.png";
  verb.flags.add(app::batch_flags());
  verb.flags.add(method_flags());
  verb.flags.add(data_flags());
  verb.flags.add(sinogram_flags());
  verb.flags.add(app::config_flags());
  verb.flags.add(app::compute_flags());
  verb.run = reconstruct;
  return verb;
}

}  // namespace reseda::medical
