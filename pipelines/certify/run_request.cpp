#include "pipelines/certify/run_request.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "modules/core/error.hpp"
#include "modules/stats/certificate.hpp"
#include "pipelines/certify/image_votes.hpp"
#include "pipelines/certify/run_files.hpp"

namespace reseda::certify {
namespace {

using app::FlagType;

constexpr double kMostVotes = 1e12;

void add_data(app::FlagTable& table) {
  const std::string group = "Data";
  table.add(
      {.name = "data",
       .word = "DIR",
       .help = "labelled images: CIFAR-10 binary, idx (MNIST), PNG strip, JPEG archive, or a folder for each class",
       .group = group,
       .hint = app::ValueHint::kFolder,
       .required = true});
  table.add({.name = "split", .value = "test", .help = "which images", .group = group, .choices = {"test", "train"}});
  table.add({.name = "crop",
             .value = "none",
             .help = "how photographs get the model's size; none: they must have it; centre: as ImageNet classifiers "
                     "(8/7 of the size by bilinear interpolation, then the centre); halve: as rRCM",
             .group = group,
             .choices = {"none", "centre", "halve"}});
  table.add({.name = "skip",
             .type = FlagType::kInteger,
             .value = "1",
             .help = "certify every N-th image, from the first on",
             .group = group,
             .least = 1});
  table.add({.name = "max",
             .type = FlagType::kInteger,
             .help = "certify only images whose index is below N",
             .group = group,
             .least = 1});
  table.add({.name = "shard",
             .word = "I/N",
             .help = "do only part I of N of these; auto takes both from a Slurm array job",
             .group = group});
}

void add_smoothing(app::FlagTable& table) {
  const std::string group = "Smoothing";
  table.add({.name = "model",
             .letter = 'm',
             .value = "certify-cifar10",
             .word = "NAME|FILE",
             .help = "a shipped classifier by name, or a safetensors file of reseda certify train",
             .group = group,
             .hint = app::ValueHint::kFile});
  table.add({.name = "torchscript",
             .type = FlagType::kSwitch,
             .help = "--model is a TorchScript program, images in [0, 1] to logits; it runs with your rights, so only "
                     "for files you trust as you trust a program",
             .group = group});
  table.add({.name = "sigma",
             .word = "LIST",
             .help = "standard deviations of the noise, of values in [0, 1], with commas between",
             .group = group,
             .required = true});
  table.add({.name = "n0",
             .type = FlagType::kInteger,
             .value = "100",
             .help = "votes that select the class",
             .group = group,
             .least = 1,
             .most = kMostVotes});
  table.add({.name = "n",
             .type = FlagType::kInteger,
             .value = "100000",
             .help = "votes that bound its probability, at most",
             .group = group,
             .least = 1,
             .most = kMostVotes});
  table.add({.name = "alpha",
             .type = FlagType::kNumber,
             .value = "0.001",
             .help = "probability with which a certificate may be wrong",
             .group = group});
  table.add({.name = "bound",
             .value = "clopper-pearson",
             .help = "clopper-pearson: all N votes, the largest radius; sequential: votes until --target-radius is "
                     "decided, often a hundredth",
             .group = group,
             .choices = {"clopper-pearson", "sequential"}});
  table.add({.name = "target-radius",
             .word = "LIST",
             .help = "radii that --bound sequential decides, with commas between",
             .group = group});
  table.add({.name = "noise",
             .value = "gaussian",
             .help = "gaussian: in float32, as every published number; integer: on 8-bit levels, exact in law, sound "
                     "against any classifier",
             .group = group,
             .choices = {"gaussian", "integer"}});
  table.add({.name = "batch",
             .type = FlagType::kInteger,
             .value = "400",
             .help = "noisy copies in one call of the network; changes no draw",
             .group = group,
             .least = 1,
             .most = 1 << 20});
}

void add_output(app::FlagTable& table) {
  const std::string group = "Output";
  table.add({.name = "output",
             .letter = 'o',
             .word = "FILE.tsv",
             .help = "log in the columns of the official program, with FILE.jsonl beside it; of several sigmas "
                     "FILE.sigma-0.25.tsv; a run that is there goes on",
             .group = group,
             .hint = app::ValueHint::kFile,
             .required = true});
  table.add({.name = "times",
             .type = FlagType::kSwitch,
             .help = "record the seconds of each image; else 0:00:00, so that equal runs give equal bytes",
             .group = group});
  table.add(
      {.name = "overwrite", .type = FlagType::kSwitch, .help = "replace results of other settings", .group = group});
  table.add({.name = "dry-run",
             .letter = 'n',
             .type = FlagType::kSwitch,
             .help = "print what would be done, write nothing",
             .group = group});
  table.add(
      {.name = "radii", .value = "0,0.25,0.5,0.75,1", .word = "LIST", .help = "radii of the table", .group = group});
  table.add({.name = "json", .type = FlagType::kSwitch, .help = "print the table as JSON", .group = group});
  table.add({.name = "progress",
             .value = "auto",
             .help = "how to show progress on standard error",
             .group = group,
             .choices = {"auto", "bar", "plain", "json", "none"}});
}

void check_votes(const app::Flags& flags, const RunSettings& settings) {
  const auto quoted = [&](const char* name) { return "--" + std::string(name) + " " + flags.text(name); };
  RESEDA_REQUIRE(settings.alpha > 0 && settings.alpha < 1, Errc::kUsage, quoted("alpha"), ": must be between 0 and 1");
  RESEDA_REQUIRE(settings.n >= settings.n0, Errc::kUsage, "--n ", settings.n, ": must be at least --n0, which is ",
                 settings.n0);
  const bool sequential = settings.bound == "sequential";
  RESEDA_REQUIRE(!sequential || !settings.target_radii.empty(), Errc::kUsage,
                 "--bound sequential needs --target-radius");
  RESEDA_REQUIRE(sequential || settings.target_radii.empty(), Errc::kUsage,
                 "--target-radius is for --bound sequential alone");
}

}  // namespace

std::vector<double> parse_numbers(const std::string& flag, const std::string& text) {
  std::vector<double> numbers;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, end - at);
    double value = 0;
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    RESEDA_REQUIRE(error == std::errc() && stop == part.data() + part.size() && std::isfinite(value) && value >= 0,
                   Errc::kUsage, "--", flag, ": '", part, "' is no number from 0 on (numbers with commas between)");
    RESEDA_REQUIRE(std::find(numbers.begin(), numbers.end(), value) == numbers.end(), Errc::kUsage, "--", flag, ": ",
                   part, " is there twice");
    numbers.push_back(value);
    at = end + 1;
  }
  return numbers;
}

app::FlagTable run_flags() {
  app::FlagTable table;
  add_data(table);
  add_smoothing(table);
  add_output(table);
  return table;
}

RunSettings RunRequest::at(double sigma) const {
  RunSettings out = settings;
  out.sigma = sigma;
  const double largest = largest_radius(out);
  RESEDA_REQUIRE(largest > 0, Errc::kUsage, "--n ", out.n, " --alpha ", out.alpha,
                 ": so few votes certify no radius, even if all agree");
  for (const double radius : out.target_radii)
    RESEDA_REQUIRE(radius < largest, Errc::kUsage, "--target-radius ", radius, ": with sigma ", sigma, " and ", out.n,
                   " votes no radius of ", largest, " or more can be certified");
  return out;
}

std::filesystem::path RunRequest::log_of(double sigma) const {
  return sigmas.size() == 1 ? log : log_of_sigma(log, sigma);
}

RunRequest run_request(const app::Flags& flags) {
  RunRequest request;
  request.data = flags.text("data");
  request.log = flags.text("output");
  request.split = flags.text("split") == "train" ? DataSplit::kTrain : DataSplit::kTest;
  request.sigmas = parse_numbers("sigma", flags.text("sigma"));
  for (const double sigma : request.sigmas)
    RESEDA_REQUIRE(sigma > 0, Errc::kUsage, "--sigma ", sigma, ": must be above 0");
  request.radii = parse_numbers("radii", flags.text("radii"));
  RunSettings& settings = request.settings;
  settings.n0 = flags.integer("n0");
  settings.n = flags.integer("n");
  settings.alpha = flags.number("alpha");
  settings.bound = flags.text("bound");
  if (flags.given("target-radius")) settings.target_radii = parse_numbers("target-radius", flags.text("target-radius"));
  settings.noise = flags.text("noise");
  settings.precision = flags.text("precision");
  settings.seed = flags.integer("seed");
  settings.split = flags.text("split");
  settings.crop = flags.text("crop");
  settings.skip = flags.integer("skip");
  settings.max = flags.given("max") ? flags.integer("max") : -1;
  check_votes(flags, settings);
  request.batch = flags.integer("batch");
  request.shard = flags.text("shard");
  request.record_times = flags.on("times");
  request.overwrite = flags.on("overwrite");
  request.dry_run = flags.on("dry-run");
  request.json = flags.on("json");
  request.progress = flags.text("progress");
  return request;
}

}  // namespace reseda::certify
