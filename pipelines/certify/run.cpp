#include "pipelines/certify/run.hpp"

#include <algorithm>
#include <cstdio>

#include "io/batch/shard.hpp"
#include "io/record/json_lines.hpp"
#include "io/record/sha256.hpp"
#include "modules/core/log.hpp"
#include "pipelines/certify/live_table.hpp"
#include "pipelines/certify/run_request.hpp"
#include "pipelines/certify/smoothing_run.hpp"
#include "pipelines/common/model_files.hpp"

namespace reseda::certify {
namespace {

app::ProgressStyle style_of(const std::string& text) {
  if (text == "bar") return app::ProgressStyle::kBar;
  if (text == "plain") return app::ProgressStyle::kPlain;
  if (text == "json") return app::ProgressStyle::kJson;
  return text == "none" ? app::ProgressStyle::kNone : app::ProgressStyle::kAuto;
}

std::vector<std::int64_t> of_shard(const std::vector<std::int64_t>& indices, const io::Shard& shard) {
  std::vector<std::int64_t> out;
  for (std::size_t position = 0; position < indices.size(); ++position)
    if (shard.holds(position)) out.push_back(indices[position]);
  return out;
}

/// A request with everything it names opened.
struct OpenedRun {
  RunRequest request;
  app::Compute compute;
  std::unique_ptr<ImageData> data;
  CertifyModel model;
  std::vector<std::int64_t> indices;  ///< of this shard
};

CertifiedTable table_of(const RunRequest& request, const RunSettings& settings, const app::Flags& flags) {
  CertifiedTable table{.radii = request.radii};
  if (settings.bound != "sequential" || flags.given("radii")) return table;
  table.radii = settings.target_radii;
  if (std::find(table.radii.begin(), table.radii.end(), 0.0) == table.radii.end())
    table.radii.insert(table.radii.begin(), 0.0);
  return table;
}

void say_plan(const OpenedRun& run, const RunSettings& settings, const std::filesystem::path& log,
              std::size_t finished) {
  const std::size_t count = run.indices.size();
  if (run.request.json)
    std::printf("%s\n",
                io::JsonObject()
                    .add("output", log.string())
                    .add("images", count)
                    .add("done", finished)
                    .add("votes_at_most", static_cast<std::int64_t>(count - finished) * (settings.n0 + settings.n))
                    .add("settings", write_config(settings))
                    .line()
                    .c_str());
  else
    std::printf("%s: %zu of %lld images, %zu of them done; model %s, sigma %s, at most %lld + %lld votes each\n",
                log.c_str(), count, static_cast<long long>(settings.images), finished, settings.model.c_str(),
                number_text(settings.sigma).c_str(), static_cast<long long>(settings.n0),
                static_cast<long long>(settings.n));
}

std::size_t count_of(const std::map<std::int64_t, ImageRecord>& records, const std::vector<std::int64_t>& indices) {
  return static_cast<std::size_t>(
      std::count_if(indices.begin(), indices.end(), [&](std::int64_t index) { return records.count(index) != 0; }));
}

/// @return images with logits that are not finite
std::int64_t run_sigma(const OpenedRun& run, const RunSettings& settings, const app::Flags& flags) {
  const std::filesystem::path log = run.request.log_of(settings.sigma);
  if (run.request.dry_run) {
    const auto records = finished_records(log, settings, run.request.overwrite);
    say_plan(run, settings, log, count_of(records, run.indices));
    return 0;
  }
  RunFiles files(log, settings, run.request.overwrite);
  CertifiedTable table = table_of(run.request, settings, flags);
  for (const std::int64_t index : run.indices)
    if (const auto found = files.records().find(index); found != files.records().end()) table.add(found->second);
  LiveTable live(style_of(run.request.progress), "sigma " + number_text(settings.sigma), std::move(table),
                 run.indices.size());
  const SmoothingRun work{.data = *run.data,
                          .model = run.model,
                          .settings = settings,
                          .indices = run.indices,
                          .batch = run.request.batch,
                          .device = run.compute.device,
                          .record_times = run.request.record_times};
  certify_images(work, files,
                 {.start = [&](const std::string& name) { live.start(name); },
                  .step = [&](std::int64_t votes, std::int64_t of) { live.step(votes, of); },
                  .finish = [&](const ImageRecord& record) { live.finish(record); }});
  const CertifiedTable& done = live.table();
  if (run.request.json)
    std::printf("%s\n", done.json(settings, log.string()).c_str());
  else
    std::printf("%s", done.text(settings).c_str());
  return done.not_finite;
}

void warn_of_sigmas(const CertifyModelConfig& model, const std::vector<double>& sigmas) {
  for (const double sigma : sigmas)
    if (!model.sigmas.empty() && std::find(model.sigmas.begin(), model.sigmas.end(), sigma) == model.sigmas.end())
      log::warning("--sigma ", sigma, ": the model ", model.name, " was trained for other noise (",
                   write_config(model).find("sigmas")->to_json(), ")");
}

/// Side of the photographs that a TorchScript program is shown, as published ImageNet classifiers are.
constexpr std::int64_t kPhotographSize = 224;

/// A TorchScript program for images as those of the data.
CertifyModel program_for(const std::filesystem::path& file, const ImageData& data, const std::string& crop,
                         Precision precision) {
  RESEDA_REQUIRE(precision == Precision::kF32, Errc::kUsage,
                 "--torchscript: a program computes as it was written, so "
                 "--precision must be f32");
  if (crop != "none") return CertifyModel::program(file, 3, kPhotographSize);
  const at::Tensor first = data.pixels(0);
  RESEDA_REQUIRE(first.size(1) == first.size(2), Errc::kInput, "image ", data.name(0), " has ", first.size(2), "x",
                 first.size(1), " pixels; a TorchScript program is given square images");
  return CertifyModel::program(file, first.size(0), first.size(1));
}

/// That the model takes the first of the images.
void require_fit(const OpenedRun& run) {
  if (run.indices.empty()) return;
  try {
    model_pixels(*run.data, run.indices.front(), run.request.settings.crop, run.model.config().input);
  } catch (const Error& error) {
    const std::string text = error.what();
    const bool other = text.find("the model takes") != std::string::npos;
    throw Error(error.code(), text + (other ? " (--model gives a classifier of other images)" : ""));
  }
}

int run(const app::Flags& flags) {
  RunRequest request = run_request(flags);
  for (const double sigma : request.sigmas) request.at(sigma);
  const io::Shard shard = io::parse_shard(request.shard);
  const app::Compute compute = app::open_compute(flags);
  const std::filesystem::path file = app::find_model(flags.text("model"));
  std::unique_ptr<ImageData> data = open_image_data(request.data, request.split);
  CertifyModel classifier = flags.on("torchscript") ? program_for(file, *data, request.settings.crop, compute.precision)
                                                    : CertifyModel::load(file);
  OpenedRun opened{std::move(request), compute, std::move(data), std::move(classifier), {}};
  const CertifyModelConfig& model = opened.model.config();

  RunSettings& settings = opened.request.settings;
  settings.model = model.name;
  settings.model_sha256 = io::sha256_file(file, Errc::kCheckpoint);
  settings.images = opened.data->size();
  opened.indices = of_shard(settings.indices(), shard);
  require_labels(*opened.data, opened.indices, model.classes);
  require_fit(opened);
  warn_of_sigmas(model, opened.request.sigmas);
  CounterNoise unused(0);
  for (const double sigma : opened.request.sigmas) opened.model.under_noise(sigma, unused);  // refuses before any work
  opened.model.prepare(compute.device, compute.precision);

  std::int64_t not_finite = 0;
  for (const double sigma : opened.request.sigmas) not_finite += run_sigma(opened, opened.request.at(sigma), flags);
  RESEDA_REQUIRE(not_finite == 0, Errc::kNumeric, not_finite,
                 " images had noisy copies with logits that are not finite; such copies count against them, and "
                 "everything is recorded");
  return 0;
}

}  // namespace

app::Verb run_verb() {
  app::Verb verb;
  verb.name = "run";
  verb.about = "Certifies a classifier's answers on labelled images by randomised smoothing.";
  verb.example = "reseda certify run --data cifar10 --sigma 0.25 --n0 100 --n 1000 --alpha 0.001 -o run.tsv";
  verb.flags.add(run_flags());
  verb.flags.add(app::compute_flags());
  verb.run = run;
  return verb;
}

}  // namespace reseda::certify
