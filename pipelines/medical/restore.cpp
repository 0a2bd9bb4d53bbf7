#include "pipelines/medical/restore.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "io/record/file_bytes.hpp"
#include "io/record/json_lines.hpp"
#include "io/record/sha256.hpp"
#include "io/volume/volume.hpp"
#include "modules/core/byte_size.hpp"
#include "pipelines/common/batch_runner.hpp"
#include "pipelines/common/config_layers.hpp"
#include "pipelines/common/failure.hpp"
#include "pipelines/common/program.hpp"
#include "pipelines/common/terminal.hpp"
#include "pipelines/medical/restore_flags.hpp"
#include "pipelines/medical/restore_job.hpp"

namespace reseda::medical {
namespace {

constexpr std::size_t kMostKeyBytes = 1 << 16;

struct RestoreConfig {
  ConfigNode sampler;
  PriorRestorerConfig red_diff;
  std::int64_t tile = diffusion::Tiling().tile, overlap = diffusion::Tiling().overlap,
               pixels = diffusion::Tiling().pixels, turns = VolumeRestorerConfig().turns;
  template <class V>
  void fields(V& v) {
    v("sampler", sampler, "sampler in place of the model's own: name and its options");
    v("tile", tile, "longest side of the tiles that the network sees, pixels");
    v("overlap", overlap, "least overlap of neighbouring tiles, pixels");
    v("red_diff", red_diff, "settings of --engine red-diff, which sees whole slices");
    v("turns", turns, "the mean of restorations of the slice turned and mirrored in 1 to 8 ways, best first");
    v("pixels", pixels, "most pixels of one call of the network");
  }
  void validate() const { red_diff.validate(); }
};

RestoreConfig read_restore_config(const app::Flags& flags) {
  app::ConfigLayers layers;
  if (flags.given("sampler")) {
    ConfigNode keys = ConfigNode::map();
    keys["sampler"]["name"] = ConfigNode(flags.text("sampler"));
    layers.add(keys);
  }
  return layers.add_flags(flags).read(RestoreConfig{});
}

io::DicomCompression compression_of(const std::string& name) {
  if (name == "rle") return io::DicomCompression::kRle;
  if (name == "jpeg-ls") return io::DicomCompression::kJpegLs;
  if (name == "jpeg-2000") return io::DicomCompression::kJpeg2000;
  return io::DicomCompression::kNone;
}

io::Derivation derivation_of(const app::Flags& flags) {
  io::Derivation derivation;
  derivation.software_version = app::version();
  const std::string& task = flags.text("task");
  if (task == "denoise") {
    derivation.series_suffix = "denoised";
    derivation.image_type = "DENOISED";
  } else {
    derivation.code = {"113085", "DCM", "Spatial resampling"};
    derivation.series_suffix = task == "sr-inplane" ? "finer pixels" : "finer slices";
    derivation.image_type = "SUPERRESOLVED";
  }
  derivation.compression = compression_of(flags.text("compress"));
  derivation.keep_private = flags.on("keep-private");
  derivation.strip_phi = flags.on("strip-phi");
  if (flags.given("phi-key")) {
    RESEDA_REQUIRE(derivation.strip_phi, Errc::kUsage, "--phi-key belongs to --strip-phi");
    derivation.phi_key = io::read_file(flags.text("phi-key"), kMostKeyBytes);
  }
  RESEDA_REQUIRE(!derivation.strip_phi || !derivation.keep_private, Errc::kUsage,
                 "--strip-phi and --keep-private cannot be given together");
  return derivation;
}

/// That flags fit the task.
void check_flags(const app::Flags& flags) {
  RESEDA_REQUIRE(flags.text("output") != "-", Errc::kUsage, "-o must name a file or folder, volumes do not go to '-'");
  RESEDA_REQUIRE(flags.text("engine") != "red-diff" || !flags.given("sampler"), Errc::kUsage,
                 "--sampler is for --engine residual-diffusion alone");
  if (flags.text("task") == "denoise") return;
  for (const char* name : {"noise", "strength", "slices", "mask", "difference", "uncertainty"})
    RESEDA_REQUIRE(!flags.given(name), Errc::kUsage, "--", name, " is for --task denoise alone");
}

/// That no volume of a file has a folder as its companion, which only series of DICOM fill.
void check_companions(const std::vector<Scan>& scans, const RestoreRequest& request) {
  for (const auto& [flag, place] :
       {std::pair{"--difference", request.difference}, {"--uncertainty", request.deviation}})
    for (const Scan& scan : scans)
      RESEDA_REQUIRE(scan.series || !names_folder(place), Errc::kUsage, flag, " ", place.parent_path().string(), ": ",
                     scan.input.id, " is no DICOM, so it must end in .nii, .nii.gz, .nrrd or .mha");
}

RestoreRequest request_of(const app::Flags& flags, const RestoreConfig& config) {
  RestoreRequest request;
  request.task = flags.text("task");
  request.engine = flags.text("engine");
  request.prior = config.red_diff;
  request.modality = find_modality(flags.text("modality"));
  if (flags.given("noise")) request.sigma = flags.number("noise");
  request.strength = flags.number("strength");
  request.slices = parse_slices(flags.text("slices"));
  request.mask = flags.text("mask");
  request.samples = static_cast<int>(flags.integer("samples"));
  request.difference = volume_or_folder(flags.text("difference"));
  request.deviation = volume_or_folder(flags.text("uncertainty"));
  request.report = flags.text("report");
  request.restorer.sampler = config.sampler;
  request.restorer.turns = config.turns;
  request.restorer.tiling.tile = config.tile;
  request.restorer.tiling.overlap = config.overlap;
  request.restorer.tiling.pixels = config.pixels;
  if (flags.given("max-memory")) request.max_memory = parse_bytes("--max-memory", flags.text("max-memory"));
  request.derivation = derivation_of(flags);
  request.version = app::version();
  return request;
}

/// All that decides the bytes of outputs besides volumes and models, and what other files there are.
ConfigNode effective_config(const app::Flags& flags, const RestoreConfig& config, const RestoreRequest& request,
                            const app::Compute& compute) {
  ConfigNode all = write_config(config);
  for (const char* name : {"task", "engine", "modality", "slices", "compress", "difference", "uncertainty", "report"})
    all[name] = ConfigNode(flags.text(name));
  all["noise"] = ConfigNode(request.sigma ? number_text(*request.sigma) : "");
  all["strength"] = ConfigNode(number_text(request.strength));
  all["samples"] = ConfigNode(std::to_string(request.samples));
  all["mask"] = ConfigNode(request.mask.empty() ? "" : io::sha256_file(request.mask));
  all["keep_private"] = ConfigNode(request.derivation.keep_private ? "true" : "false");
  all["strip_phi"] = ConfigNode(request.derivation.strip_phi ? "true" : "false");
  all["phi_key"] = ConfigNode(request.derivation.phi_key.empty() ? "" : io::sha256(request.derivation.phi_key));
  all["seed"] = ConfigNode(std::to_string(compute.seed));
  all["precision"] = ConfigNode(precision_name(compute.precision));
  return all;
}

/// What a dry run finds out about a volume.
void print_facts(const Scan& scan, const RestoreRequest& request, const ModelsByModality& models, bool json) {
  const OpenedScan opened = open_scan(scan, request);
  const std::int64_t bytes = memory_needed(scan_size(scan), request);
  const PriorWork work = request.asks_prior() ? prior_work(scan_size(scan), request) : PriorWork{};
  const at::IntArrayRef size = opened.volume.voxels.sizes();
  const std::string shape = std::to_string(size[0]) + " x " + std::to_string(size[1]) + " x " + std::to_string(size[2]);
  metrics::NoiseLevel noise;
  if (request.sigma)
    noise.sigma = noise.low = noise.high = *request.sigma;
  else if (!request.enlarges())
    noise = blind_noise_level(opened.volume.voxels, opened.volume.padding, opened.modality);
  const std::string model = models.file(opened.modality).string();
  if (json) {
    io::JsonObject line;
    line.add("id", scan.input.id)
        .add("status", "looked at")
        .add("modality", modality_name(opened.modality))
        .add("size", shape)
        .add("units", opened.units)
        .add("noise", noise.sigma)
        .add("noise_low", noise.low)
        .add("noise_high", noise.high)
        .add("model", model)
        .add("memory_bytes", static_cast<std::size_t>(bytes));
    if (request.asks_prior()) line.add("network_calls", static_cast<std::size_t>(work.calls));
    std::puts(line.line().c_str());
    return;
  }
  const std::string level = request.enlarges() ? ""
                                               : "noise " + short_number(noise.sigma) + " (" + short_number(noise.low) +
                                                     " to " + short_number(noise.high) + ") " + opened.units + ", ";
  const std::string effort = request.asks_prior() ? std::to_string(work.calls) + " calls of the network (about " +
                                                        short_number(work.seconds / 60) + " min on one core of a CPU), "
                                                  : "";
  std::printf("%s: %s, %s, %sabout %s of memory, %smodel %s\n", scan.input.id.c_str(), modality_name(opened.modality),
              shape.c_str(), level.c_str(), bytes_text(bytes).c_str(), effort.c_str(), model.c_str());
}

/// Of every volume what a dry run finds out; one that a run would refuse is told of, and the next is looked at.
/// @return  the exit code that a run would end with
int print_all_facts(const std::vector<Scan>& scans, const RestoreRequest& request, const ModelsByModality& models,
                    bool json) {
  std::set<Errc> codes;
  std::size_t refused = 0;
  for (const Scan& scan : scans) {
    try {
      print_facts(scan, request, models, json);
    } catch (...) {
      const app::Failure failure = app::describe_exception(std::current_exception());
      codes.insert(failure.code);
      ++refused;
      app::print_line(app::program_name() + ": " + errc_name(failure.code) + ": " + app::one_line(failure.message));
      if (json)
        std::puts(io::JsonObject()
                      .add("id", scan.input.id)
                      .add("status", "failed")
                      .add("code", errc_name(failure.code))
                      .add("message", failure.message)
                      .line()
                      .c_str());
    }
  }
  if (refused == 0) return 0;
  return refused == scans.size() && codes.size() == 1 ? static_cast<int>(*codes.begin()) : 1;
}

int restore(const app::Flags& flags) {
  const RestoreConfig config = read_restore_config(flags);
  if (app::printed_config(flags, write_config(config))) return 0;
  check_flags(flags);
  RestoreRequest request = request_of(flags, config);
  const app::Compute compute = app::open_compute(flags);
  request.seed = compute.seed;
  request.restorer.at_once = compute.device.is_cpu() ? at::get_num_threads() : 1;
  using Use = ModelsByModality::Use;
  const Use use = request.asks_prior() ? Use::kPrior : request.enlarges() ? Use::kEnlarge : Use::kDenoise;
  ModelsByModality models(flags.text("model"), use, compute.device, compute.precision);

  app::BatchOptions options = app::batch_options(flags);
  RESEDA_REQUIRE(!options.inputs.empty(), Errc::kUsage, "an input is missing; see --help");
  const std::vector<Scan> scans = find_scans(options.inputs, {.recursive = options.recursive,
                                                              .series = flags.text("series"),
                                                              .any_modality = request.modality.has_value(),
                                                              .skip_damaged = flags.on("skip-damaged"),
                                                              .output = options.output,
                                                              .companions = {request.difference, request.deviation}});
  check_companions(scans, request);
  request.items = scans.size();
  options.found = items_of(scans, options.inputs);
  const bool file = options.output.empty() || !io::volume_extension(options.output).empty();
  if (options.found->one_file && !file) options.output += '/';
  options.config = effective_config(flags, config, request, compute);
  options.model_sha256 = models.sha256();
  request.derivation.identity = io::sha256(options.config.to_json()) + options.model_sha256;
  const int code = app::run_batch(options, [&](const app::BatchItem& item) -> std::unique_ptr<app::ItemJob> {
    const auto scan =
        std::find_if(scans.begin(), scans.end(), [&](const Scan& one) { return one.input.id == item.id; });
    RESEDA_INVARIANT(scan != scans.end());
    return std::make_unique<RestoreJob>(*scan, request, models, item);
  });
  return options.dry_run ? print_all_facts(scans, request, models, options.json) : code;
}

}  // namespace

app::Verb restore_verb() {
  app::Verb verb;
  verb.name = "restore";
  verb.about =
      "Denoises CT, MR and PET volumes, or gives them finer pixels or slices: DICOM becomes a new derived series, "
      "NIfTI, "
      "NRRD and MetaImage a file of the same kind. For research, not for diagnosis.";
  verb.example = "reseda medical restore study -o restored --report restored/report.html";
  verb.flags.add(app::batch_flags());
  verb.flags.add(restore_flags());
  verb.flags.add(app::config_flags());
  verb.flags.add(app::compute_flags());
  verb.run = restore;
  return verb;
}

}  // namespace reseda::medical
