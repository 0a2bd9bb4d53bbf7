#include "pipelines/infrared/upscale_flags.hpp"

namespace reseda::infrared {
namespace {

using app::FlagType;

void add_model(app::FlagTable& table, const std::string& group) {
  table.add({.name = "model",
             .letter = 'm',
             .value = "infrared-x4",
             .word = "NAME|FILE",
             .help = "a shipped model by name, or a safetensors file",
             .group = group,
             .hint = app::ValueHint::kFile});
  table.add({.name = "mode",
             .value = "perceptual",
             .help =
                 "fidelity: least error; perceptual: that, made as sharp as the scene is expected to be; sample: what "
                 "the frame may show, with invented detail, by the diffusion of the model",
             .group = group,
             .choices = {"perceptual", "fidelity", "sample"}});
  table.add({.name = "sharpness",
             .type = FlagType::kNumber,
             .value = "0.9",
             .help = "of --mode perceptual: mean gradient to aim at, as part of the scene's as estimated",
             .group = group,
             .least = 0.1,
             .most = 2.0});
  table.add({.name = "steps",
             .type = FlagType::kInteger,
             .value = "0",
             .help = "calls of the network for a sample; 0: as the model says",
             .group = group,
             .least = 0.0,
             .most = 1000.0});
  table.add({.name = "strength",
             .type = FlagType::kNumber,
             .value = "1",
             .help = "share of what a sample adds to the picture of least error",
             .group = group,
             .least = 0.0,
             .most = 1.0});
  table.add({.name = "noise",
             .value = "uncertainty",
             .help = "of a sample: uncertainty gives each pixel as much as it is in doubt, uniform gives all pixels "
                     "what the most doubtful get, for comparison",
             .group = group,
             .choices = {"uncertainty", "uniform"}});
}

void add_method(app::FlagTable& table) {
  const std::string group = "Enlargement";
  table.add({.name = "scale",
             .value = "4",
             .help = "how many pixels stand where one was, along each side; 1 is for --method identity",
             .group = group,
             .choices = {"1", "2", "4"}});
  table.add({.name = "method",
             .value = "model",
             .help = "model: a trained one; bicubic and lanczos: interpolation as Pillow does it; identity: the frame "
                     "itself, to see that it comes back",
             .group = group,
             .choices = {"model", "bicubic", "lanczos", "identity"}});
  add_model(table, group);
  table.add({.name = "samples",
             .type = FlagType::kInteger,
             .value = "1",
             .help =
                 "results whose mean is written: of --mode sample each with its own noise, else of up to 8 turned and "
                 "mirrored frames",
             .group = group,
             .least = 1.0,
             .most = 1000.0});
  table.add({.name = "consistency",
             .type = FlagType::kInteger,
             .value = "0",
             .help = "rounds of back-projection: the result, shrunk, is brought to agree with the frame",
             .group = group,
             .least = 0.0,
             .most = 100.0});
  table.add({.name = "sequence",
             .type = FlagType::kSwitch,
             .help = "frames of a folder follow each other: they share noise and range, so that neither flickers",
             .group = group});
  table.add({.name = "range",
             .word = "LOW:HIGH",
             .help = "values between which scenes lie, in units of the frames; by default 0:255 for 8 bits, else by "
                     "each frame's contents; nothing is clipped to it",
             .group = group});
  table.add({.name = "tile",
             .type = FlagType::kInteger,
             .value = "0",
             .word = "N",
             .help = "longest side of the tiles that a network sees, pixels of the frame; 0 chooses it by memory",
             .group = group,
             .least = 0.0,
             .most = 65536.0});
  table.add({.name = "max-memory",
             .value = "2GiB",
             .word = "SIZE",
             .help = "tiles are chosen to fit; frames that need more are refused before any work",
             .group = group});
}

void add_files(app::FlagTable& table) {
  const std::string group = "Files";
  table.add({.name = "format",
             .value = "keep",
             .help = "format of the results; keep: that of the frame",
             .group = group,
             .choices = {"keep", "png", "tiff", "jpeg"}});
  table.add({.name = "quality",
             .type = FlagType::kInteger,
             .value = "95",
             .help = "of JPEG",
             .group = group,
             .least = 1.0,
             .most = 100.0});
  table.add({.name = "uncertainty",
             .type = FlagType::kSwitch,
             .help =
                 "also write OUTPUT.uncertainty.tif, in units of the frame: the standard deviation of --samples, or "
                 "for one sample how far it lies from interpolation",
             .group = group});
}

}  // namespace

app::FlagTable upscale_flags() {
  app::FlagTable table;
  add_method(table);
  add_files(table);
  return table;
}

}  // namespace reseda::infrared
