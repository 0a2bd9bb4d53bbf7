#include "pipelines/tools/bench.hpp"

#include <cstdio>
#include <filesystem>

#include "io/record/atomic_file.hpp"
#include "io/record/png.hpp"
#include "io/record/svg_plot.hpp"
#include "modules/core/log.hpp"
#include "pipelines/common/batch_progress.hpp"
#include "pipelines/common/model_files.hpp"
#include "pipelines/restoration/inverse_bench.hpp"
#include "pipelines/restoration/solver_bench.hpp"
#include "pipelines/tools/plain_text.hpp"

namespace reseda::tools {
namespace {

namespace fs = std::filesystem;

/// "1,2,5" as numbers. @throws Error{kUsage}
std::vector<std::int64_t> call_counts(const std::string& text) {
  std::vector<std::int64_t> out;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    const bool number = !word.empty() && word.size() <= 4 && word.find_first_not_of("0123456789") == std::string::npos;
    RESEDA_REQUIRE(number && std::stoll(word) > 0, Errc::kUsage,
                   "--calls must be numbers from 1 to 9999 like 1,2,5, got '", text, "'");
    out.push_back(std::stoll(word));
    begin = end + 1;
  }
  return out;
}

/// `count` of the images, evenly spread, cut to the middle square of `side` pixels; 0 keeps all, or the whole image.
restoration::ImageSet chosen_images(const app::Flags& flags, std::int64_t count, std::int64_t multiple) {
  const std::int64_t side = flags.integer("crop");
  restoration::ImageSet set = restoration::read_images({fs::path(flags.text("data"))}, std::max(side, multiple));
  if (count > 0 && set.images.size() > static_cast<std::size_t>(count)) {
    restoration::ImageSet some;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::size_t at = static_cast<std::size_t>(i) * set.images.size() / static_cast<std::size_t>(count);
      some.names.push_back(set.names[at]);
      some.images.push_back(set.images[at]);
      some.full_scales.push_back(set.full_scales[at]);
    }
    set = std::move(some);
  }
  for (at::Tensor& image : set.images) {
    const std::int64_t height = side > 0 ? side : image.size(1) / multiple * multiple;
    const std::int64_t width = side > 0 ? side : image.size(2) / multiple * multiple;
    image = image.narrow(1, (image.size(1) - height) / 2, height).narrow(2, (image.size(2) - width) / 2, width);
    image = image.contiguous();
  }
  return set;
}

void print_table(const std::vector<restoration::SolverScore>& scores) {
  std::printf("%-16s %-28s %5s %9s %7s %10s\n", "model", "solver", "calls", "PSNR dB", "SSIM", "s/image");
  for (const auto& s : scores)
    std::printf("%-16s %-28s %5lld %9.3f %7.4f %10.3f\n", s.model.c_str(), s.solver.c_str(),
                static_cast<long long>(s.calls), s.psnr, s.ssim, s.seconds);
}

int bench_solvers(const app::Flags& flags) {
  const std::vector<std::int64_t> calls = call_counts(flags.text("calls"));
  const fs::path out = flags.text("output");
  const io::Existing existing = flags.on("overwrite") ? io::Existing::kReplace : io::Existing::kRefuse;
  RESEDA_REQUIRE(flags.on("overwrite") || !fs::exists(out / "solvers.csv"), Errc::kOutput,
                 (out / "solvers.csv").string(), ": exists; give --overwrite or another folder");
  const app::Compute compute = app::open_compute(flags);
  app::BatchProgress display(app::ProgressStyle::kAuto, 1);
  std::vector<restoration::SolverScore> scores;
  std::vector<std::string> plots, names;
  for (const std::string& file : flags.list("model")) {
    const restoration::RestorationModel model = restoration::RestorationModel::load(app::find_model(file));
    const restoration::ImageSet images = chosen_images(flags, flags.integer("images"), model.network().time_multiple());
    display.start(model.config().name);
    const auto rows = restoration::bench_solvers(model, images, calls, compute.seed, [&](const Progress& progress) {
      display.step(progress);
      return !app::stop_requested();
    });
    scores.insert(scores.end(), rows.begin(), rows.end());
    names.push_back(model.config().name);
    plots.push_back(restoration::solver_plot(rows, model.config().name));
  }
  fs::create_directories(out);
  for (std::size_t i = 0; i < plots.size(); ++i)
    io::write_file(out / ("solvers-" + names[i] + ".svg"), io::svg_file(plots[i]), existing);
  io::write_file(out / "solvers.csv", restoration::solver_csv(scores), existing);
  print_table(scores);
  log::info("written: ", (out / "solvers.csv").string(), " and ", counted(plots.size(), "plot"));
  return 0;
}

void print_table(const std::vector<restoration::InverseScore>& scores) {
  std::printf("%-20s %-20s %9s %7s %10s %8s\n", "operator", "solver", "PSNR dB", "SSIM", "res/sigma", "s");
  for (const auto& s : scores) {
    if (s.problem.empty())
      std::printf("%-20s %-20s %9.3f %7.4f %10.3f %8.2f\n", s.operation.c_str(), s.solver.c_str(), s.psnr, s.ssim,
                  s.residual, s.seconds);
    else
      std::printf("%-20s %-20s %s\n", s.operation.c_str(), s.solver.c_str(), s.problem.c_str());
  }
}

std::string gray_png(const at::Tensor& values, double black, double white) {
  const at::Tensor bytes =
      ((values[0] - black) * (255.0 / (white - black))).round().clamp(0, 255).to(at::kByte).contiguous();
  const auto count = static_cast<std::size_t>(bytes.numel());
  return io::encode_png({bytes.const_data_ptr<std::uint8_t>(), count}, static_cast<std::size_t>(bytes.size(1)),
                        static_cast<std::size_t>(bytes.size(0)), io::PngColor::kGray);
}

/// Mean, standard deviation and calibration curve of runs of one solver on one operator.
int bench_posterior(const app::Flags& flags, const restoration::RestorationModel& prior, const at::Tensor& image,
                    const restoration::InverseBenchConfig& config, const fs::path& out) {
  const auto report = restoration::bench_posterior(prior, image, config, flags.integer("samples"));
  const io::Existing existing = flags.on("overwrite") ? io::Existing::kReplace : io::Existing::kRefuse;
  const double widest = report.deviation.max().item<double>();
  fs::create_directories(out);
  io::write_file(out / "mean.png", gray_png(report.mean, -1, 1), existing);
  io::write_file(out / "deviation.png", gray_png(report.deviation, 0, widest > 0 ? widest : 1), existing);
  io::write_file(out / "calibration.csv", restoration::calibration_csv(report.calibration), existing);
  io::write_file(out / "calibration.svg",
                 io::svg_file(restoration::calibration_plot(report.calibration,
                                                            config.solvers.front() + ", " + config.operators.front())),
                 existing);
  std::printf("PSNR of the mean            %.3f dB\n", report.psnr_of_mean);
  std::printf("largest standard deviation  %.4f of the range (white in deviation.png)\n", 0.5 * widest);
  std::printf("deviation against error     correlation %.3f\n", report.correlation);
  std::printf("calibration                 mean |observed - nominal| %.3f\n", report.calibration.error());
  return 0;
}

/// Says each divergence with its residuals. @throws Error{kNumeric} if there is one
void report_divergence(const std::vector<restoration::InverseScore>& scores) {
  std::size_t diverged = 0;
  for (const restoration::InverseScore& score : scores) {
    if (!score.diverged) continue;
    ++diverged;
    log::error(score.problem);
  }
  RESEDA_REQUIRE(diverged == 0, Errc::kNumeric, diverged, " of ", scores.size(),
                 " rows diverged; the others of the table are good");
}

void write_inverse(const app::Flags& flags, const std::vector<restoration::InverseScore>& scores,
                   const fs::path& folder) {
  const io::Existing existing = flags.on("overwrite") ? io::Existing::kReplace : io::Existing::kRefuse;
  fs::create_directories(folder);
  io::write_file(folder / "inverse.csv", restoration::inverse_csv(scores), existing);
  if (!flags.on("pictures")) return;
  for (const restoration::InverseScore& score : scores)
    if (score.estimate.defined())
      io::write_file(folder / (score.operation + ", " + score.solver + ".png"), gray_png(score.estimate, -1, 1),
                     existing);
}

int bench_inverse(const app::Flags& flags) {
  const fs::path folder = flags.text("output"), file = folder / "inverse.csv";
  RESEDA_REQUIRE(flags.on("overwrite") || !fs::exists(file), Errc::kOutput, file.string(),
                 ": exists; give --overwrite or another folder");
  RESEDA_REQUIRE(flags.list("model").size() == 1, Errc::kUsage, "bench inverse takes one --model, the prior");
  const std::int64_t count = flags.given("images") ? flags.integer("images") : 1;
  RESEDA_REQUIRE(!flags.given("samples") || count == 1, Errc::kUsage, "--samples looks at one image, got --images ",
                 count);
  const app::Compute compute = app::open_compute(flags);
  const restoration::RestorationModel prior =
      restoration::RestorationModel::load(app::find_model(flags.list("model").front()));
  RESEDA_REQUIRE(!prior.config().conditional, Errc::kUsage, flags.list("model").front(),
                 ": sees the measurement itself; bench inverse needs a prior (conditional: false)");
  const restoration::ImageSet set = chosen_images(flags, count, prior.network().time_multiple());
  std::vector<at::Tensor> images;
  for (std::size_t k = 0; k < set.images.size(); ++k)
    images.push_back(set.images[k] / (0.5 * set.full_scales[k]) - 1.0);
  const restoration::InverseBenchConfig config{.steps = flags.integer("steps"),
                                               .sigma = flags.number("sigma"),
                                               .operators = flags.list("operator"),
                                               .solvers = flags.list("solver"),
                                               .seed = compute.seed};
  if (flags.given("samples")) return bench_posterior(flags, prior, images.front(), config, folder);
  app::BatchProgress display(app::ProgressStyle::kAuto, 1);
  display.start(images.size() == 1 ? set.names.front() : std::to_string(images.size()) + " images");
  const auto scores = restoration::bench_inverse(prior, images, config, [&](const Progress& progress) {
    display.step(progress);
    return !app::stop_requested();
  });
  write_inverse(flags, scores, folder);
  print_table(scores);
  log::info("written: ", file.string());
  report_divergence(scores);
  return 0;
}

int bench(const app::Flags& flags) {
  return flags.text("what") == "solvers" ? bench_solvers(flags) : bench_inverse(flags);
}

}  // namespace

app::Verb bench_verb() {
  app::Verb verb;
  verb.name = "bench";
  verb.about =
      "Compares solvers: of a restoration model by number of network calls on images degraded as it was trained for, "
      "or "
      "of a prior on every linear measurement of images. Exit code 7 where a solver diverged.";
  verb.example = "reseda tools bench solvers --model run/model.safetensors --data frames --calls 1,2,5,10 -o table";
  verb.flags.add({.name = "what",
                  .help = "solvers (of a restoration model) or inverse (solvers of inverse problems with a prior)",
                  .choices = {"solvers", "inverse"},
                  .required = true,
                  .positional = true});
  verb.flags.add({.name = "model",
                  .word = "NAME|FILE",
                  .help = "Restoration model (solvers: may be repeated), or the prior; shipped ones by name",
                  .group = "Data",
                  .hint = app::ValueHint::kFile,
                  .required = true,
                  .repeatable = true});
  verb.flags.add({.name = "data",
                  .word = "DIR",
                  .help = "Folder of clean images",
                  .group = "Data",
                  .hint = app::ValueHint::kFolder,
                  .required = true});
  verb.flags.add({.name = "output",
                  .letter = 'o',
                  .word = "DIR",
                  .help = "Folder for solvers.csv and a plot per model, or inverse.csv",
                  .group = "Data",
                  .hint = app::ValueHint::kFolder,
                  .required = true});
  verb.flags.add({.name = "overwrite", .type = app::FlagType::kSwitch, .help = "Replace files", .group = "Data"});
  verb.flags.add({.name = "calls",
                  .value = "1,2,3,5,10,50",
                  .word = "N,N",
                  .help = "Numbers of network calls",
                  .group = "Solvers"});
  verb.flags.add({.name = "images",
                  .type = app::FlagType::kInteger,
                  .word = "N",
                  .help = "Images, evenly spread over the folder; 0 takes all (by default all, of inverse the first)",
                  .least = 0.0});
  verb.flags.add({.name = "crop",
                  .type = app::FlagType::kInteger,
                  .value = "0",
                  .help = "Side of the middle square that is used, pixels; 0 takes whole images",
                  .least = 0.0});
  verb.flags.add({.name = "steps",
                  .type = app::FlagType::kInteger,
                  .value = "50",
                  .help = "Network calls of each solver",
                  .group = "Inverse",
                  .least = 1.0});
  verb.flags.add({.name = "sigma",
                  .type = app::FlagType::kNumber,
                  .value = "0.025",
                  .help = "Deviation of the measurement's noise, as a share of the range from black to white",
                  .group = "Inverse",
                  .least = 0.0});
  verb.flags.add({.name = "operator",
                  .word = "NAME",
                  .help = "Only this operator; may be repeated",
                  .group = "Inverse",
                  .repeatable = true});
  verb.flags.add({.name = "solver",
                  .word = "NAME",
                  .help = "Only this solver, with options after a colon if wanted: dps:scale=1,clip=0; may be repeated",
                  .group = "Inverse",
                  .repeatable = true});
  verb.flags.add({.name = "pictures",
                  .type = app::FlagType::kSwitch,
                  .help = "Also write the estimates of the first image as OUT/OPERATOR, SOLVER.png",
                  .group = "Inverse"});
  verb.flags.add({.name = "samples",
                  .type = app::FlagType::kInteger,
                  .help = "Run one operator's one solver so often: mean.png, deviation.png and a calibration curve",
                  .group = "Inverse",
                  .least = 2.0});
  verb.flags.add(app::compute_flags());
  verb.run = bench;
  return verb;
}

}  // namespace reseda::tools
